"""What reconcile must mend, and what happens when it dies while it mends."""
import json
import os
import signal
import threading

import pytest

from matrix import only_full
from servers import Redis

# Where a repair dies: at the journal each of the four kinds that `broken` holds, and at the voids.
JOURNAL = ["repair-journaled", "repair-made"]
REPAIRS = [*JOURNAL, "void-before-commit", "void-after-commit", "orphan-voided", "orphan-refunded"]
SETTLES = ["orphan-settled"]


def reconcile(world, *words, status=0):
    return json.loads(world.run("reconcile", "--json", *words, status=status))


def numbers(world, budget="camp"):
    """left, pending, and what the protocol's two equations say they should be: (left, left', pending, pending')."""
    meta = {key: int(world.meta(budget).get(key, 0)) for key in ("credited", "deducted", "settled", "released")}
    pending = sum(int(value.split(":")[0]) for value in world.pending(budget).values())
    return (world.left(budget), meta["credited"] - meta["deducted"] + meta["released"], pending,
            meta["deducted"] - meta["settled"] - meta["released"])


def expect_right(world, budget="camp"):
    """Clean, both equations hold, and the stock is what the ledger has not settled."""
    found = reconcile(world)
    assert found["clean"] and found["complete"], found
    left, left_by_totals, pending, pending_by_totals = numbers(world, budget)
    row = world.rows("SELECT total, settled FROM v_budget WHERE id = ?", budget)[0]
    assert left == left_by_totals == row["total"] - row["settled"] - pending and pending == pending_by_totals
    journal = world.rows("SELECT kind, state, subject, message_id, sequence FROM v_intervention")
    # A replay that died may have published or not: its entry says begun for ever. A repair is always found out about.
    assert not [entry for entry in journal if entry["state"] == "begun" and entry["kind"] == "repair"]
    return row["settled"]


def sell(world, prefix, count, amount=2):
    lines = "".join(json.dumps({"message_id": f"{prefix}{i}", "budget_id": "camp", "amount": amount}) + "\n" for i in range(count))
    world.run("deduct", "--from", "-", input=lines)


@pytest.fixture
def broken(world):
    """One of each that a repair works on: drift, an orphan, an entry not cleared, a refund due, a credit due."""
    world.settings["reconcile.orphan_after"] = 0
    world.write_config()
    world.run("budget", "create", "gone", "--total", "10")
    world.run("deduct", "gone", "4", "--message-id", "rejected")
    world.run("budget", "delete", "gone")
    world.run("deduct", "camp", "7", "--message-id", "half")
    world.worker(environment={"BURSAR_FAILPOINT": "tell-begin"}).wait_died()
    world.run_all("budget", "add", "camp", "50", "--credit-id", "topup", environment={"BURSAR_REDIS_URL": "redis://127.0.0.1:1/0"})
    world.deduct("camp", "crashed", 20)
    world.redis.incrby(world.keys("camp")[0], 100)
    return world


def at_the_journal():
    """Each kind of repair has an entry; the first and the last stand for those between."""
    return [pytest.param(f"{name}:{nth}", marks=() if nth in (1, 4) else only_full) for name in JOURNAL for nth in (1, 2, 3, 4)]


@pytest.mark.parametrize("place", at_the_journal() + REPAIRS[len(JOURNAL):])
def test_killed_at(broken, place):
    """the next run closes what the journal left open, mends the rest, and nothing twice"""
    done = broken.run_all("reconcile", "--repair", environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -signal.SIGKILL, f"{place} was never reached: {done.stderr}"
    assert all(finding["mended"] for finding in reconcile(broken, "--repair")["findings"])
    assert expect_right(broken) == 7 and broken.left("camp") == 1043
    assert broken.left("gone") == 10 and broken.value("SELECT refund FROM v_deduction WHERE message_id = 'rejected'") == "done"
    done = [(row["kind"], row["subject"], row["message_id"]) for row in broken.rows("SELECT * FROM v_intervention") if row["state"] == "done"]
    assert len(done) == len(set(done)), "each repair is booked as done once"


@pytest.mark.parametrize("place", JOURNAL)
def test_killed_with_a_lost_credit_at(world, place):
    """the next run finds out what became of the one amendment, and each credit's entry says the same"""
    keys = {key: world.redis.dump(key) for key in world.redis.scan_iter("budget:*")}
    world.run("budget", "add", "camp", "500", "--credit-id", "one")
    world.run("budget", "add", "camp", "50", "--credit-id", "two")
    sell(world, "s", 10)
    world.worker()
    world.wait_settled(10)
    world.wait_quiet()
    world.redis.flushall()
    for key, value in keys.items():
        world.redis.restore(key, 0, value)
    done = world.run_all("reconcile", "--repair", environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -signal.SIGKILL, f"{place} was never reached: {done.stderr}"
    made = place == "repair-made"
    assert all(finding["mended"] for finding in reconcile(world, "--repair")["findings"])
    assert expect_right(world) == 20 and world.left("camp") == 1530
    first = [row["state"] for row in world.rows("SELECT state FROM v_intervention WHERE kind = 'repair' ORDER BY sequence")][:3]
    assert first == ["done" if made else "abandoned"] * 3


@pytest.mark.parametrize("place", SETTLES)
def test_killed_while_an_orphan_is_booked_at(broken, place):
    """the row decides: booked once, its entry cleared by the next run"""
    broken.settings["reconcile.orphans"] = "settle"
    broken.write_config()
    done = broken.run_all("reconcile", "--repair", environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -signal.SIGKILL, f"{place} was never reached: {done.stderr}"
    reconcile(broken, "--repair")
    assert expect_right(broken) == 27


class Producer:
    """Sells through the command, without a pause, until it is stopped."""

    def __init__(self, world):
        self.world, self.stopping, self.count = world, threading.Event(), 0
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.thread.join(60)

    def _run(self):
        while not self.stopping.is_set():
            lines = "".join(json.dumps({"message_id": f"p{self.count + i}", "budget_id": "camp", "amount": 1 + i % 3}) + "\n" for i in range(50))
            self.world.run("deduct", "--from", "-", input=lines, status=None)
            self.count += 50


@pytest.fixture
def losing(servers):
    """A Redis of its own that is to lose data, with a worker and a producer."""
    from fixtures import wipe
    from world import World
    shared, rabbit = servers
    wipe(shared, rabbit)
    with Redis("--appendonly", "no") as redis, World(redis, rabbit, settings={"worker.retry_max": 1, "redis.timeout": 1}) as world:
        world.run("init")
        world.run("budget", "create", "camp", "--total", "1000000")
        world.worker()
        yield world


def older_dump(world):
    """An old dump of Redis takes the place of what it has."""
    server = world.redis_server
    dump = os.path.join(server.folder, "dump.rdb")
    world.redis.save()
    os.rename(dump, dump + ".old")
    before = world.value("SELECT count(*) FROM v_deduction")
    world.run("budget", "add", "camp", "500", "--credit-id", "after-the-dump")
    world.wait("more to be booked", lambda: world.value("SELECT count(*) FROM v_deduction") > before + 500)
    server.kill()
    os.rename(dump + ".old", dump)
    server.start()


def all_keys(world):
    world.redis.flushall()


def stock_key(world):
    world.redis.delete(world.keys("camp")[0])


@pytest.mark.parametrize("loss", [older_dump, all_keys, stock_key])
def test_redis_lost(losing, loss):
    """mended while traffic runs: the stock is right to the unit, and what was lost is said"""
    with Producer(losing):
        losing.wait("traffic", lambda: losing.value("SELECT count(*) FROM v_deduction") > 500)
        loss(losing)
        found = losing.wait("a repair that leaves nothing", lambda: repaired(losing), 60)
        assert found & {"left-drift", "missing-key"}, found
    losing.wait_quiet()
    losing.wait("the last difference", lambda: repaired(losing) is not None, 60)
    expect_right(losing)


def repaired(world):
    """The kinds that were found, once a repair has mended all of them; else None."""
    done = world.run_all("reconcile", "--repair", "--json")
    if done.returncode != 0:
        return None
    return {finding["kind"] for finding in json.loads(done.stdout)["findings"]}
