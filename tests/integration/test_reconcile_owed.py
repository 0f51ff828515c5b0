"""`bursar reconcile` on real servers: credits and refunds that are owed, forgotten, or in a stock that is made anew."""
import pytest

from test_reconcile import camp, equations_hold, plant_and_mend, publish_deducted, reconcile, sell  # noqa: F401


def test_what_has_no_token_and_was_given_back_hides_nothing(camp):
    """A discarded letter: the stock is as if it had never been sold, and is compared as before."""
    camp.publish({"message_id": "bad", "budget_id": "camp", "amount": "x"})
    worker = camp.worker()
    camp.wait("the letter", lambda: camp.value("SELECT count(*) FROM v_parked") == 1)
    worker.terminate()
    camp.run("dlq", "discard", "--yes")
    assert camp.rows("SELECT deducted_at_us, state FROM v_deduction WHERE message_id = 'bad'") == [{"deducted_at_us": None, "state": "voided"}]
    assert reconcile(camp)["clean"]
    for units in (250, -250):
        camp.redis.incrby(camp.keys("camp")[0], units)
        plant_and_mend(camp, ["left-drift"], expected={"expected": 970, "amount": units})


def test_more_than_sales_without_token_explain(camp):
    """They lower the stock, and never raise it: what is beyond the totals is too much."""
    camp.redis.decrby(camp.keys("camp")[0], 10)
    camp.publish({"message_id": "older", "budget_id": "camp", "amount": 10})
    worker = camp.worker()
    camp.wait_settled(11)
    camp.wait_quiet()
    worker.terminate()
    assert [f["kind"] for f in reconcile(camp)["findings"]] == ["untracked"]
    camp.redis.incrby(camp.keys("camp")[0], 250)
    found = reconcile(camp, "--repair")["findings"]
    assert [(f["kind"], f["amount"]) for f in found] == [("left-drift", 240), ("untracked", 10)]
    assert camp.left("camp") == 970, "10 of it are what the sale without token would explain"
    assert [f["kind"] for f in reconcile(camp)["findings"]] == ["untracked"]


@pytest.fixture
def owed(camp):
    """An older producer took 10 without token, the budget was closed, and the worker died before it gave them back."""
    camp.run("budget", "close", "camp")
    camp.redis.decrby(camp.keys("camp")[0], 10)
    camp.publish({"message_id": "older", "budget_id": "camp", "amount": 10})
    camp.worker(environment={"BURSAR_FAILPOINT": "release-begin"}).wait_died()
    assert camp.value("SELECT refund FROM v_deduction WHERE message_id = 'older'") == "due"
    return camp


def lose(world, everything):
    if everything:
        world.redis.flushall()
    else:
        world.redis.delete(world.keys("camp")[0])


def refund_of(world):
    return world.value("SELECT refund FROM v_deduction WHERE message_id = 'older'")


@pytest.mark.parametrize("everything", [True, False], ids=["all", "stock"])
def test_refund_without_token_is_in_a_stock_that_is_made_anew(owed, everything):
    """The run that rebuilds does not give it back once more, and a worker that read of it before finds its guard."""
    lose(owed, everything)
    assert reconcile(owed, "--repair")["findings"][0]["kind"] == "missing-key"
    assert owed.left("camp") == 970 and refund_of(owed) == "done"
    assert owed.script("refund_untracked")(keys=owed.keys("camp"), args=["600", "older", "10", "rejected"]) == [0, "970"]
    assert reconcile(owed)["clean"]


@pytest.mark.parametrize("everything", [True, False], ids=["all", "stock"])
@pytest.mark.parametrize("place", ["repair-journaled:1", "repair-made:1", "repair-journaled:2", "repair-made:2"])
def test_refund_without_token_and_a_rebuild_that_dies(owed, everything, place):
    """Wherever it dies, the worker pays nothing into the new stock, and the next run makes it."""
    lose(owed, everything)
    owed.run_all("reconcile", "--repair", environment={"BURSAR_FAILPOINT": place})
    made = place == "repair-made:2"
    assert owed.left("camp") == (970 if made else None)
    worker = owed.worker()
    owed.wait("the refund to be marked", lambda: refund_of(owed) == "done")
    worker.terminate()
    assert owed.left("camp") == (970 if made else None)
    reconcile(owed, "--repair")
    assert owed.left("camp") == 970 and reconcile(owed)["clean"]
    assert not [row for row in owed.rows("SELECT state FROM v_intervention") if row["state"] == "begun"]


def test_refund_that_redis_forgot(world):
    """Restored from a dump that is older than the refund: the entry is back, the row says done."""
    _, _, token = world.deduct("camp", "late", 4)
    keys = {key: world.redis.dump(key) for key in world.redis.scan_iter("budget:*")}
    world.run("budget", "delete", "camp")
    publish_deducted(world, "late", 4, int(token))
    worker = world.worker()
    world.wait_settled(1)
    world.wait_quiet()
    worker.terminate()
    world.redis.flushall()
    for key, value in keys.items():
        world.redis.restore(key, 0, value)
    plant_and_mend(world, ["refund-due"], expected={"message_id": "late", "amount": 4})
    assert world.left("camp") == 1000


def test_credit_due(camp):
    camp.run_all("budget", "add", "camp", "50", "--credit-id", "topup", environment={"BURSAR_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert camp.value("SELECT applied FROM v_credit WHERE credit_id = 'topup'") == 0
    plant_and_mend(camp, ["credit-due"], expected={"credit_id": "topup", "amount": 50})
    assert camp.left("camp") == 1020


def test_credit_that_redis_forgot(camp):
    """Restored from a dump that is older than a top-up."""
    keys = {key: camp.redis.dump(key) for key in camp.redis.scan_iter("budget:*")}
    camp.run("budget", "add", "camp", "50", "--credit-id", "topup")
    camp.redis.flushall()
    for key, value in keys.items():
        camp.redis.restore(key, 0, value)
    plant_and_mend(camp, ["credit-due"], expected={"credit_id": "topup", "amount": 50})
    assert camp.left("camp") == 1020


def test_credit_and_what_was_sold_of_it_that_redis_forgot(world):
    """Restored from a dump from before a top-up and the sales of it: one repair, to the unit."""
    world.run("budget", "create", "grown", "--total", "50")
    keys = {key: world.redis.dump(key) for key in world.redis.scan_iter("budget:{grown}*")}
    world.run("budget", "add", "grown", "1000", "--credit-id", "topup")
    sell(world, 30, 10, budget="grown")
    world.redis.delete(*world.keys("grown"))
    for key, value in keys.items():
        world.redis.restore(key, 0, value)
    due, drift = sorted(plant_and_mend(world, ["credit-due", "left-drift"], budget="grown"), key=lambda f: f["kind"])
    assert (due["credit_id"], due["amount"], drift["amount"], drift["actual"]) == ("topup", 1000, 300, 50)
    assert world.left("grown") == 750


def test_top_up_of_a_budget_that_redis_lost(camp):
    """The top-up makes the key anew, and with nothing but itself in it."""
    sell(camp, 27, 10, prefix="t")
    camp.redis.flushall()
    camp.run("budget", "add", "camp", "50")
    assert camp.left("camp") == 50
    plant_and_mend(camp, ["credit-due", "left-drift"])
    assert camp.left("camp") == 750


def test_credits_that_only_their_ids_are_lost_of(camp):
    """The stock and the totals have them: nothing is added again."""
    camp.redis.delete(camp.keys("camp")[5])
    found = reconcile(camp, "--repair", "--max-repair", "0")["findings"]
    assert [(f["kind"], f["amount"], f["mended"]) for f in found] == [("credit-due", 1000, True)]
    assert reconcile(camp)["clean"] and equations_hold(camp) == (30, 0)
    assert camp.left("camp") == 970
    done = camp.rows("SELECT subject, state, amount FROM v_intervention WHERE kind = 'repair'")
    assert [tuple(row.values()) for row in done] == [("left-drift", "done", 0), ("credit-due", "done", 1000)]
