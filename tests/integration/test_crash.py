"""The worker killed between every two steps that a crash could separate: restarted, everything converges, each id once, sums to the unit."""
import json

import pytest

# Where it dies, and how often that place is reached before. A later hit finds other work already done.
PLACES = ["settle-before-commit", "settle-after-commit", "ack-begin", "ack-sent", "tell-begin", "tell-sent", "park-begin",
          "publish-sent", "publish-confirmed", "park-confirmed", "park-recorded", "release-begin", "release-sent",
          "debts-marked"]


def feed(world):
    """Deductions that settle, one over the total with its pending, one without token, one unreadable, a credit owed."""
    expected = {}
    channel = world.channel()
    for i in range(40):
        status, _, token = world.deduct("camp", f"good-{i}", 2)
        assert status == 1
        expected[f"good-{i}"] = ("settled", "none")
        world.publish({"budget_id": "camp", "amount": 2, "deducted_at": int(token)}, f"good-{i}", channel=channel)
    # Redis sells more than the ledger has: the stock was raised behind its back.
    world.redis.incrby(world.keys("camp")[0], 5000)
    status, _, token = world.deduct("camp", "too-much", 4000)
    assert status == 1
    world.publish({"budget_id": "camp", "amount": 4000, "deducted_at": int(token)}, "too-much", channel=channel)
    expected["too-much"] = ("rejected", "done")
    world.redis.decrby(world.keys("camp")[0], 950)
    world.publish({"budget_id": "camp", "amount": 950}, "older", channel=channel)
    expected["older"] = ("rejected", "done")
    world.publish("garbage", "unreadable", channel=channel)
    channel.connection.close()
    return expected


def converged(world, expected):
    rows = {row["message_id"]: (row["state"], row["refund"]) for row in world.rows("SELECT * FROM v_deduction")}
    return (rows == expected and not world.pending("camp") and world.left("camp") == 6000 - 80 and world.ready() == 0
            and world.value("SELECT count(*) FROM v_parked") >= 1)


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_killed_at(world, place, hit):
    expected = feed(world)
    worker = world.worker(environment={"BURSAR_FAILPOINT": f"{place}:{hit}"})
    try:
        assert worker.wait_died(8 if hit == 1 else 3) == -9
    except Exception:
        assert hit > 1, f"{place} was never reached: {worker.log()[-2000:]}"
        worker.kill()
    worker = world.worker()
    worker.wait_log("event=consuming")
    world.wait(f"convergence after {place}:{hit}", lambda: converged(world, expected), 30)
    assert worker.terminate() == 0
    assert world.ready() == 0, "something was not acknowledged"
    assert converged(world, expected)
    letters = world.dead_letters()
    assert {properties.headers["x-bursar-reason"] for properties, _ in letters} == {"malformed"}
    assert len(letters) <= 2, "a crash may park a message once more, not more often"
    row = world.rows("SELECT * FROM v_budget")[0]
    assert row["settled"] == 80
    meta = world.meta("camp")
    assert int(meta["deducted"]) == int(meta["settled"]) + int(meta["released"])
    # Killed or stopped between the mark and the forgetting, the guard of the refund without token stays: bytes, no harm.
    assert {field for field in meta if field.startswith("refund ")} <= {"refund older"}


def test_killed_again_and_again(world):
    """A crash during the recovery from a crash."""
    expected = feed(world)
    for place in PLACES * 2:
        worker = world.worker(environment={"BURSAR_FAILPOINT": place})
        try:
            worker.wait_died(3)
        except Exception:
            worker.kill()
    world.worker()
    world.wait("convergence", lambda: converged(world, expected), 30)


@pytest.mark.parametrize("place", ["deduct-done", "deduct-published"])
def test_producer_killed_and_run_again(world, place, tmp_path):
    file = tmp_path / "lines"
    file.write_text("".join(json.dumps({"message_id": f"p{i}", "budget_id": "camp", "amount": 1}) + "\n" for i in range(300)))
    done = world.run_all("deduct", "--json", "--from", str(file), environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -9
    answers = [json.loads(line) for line in world.run("deduct", "--json", "--from", str(file)).splitlines()]
    assert {answer["status"] for answer in answers} <= {"deducted", "repeat"}
    world.worker()
    world.wait("every id once", lambda: world.value("SELECT settled FROM v_budget") == 300 and not world.pending("camp"))
    assert world.left("camp") == 700


@pytest.mark.parametrize("place", ["credit-booked", "credit-applied"])
def test_top_up_killed(world, place):
    done = world.run_all("budget", "add", "camp", "50", "--credit-id", "c1", environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -9
    world.worker()
    world.wait("the credit to be applied", lambda: world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 1)
    assert world.left("camp") == 1050
    world.run("budget", "add", "camp", "50", "--credit-id", "c1")
    assert world.left("camp") == 1050
    assert world.value("SELECT total FROM v_budget") == 1050
