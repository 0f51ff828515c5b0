"""Killed (SIGKILL) at every failpoint of the source, and again during the recovery: everything converges, each id once, sums to the unit."""
import glob
import json
import os
import random
import re

import pytest
from books import Books
from matrix import only_full
from test_letters import DISCARDS, IMPORTS, REPLAYS
from test_repairs import REPAIRS, SETTLES
from world import ROOT

# Where the worker dies, in the order in which work reaches them.
WORKER = ["settle-before-commit", "settle-after-commit", "ack-begin", "ack-sent", "tell-begin", "tell-sent", "park-begin", "publish-sent",
          "publish-confirmed", "park-confirmed", "park-recorded", "release-begin", "release-sent", "debts-marked"]
PRODUCER = ["deduct-done", "deduct-published"]
CREDITS = ["credit-booked", "credit-applied"]
STATES = {"close-redis": [("close", "closed"), ("delete", "deleted")], "reopen-ledger": [("reopen", "active")]}


def test_every_failpoint_of_the_source_has_a_row():
    found = set()
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True):
        with open(path) as file:
            found |= set(re.findall(r'\bFAILPOINT\("([^"]+)"\)', file.read()))
    assert found == set(WORKER + PRODUCER + CREDITS + REPAIRS + SETTLES + REPLAYS + DISCARDS + IMPORTS) | set(STATES)


class Feed(Books):
    """Deductions that settle, one over the total with its pending, one without token, one unreadable."""

    def __init__(self, world):
        super().__init__(world)
        self.total["camp"] = 1000
        channel = world.channel()
        for i in range(40):
            self.deduct(f"good-{i}", 2, channel)
        # Redis sells more than the ledger has: the stock was raised behind its back.
        world.redis.incrby(world.keys("camp")[0], 5000)
        self.gift["camp"] = 5000
        self.deduct("too-much", 4000, channel)
        world.redis.decrby(world.keys("camp")[0], 950)
        self.older["older"] = ("camp", 950)
        world.publish({"budget_id": "camp", "amount": 950}, "older", channel=channel)
        self.expected_parked["malformed", "unreadable"] = 1
        world.publish("garbage", "unreadable", channel=channel)
        channel.connection.close()

    def deduct(self, message_id, amount, channel):
        status, _, token = self.world.deduct("camp", message_id, amount)
        assert status == 1
        self.deducted[message_id] = ("camp", amount)
        self.world.publish({"budget_id": "camp", "amount": amount, "deducted_at": int(token)}, message_id, channel=channel)


def dies_or_converges(world, feed, worker, seconds=40):
    """Whether it died at its failpoint; else everything was already done."""
    def over():
        return not worker.running() or feed.check() == []
    world.wait("the worker to die at its failpoint, or to converge", over, seconds)
    try:
        assert worker.wait_died(0.5) == -9, worker.log()[-2000:]
        return True
    except Exception:
        worker.kill()
        return False


def converge(world, feed, deaths):
    worker = world.worker()
    worker.wait_log("event=consuming")
    feed.wait_finished(40)
    assert worker.terminate() == 0
    assert world.ready() == 0, "something was not acknowledged"
    assert feed.check(world.dead_letters(), copies=1 + deaths) == []
    rows = {row["message_id"]: (row["state"], row["refund"]) for row in world.rows("SELECT * FROM v_deduction")}
    assert rows == {**{f"good-{i}": ("settled", "none") for i in range(40)}, "too-much": ("rejected", "done"), "older": ("rejected", "done")}
    # Killed or stopped between the mark and the forgetting, the guard of the refund without token stays: bytes, no harm.
    assert {field for field in world.meta("camp") if field.startswith("refund ")} <= {"refund older"}


@pytest.mark.parametrize("place", WORKER)
def test_worker_killed_at(world, place):
    """converges after the crash, and after the same crash during the recovery"""
    feed = Feed(world)
    worker = world.worker(environment={"BURSAR_FAILPOINT": place})
    assert worker.wait_died(30) == -9, f"{place} was never reached: {worker.log()[-2000:]}"
    deaths = 1
    for _ in range(2):
        deaths += dies_or_converges(world, feed, world.worker(environment={"BURSAR_FAILPOINT": place}))
    converge(world, feed, deaths)


@only_full
@pytest.mark.parametrize("hit", [2, 3, 5])
@pytest.mark.parametrize("place", WORKER)
def test_worker_killed_later_at(world, place, hit):
    """converges; a later hit finds other work already done"""
    feed = Feed(world)
    deaths = dies_or_converges(world, feed, world.worker(environment={"BURSAR_FAILPOINT": f"{place}:{hit}"}))
    converge(world, feed, deaths)


@pytest.mark.parametrize("order", ["in order", *(pytest.param(f"by chance {i}", marks=only_full) for i in range(1, 6))])
def test_worker_killed_at_every_place(world, order):
    """a crash during the recovery from a crash during the recovery…, and it converges"""
    places, seed = list(WORKER), random.randrange(1 << 32)
    if order != "in order":
        print("seed:", seed)
        random.Random(seed).shuffle(places)
    feed = Feed(world)
    deaths = 0
    for place in places:
        deaths += dies_or_converges(world, feed, world.worker(environment={"BURSAR_FAILPOINT": place}))
    assert deaths >= (3 if order == "in order" else 1)
    converge(world, feed, deaths)


@pytest.mark.parametrize("place", PRODUCER)
def test_producer_killed_at(world, place, tmp_path):
    """the same lines again, and once more after a second crash: each deducted once, published, booked once"""
    books = Books(world)
    books.total["camp"] = 1000
    file = tmp_path / "lines"
    file.write_text("".join(json.dumps({"message_id": f"p{i}", "budget_id": "camp", "amount": 1}) + "\n" for i in range(300)))
    for _ in range(2):
        done = world.run_all("deduct", "--json", "--from", str(file), environment={"BURSAR_FAILPOINT": place})
        assert done.returncode == -9
    answers = [json.loads(line) for line in world.run("deduct", "--json", "--from", str(file)).splitlines()]
    assert {answer["status"] for answer in answers} == {"deducted", "repeat"} or {answer["status"] for answer in answers} == {"repeat"}
    books.deducted = {f"p{i}": ("camp", 1) for i in range(300)}
    worker = world.worker()
    books.wait_finished()
    assert worker.terminate() == 0
    assert books.check(world.dead_letters()) == []


@pytest.mark.parametrize("place", CREDITS)
def test_top_up_killed_at(world, place):
    """the worker applies it, or notes that it was applied; the same credit id again changes nothing"""
    books = Books(world)
    books.total["camp"] = 1050
    for _ in range(2):
        world.run_all("budget", "add", "camp", "50", "--credit-id", "c1", environment={"BURSAR_FAILPOINT": place})
    assert world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 0
    worker = world.worker()
    world.wait("the credit to be applied", lambda: world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 1)
    world.run("budget", "add", "camp", "50", "--credit-id", "c1")
    assert worker.terminate() == 0
    assert books.check(world.dead_letters()) == []


@pytest.mark.parametrize("place", CREDITS)
def test_create_killed_at(world, place):
    """the budget is booked, the worker gives it to Redis, and it sells"""
    books = Books(world)
    done = world.run_all("budget", "create", "new", "--total", "70", environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -9
    books.total.update(camp=1000, new=70)
    worker = world.worker()
    world.wait("the first credit to be applied", lambda: world.value("SELECT min(applied) FROM v_credit") == 1)
    world.run("budget", "create", "new", "--total", "70", status=65)
    world.run("deduct", "new", "3", "--message-id", "d1")
    books.deducted["d1"] = ("new", 3)
    books.wait_finished()
    assert worker.terminate() == 0
    assert books.check(world.dead_letters()) == []


@pytest.mark.parametrize("place, verb, state", [(place, *case) for place, cases in STATES.items() for case in cases])
def test_state_killed_at(world, place, verb, state):
    """the same command again completes it; what was sold before the closing settles, what was sold before a deletion is given back"""
    books = Books(world)
    books.total["camp"] = 1000
    world.run("deduct", "camp", "5", "--message-id", "before")
    books.deducted["before"] = ("camp", 5)
    if verb == "reopen":
        world.run("budget", "close", "camp")
    for _ in range(2):
        done = world.run_all("budget", verb, "camp", environment={"BURSAR_FAILPOINT": place})
        assert done.returncode == -9
    world.run("deduct", "camp", "1", "--message-id", "between", status=1)  # neither state sells in between
    world.run("budget", verb, "camp")
    assert world.json("budget", "show", "camp")["state"] == state
    if state == "active":
        world.run("deduct", "camp", "7", "--message-id", "after")
        books.deducted["after"] = ("camp", 7)
    worker = world.worker()
    books.wait_finished()
    assert worker.terminate() == 0
    assert books.check(world.dead_letters()) == []
    expected = {"closed": {"before": "settled"}, "deleted": {"before": "rejected"}, "active": {"before": "settled", "after": "settled"}}
    assert {row["message_id"]: row["state"] for row in world.rows("SELECT * FROM v_deduction")} == expected[state]
