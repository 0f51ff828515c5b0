"""`bursar reconcile` on real servers: every kind of finding planted once, found exactly, mended, and clean on the next run."""
import json
import re
import time

import pika
import pytest

NOTHING_WAITS = {"reconcile.orphan_after": 0}


@pytest.fixture
def camp(world):
    """30 of 1000 units booked in 10 deductions, everything told, no worker left."""
    sell(world, 10, 3)
    return world


def publish_deducted(world, message_id, amount, token, budget="camp", channel=None):
    world.publish({"message_id": message_id, "budget_id": budget, "amount": amount, "deducted_at": token}, message_id, channel=channel)


def sell(world, count, amount, prefix="s", budget="camp"):
    channel = world.channel()
    before = world.value("SELECT count(*) FROM v_deduction")
    for i in range(count):
        status, _, token = world.deduct(budget, f"{prefix}{i}", amount)
        assert status == 1
        publish_deducted(world, f"{prefix}{i}", amount, int(token), budget, channel)
    channel.connection.close()
    worker = world.worker()
    world.wait_settled(before + count)
    world.wait_quiet()
    assert worker.terminate() == 0


def reconcile(world, *words, status=0):
    return json.loads(world.run("reconcile", "--json", *words, status=status))


def equations_hold(world, budget="camp"):
    """Section by section as the protocol promises them, from outside."""
    meta = {key: int(value) for key, value in world.meta(budget).items()
            if key in ("credited", "deducted", "settled", "released")}
    credited, deducted, settled, released = (meta.get(key, 0) for key in ("credited", "deducted", "settled", "released"))
    pending = sum(int(value.split(":")[0]) for value in world.pending(budget).values())
    assert pending == deducted - settled - released
    if world.left(budget) != -1:
        assert world.left(budget) == credited - deducted + released
    total, booked = world.rows("SELECT total, settled FROM v_budget WHERE id = ?", budget)[0].values()
    assert credited == max(total, 0)
    return booked, pending


def plant_and_mend(world, kinds, *, expected=None, budget="camp", words=(), unmended=()):
    """Finds just these kinds, writes nothing without --repair, mends with it, and is clean afterwards."""
    before = dump(world)
    found = reconcile(world, *words, status=1)
    assert sorted(f["kind"] for f in found["findings"]) == sorted(kinds), found
    assert not found["clean"] and not any(f["mended"] for f in found["findings"])
    assert dump(world) == before, "without --repair nothing is written"
    mended = reconcile(world, "--repair", *words, status=1 if unmended else 0)
    assert sorted(f["kind"] for f in mended["findings"]) == sorted(kinds), mended
    assert [f["kind"] for f in mended["findings"] if not f["mended"]] == list(unmended)
    for finding in found["findings"]:
        for key, value in (expected or {}).items():
            assert finding.get(key) == value, (key, finding)
    again = reconcile(world, *words, status=1 if unmended else 0)
    assert again["clean"] == (not unmended), again
    if not unmended:
        equations_hold(world, budget)
    return mended["findings"]


def dump(world):
    """All of Redis and of the ledger's books."""
    keys = {key: world.redis.dump(key) for key in world.redis.scan_iter("budget:*")}
    views = [world.rows(f"SELECT * FROM {view}") for view in ("v_budget", "v_deduction", "v_credit", "v_parked", "v_intervention")]
    return keys, json.dumps(views)


def test_clean(camp):
    found = reconcile(camp)
    assert found["clean"] and found["findings"] == [] and found["budgets"] == 1 and found["complete"]
    assert equations_hold(camp) == (30, 0)


@pytest.mark.parametrize("units", [1, -1, 250])
def test_left_drift(camp, units):
    camp.redis.incrby(camp.keys("camp")[0], units)
    plant_and_mend(camp, ["left-drift"], expected={"expected": 970, "actual": 970 + units, "amount": units, "budget_id": "camp"})
    assert camp.left("camp") == 970
    journal = camp.rows("SELECT * FROM v_intervention")
    assert len(journal) == 1 and journal[0]["amount"] == -units and journal[0]["state"] == "done"
    assert f"left={970 + units}" in journal[0]["value_before"] and "left=970" in journal[0]["value_after"]


@pytest.mark.parametrize("field, units", [("settled", 1), ("settled", -1), ("deducted", 1), ("released", 2), ("credited", 1)])
def test_a_running_total_that_is_wrong(camp, field, units):
    camp.redis.hincrby(camp.keys("camp")[4], field, units)
    found = reconcile(camp, status=1)
    assert [f["kind"] for f in found["findings"]] == ["left-drift"]
    reconcile(camp, "--repair")
    assert reconcile(camp)["clean"]
    assert equations_hold(camp) == (30, 0) and camp.left("camp") == 970


def test_missing_key_alone(camp):
    camp.redis.delete(camp.keys("camp")[0])
    plant_and_mend(camp, ["missing-key"], expected={"expected": 970})
    assert camp.left("camp") == 970 and camp.deduct("camp", "next", 1)[:2] == [1, "969"]


def test_everything_lost(camp):
    camp.run("budget", "add", "camp", "500", "--credit-id", "more")
    camp.redis.flushall()
    plant_and_mend(camp, ["missing-key"])
    assert camp.left("camp") == 1470
    camp.run("budget", "add", "camp", "500", "--credit-id", "more")
    assert camp.left("camp") == 1470, "a credit that was rebuilt is not applied again"


def test_unlimited_lost(world):
    world.run("budget", "create", "free", "--total", "unlimited")
    sell(world, 3, 5, budget="free")
    world.redis.flushall()
    found = reconcile(world, "--budget", "free", "--repair")
    assert [f["kind"] for f in found["findings"]] == ["missing-key"]
    assert reconcile(world, "--budget", "free")["clean"]
    assert world.left("free") == -1 and equations_hold(world, "free") == (15, 0)


def test_limited_here_and_unlimited_there(camp):
    """The worst stock there is: everything is sold. No difference mends it, and the finding says what does, on the terminal too."""
    camp.redis.set(camp.keys("camp")[0], -1)
    [found] = reconcile(camp, "--repair", status=1)["findings"]
    assert (found["kind"], found["amount"], found["mended"], found["money"]) == ("left-drift", 0, False, "may over-issue")
    assert "delete the stock key" in found["remedy"]
    done = camp.run_all("reconcile")
    assert "delete the stock key" in done.stdout and "limited on the other" in done.stderr
    camp.redis.delete(camp.keys("camp")[0])
    reconcile(camp, "--repair")
    assert reconcile(camp)["clean"] and camp.left("camp") == 970


def test_unlimited_here_and_limited_there(world):
    world.run("budget", "create", "free", "--total", "unlimited")
    world.redis.set(world.keys("free")[0], 5)
    [found] = reconcile(world, "--budget", "free", status=1)["findings"]
    assert (found["kind"], found["money"]) == ("left-drift", "may under-issue")


def test_uncleared(camp):
    """A worker that died between the ledger and Redis."""
    status, _, token = camp.deduct("camp", "half", 7)
    publish_deducted(camp, "half", 7, int(token))
    worker = camp.worker(environment={"BURSAR_FAILPOINT": "tell-begin"})
    worker.wait_died()
    camp.wait_settled(11)
    assert camp.pending("camp")
    plant_and_mend(camp, ["uncleared"], expected={"message_id": "half", "amount": 7})
    assert camp.left("camp") == 963 and not camp.pending("camp")


def test_refund_due_alone(world):
    """Closed while a deduction is under way, so that it is rejected; the worker dies before the refund."""
    _, _, token = world.deduct("camp", "late", 4)
    world.run("budget", "delete", "camp")
    publish_deducted(world, "late", 4, int(token))
    world.worker(environment={"BURSAR_FAILPOINT": "settle-after-commit"}).wait_died()
    world.wait_settled(1)
    assert world.value("SELECT refund FROM v_deduction") == "due"
    plant_and_mend(world, ["refund-due"], expected={"message_id": "late", "amount": 4})
    assert world.left("camp") == 1000 and world.value("SELECT refund FROM v_deduction") == "done"


def test_orphan(camp):
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "crashed", 20)
    plant_and_mend(camp, ["orphan"], expected={"message_id": "crashed", "amount": 20})
    assert camp.left("camp") == 970
    row = camp.rows("SELECT state, reason, refund FROM v_deduction WHERE message_id = 'crashed'")[0]
    assert row == {"state": "voided", "reason": "orphaned", "refund": "done"}
    # Its message comes after all: booked nowhere.
    publish_deducted(camp, "crashed", 20, int(token))
    worker = camp.worker()
    camp.wait("the late message to be taken", lambda: camp.ready() == 0)
    camp.wait_quiet()
    assert re.search(r"event=late amount=20 detail=\"message crashed of budget camp .*orphaned", worker.log()), worker.log()
    camp.wait("it to be counted", lambda: camp.metric("bursar_late_total") == 1)
    assert camp.value("SELECT settled FROM v_budget") == 30 and camp.left("camp") == 970
    assert reconcile(camp)["clean"]


def test_orphan_that_is_settled(camp):
    camp.settings.update(NOTHING_WAITS, **{"reconcile.orphans": "settle"})
    camp.write_config()
    camp.deduct("camp", "crashed", 20)
    plant_and_mend(camp, ["orphan"])
    assert camp.left("camp") == 950 and camp.value("SELECT settled FROM v_budget") == 50


def test_a_backlog_is_no_orphan(camp):
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    for i in range(20):
        _, _, token = camp.deduct("camp", f"waits{i}", 1)
        publish_deducted(camp, f"waits{i}", 1, int(token))
    time.sleep(1.5)
    assert reconcile(camp, "--repair")["clean"]
    camp.worker()
    camp.wait_settled(30)
    camp.wait_quiet()
    assert camp.value("SELECT settled FROM v_budget") == 50 and reconcile(camp)["clean"]


def test_an_orphan_must_be_old_enough(camp):
    camp.deduct("camp", "crashed", 20)
    assert reconcile(camp, "--repair")["clean"]


def test_a_parked_one_is_no_orphan(camp):
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "odd", 20)
    camp.publish({"message_id": "odd", "budget_id": "camp", "amount": "many", "deducted_at": int(token)})
    worker = camp.worker()
    camp.wait("it to be parked", lambda: camp.value("SELECT count(*) FROM v_parked") == 1)
    worker.terminate()
    assert reconcile(camp, "--repair")["clean"]


def test_one_that_the_broker_set_aside_is_no_orphan(camp):
    """It is in the dead-letter queue, and in no record of the ledger."""
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    channel = camp.channel()
    for message_id in ("by-property", "in-the-body"):
        _, _, token = camp.deduct("camp", message_id, 20)
        inside = message_id == "in-the-body"
        body = {"budget_id": "camp", "amount": 20, "deducted_at": int(token), **({"message_id": message_id} if inside else {})}
        channel.basic_publish("bursar.dlx", "deduction", json.dumps(body).encode(),
                              pika.BasicProperties(message_id=None if inside else message_id, delivery_mode=2))
    camp.deduct("camp", "crashed", 1)
    found = reconcile(camp, "--repair")
    assert [(f["kind"], f["message_id"]) for f in found["findings"]] == [("orphan", "crashed")]
    assert len(camp.pending("camp")) == 2 and len(camp.dead_letters()) == 2
    camp.run("dlq", "discard", "--yes")
    assert not camp.pending("camp") and camp.left("camp") == 970
    channel.connection.close()


def test_what_somebody_reads_in_the_dead_letter_queue_is_no_orphan(camp):
    """Who lists or replays letters holds them: that the rest of the queue is empty tells nothing."""
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "held", 20)
    body = {"message_id": "held", "budget_id": "camp", "amount": 20, "deducted_at": int(token)}
    camp.channel().basic_publish("bursar.dlx", "deduction", json.dumps(body).encode(), pika.BasicProperties(delivery_mode=2))
    camp.wait("the letter to arrive", lambda: camp.ready("bursar.deductions.dlq") == 1)
    reader = camp.channel()
    assert reader.basic_get("bursar.deductions.dlq")[0] is not None
    reader.basic_consume("bursar.deductions.dlq", lambda *_: None)
    found = reconcile(camp, "--repair", status=69)
    assert not found["complete"] and not found["findings"], found
    assert "held" in camp.pending("camp")
    reader.connection.close()
    assert reconcile(camp, "--repair")["complete"] and "held" in camp.pending("camp")
    assert reconcile(camp)["clean"]


def test_a_replayed_one_is_no_orphan(camp):
    """It stands at the end of the queue with an old token; what was refunded stays refunded."""
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "odd", 20)
    camp.publish({"message_id": "odd", "budget_id": "camp", "amount": "many", "deducted_at": int(token)})
    worker = camp.worker()
    camp.wait("it to be parked", lambda: camp.value("SELECT count(*) FROM v_parked") == 1)
    worker.terminate()
    camp.run("dlq", "replay", "--edit", "amount=20")
    assert camp.ready() == 1 and reconcile(camp, "--repair")["clean"]
    camp.worker()
    camp.wait_settled(11)
    camp.wait_quiet()
    assert camp.value("SELECT settled FROM v_budget") == 50 and reconcile(camp)["clean"]


def test_ledger_behind(camp):
    """The ledger is restored from a backup that misses 5 bookings."""
    import shutil
    camp.rows("SELECT 1")
    for suffix in ("", "-wal"):
        try:
            shutil.copy(camp.ledger + suffix, camp.ledger + suffix + ".backup")
        except FileNotFoundError:
            pass
    sell(camp, 5, 2, prefix="lost")
    for suffix in ("", "-wal", "-shm"):
        import os
        if os.path.exists(camp.ledger + suffix):
            os.remove(camp.ledger + suffix)
    for suffix in ("", "-wal"):
        if os.path.exists(camp.ledger + suffix + ".backup"):
            shutil.copy(camp.ledger + suffix + ".backup", camp.ledger + suffix)
    plant_and_mend(camp, ["ledger-behind"], expected={"amount": 10, "budget_id": "camp"}, unmended=["ledger-behind"])
    assert camp.left("camp") == 960


def test_untracked(camp):
    camp.publish({"message_id": "old-producer", "budget_id": "camp", "amount": 5})
    worker = camp.worker()
    camp.wait_settled(11)
    worker.terminate()
    found = reconcile(camp)
    assert found["clean"] and [f["kind"] for f in found["findings"]] == ["untracked"] and found["findings"][0]["amount"] == 5


def test_max_repair(camp):
    camp.redis.incrby(camp.keys("camp")[0], 11)
    found = reconcile(camp, "--repair", "--max-repair", "10", status=1)
    assert [f["mended"] for f in found["findings"]] == [False] and camp.left("camp") == 981
    assert reconcile(camp, "--repair", "--max-repair", "11")["findings"][0]["mended"]
    assert camp.left("camp") == 970


def test_command_line(world):
    world.run("reconcile", "--budget", "none", status=65)
    world.run("reconcile", "--max-repair", "5", status=64)
    world.run("reconcile", "--repair", "--max-repair", "x", status=64)
    assert "left-drift" not in world.run("reconcile")


def test_a_spoilt_key_does_not_hide_the_others(camp):
    camp.run("budget", "create", "aaa", "--total", "10")
    camp.redis.set(camp.keys("aaa")[0], "a lot")
    camp.redis.incr(camp.keys("camp")[0])
    done = camp.run_all("reconcile", "--repair", "--json")
    assert done.returncode == 69 and "aaa" in done.stderr
    found = json.loads(done.stdout)
    assert [(f["kind"], f["budget_id"], f["mended"]) for f in found["findings"]] == [("left-drift", "camp", True)] and not found["complete"]
    camp.redis.set(camp.keys("aaa")[0], "10")
    assert reconcile(camp)["clean"]
