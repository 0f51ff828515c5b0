"""`bursar reconcile` while traffic runs as fast as it can: nothing is found that is not there, and one unit that is."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

BUDGETS = ("hot", "warm", "free")


class Load:
    """Producers that deduct and publish without a pause, over three budgets, until they are stopped."""

    def __init__(self, world, producers=2):
        self.world, self.producers, self.stopping, self.sent = world, producers, threading.Event(), 0

    def __enter__(self):
        self.threads = [threading.Thread(target=self._produce, args=(number,)) for number in range(self.producers)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def _produce(self, number):
        command = [self.world.bursar, "deduct", "-c", self.world.config, "--from", "-"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        count = 0
        try:
            while not self.stopping.is_set():
                lines = [json.dumps({"message_id": f"p{number}-{count + i}", "budget_id": BUDGETS[max(0, (count + i) % 10 - 7)],
                                     "amount": 1 + (count + i) % 3}) for i in range(500)]
                process.stdin.write("\n".join(lines) + "\n")
                count += len(lines)
                self.sent += len(lines)
        finally:
            process.stdin.close()
            assert process.wait(60) == 0


@pytest.fixture
def busy(world):
    world.settings["reconcile.orphan_after"] = 5
    world.write_config()
    for budget in BUDGETS:
        world.run("budget", "create", budget, "--total", "unlimited" if budget == "free" else "100000000")
    world.worker()
    with Load(world) as load:
        world.wait("the load to run", lambda: world.value("SELECT count(*) FROM v_deduction") > 5000, 60)
        yield world, load
    world.wait_quiet(120)


def reconcile(world, *words, status=0):
    return json.loads(world.run("reconcile", "--json", *words, status=status))


def test_fifteen_runs_find_nothing(busy):
    world, load = busy
    before = world.value("SELECT count(*) FROM v_deduction")
    for _ in range(15):
        found = reconcile(world)
        assert found["clean"] and found["complete"] and not found["findings"], found
    assert world.value("SELECT count(*) FROM v_deduction") - before > 15000, "the load ran meanwhile"


@pytest.mark.parametrize("budget, units", [("hot", 1), ("hot", -1), ("warm", 1)])
def test_one_unit_is_found(busy, budget, units):
    world, load = busy
    world.redis.incrby(world.keys(budget)[0], units)
    found = reconcile(world, status=1)
    assert [(f["kind"], f["budget_id"], f["amount"]) for f in found["findings"]] == [("left-drift", budget, units)]
    reconcile(world, "--repair")
    for _ in range(3):
        assert reconcile(world)["clean"]


def test_top_ups_and_rejections_under_load(busy):
    """What else moves a budget's numbers: credits, and deductions that are rejected and refunded."""
    world, load = busy
    world.run("budget", "create", "small", "--total", "10")
    world.redis.incrby(world.keys("small")[0], 100000)  # Redis sells more of it than there is
    stop = threading.Event()

    def stir():
        number = 0
        while not stop.is_set():
            world.run("budget", "add", "hot", "10", "--credit-id", f"c{number}")
            _, _, token = world.deduct("small", f"r{number}", 2)
            world.publish({"message_id": f"r{number}", "budget_id": "small", "amount": 2, "deducted_at": int(token)})
            number += 1
    thread = threading.Thread(target=stir)
    thread.start()
    try:
        for _ in range(10):
            assert reconcile(world, "--budget", "hot")["clean"]
            drift = reconcile(world, "--budget", "small", status=1)["findings"]
            assert [(f["kind"], f["amount"]) for f in drift] == [("left-drift", 100000)], drift
    finally:
        stop.set()
        thread.join(30)


def test_an_orphan_under_load(busy):
    world, load = busy
    world.deduct("hot", "never-published", 9)
    time.sleep(8)
    found = world.wait("the orphan", lambda: json.loads(world.run("reconcile", "--json", "--repair", status=None))["findings"], 60)
    assert [(f["kind"], f["message_id"], f["mended"]) for f in found] == [("orphan", "never-published", True)]
    assert reconcile(world)["clean"]
