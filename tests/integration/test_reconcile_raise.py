"""`bursar reconcile --repair` where the stock is to be raised: not by what a message in the queue, or in a worker's hands, has taken."""
import contextlib
import json
import sqlite3
import subprocess
import time

import pytest

from test_reconcile import camp, equations_hold, publish_deducted, reconcile  # noqa: F401


@pytest.mark.parametrize("lost, kind", [("entry", "left-drift"), ("everything", "missing-key")])
def test_what_is_booked_while_the_queue_is_waited_for(camp, lost, kind):
    """A worker holds the message of a deduction that Redis forgot, and its ledger is locked; the run reads both sides, waits for the
    queue, and only then the message is booked. Its amount must not be given out again."""
    worker = camp.worker()
    worker.wait_log("event=started")
    with contextlib.closing(sqlite3.connect(camp.ledger, isolation_level=None, timeout=30)) as link:
        link.execute("BEGIN IMMEDIATE")
        _, _, token = camp.deduct("camp", "held", 100)
        publish_deducted(camp, "held", 100, int(token))
        camp.wait("it to be held", lambda: camp.metric("bursar_deliveries_held") == 1)
        if lost == "entry":
            camp.redis.hdel(camp.keys("camp")[1], "held")
        else:
            camp.redis.flushall()
        run = subprocess.Popen([camp.bursar, "reconcile", "-c", camp.config, "--repair", "--json"], stdout=subprocess.PIPE, text=True)
        time.sleep(1.5)
        assert run.poll() is None, "it waits for the queue"
        link.execute("ROLLBACK")
    found = json.loads(run.communicate(timeout=60)[0])
    assert run.returncode == 0 and found["complete"], found
    assert [f["kind"] for f in found["findings"]] == [kind], found
    assert camp.left("camp") == 870 and camp.value("SELECT settled FROM v_budget") == 130
    assert reconcile(camp)["clean"]
    equations_hold(camp)


def test_an_older_producer_that_sells_for_the_first_time(camp):
    """Its deduction is in nothing but the stock before its message is booked. That there are such producers another budget tells."""
    camp.run("budget", "create", "old", "--total", "10")
    camp.redis.decrby(camp.keys("old")[0], 1)
    camp.publish({"message_id": "known", "budget_id": "old", "amount": 1})
    worker = camp.worker()
    camp.wait_settled(11)
    assert worker.terminate() == 0
    camp.redis.decrby(camp.keys("camp")[0], 10)
    camp.publish({"message_id": "older", "budget_id": "camp", "amount": 10})
    for words in ((), ("--repair",)):
        found = reconcile(camp, "--budget", "camp", *words, status=1)
        assert [(f["kind"], f["amount"], f["mended"]) for f in found["findings"]] == [("left-drift", -10, False)]
    camp.worker()
    camp.wait_settled(12)
    found = reconcile(camp, "--budget", "camp", "--repair")
    assert found["clean"] and [f["kind"] for f in found["findings"]] == ["untracked"], found
    assert camp.left("camp") == 960 and camp.value("SELECT settled FROM v_budget WHERE id = 'camp'") == 40
