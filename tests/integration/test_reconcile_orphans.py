"""What `bursar reconcile` takes for an orphan on real servers: what the worker says it holds, and what lies in the dead-letter queue."""
import json

import pika
import pytest

from test_reconcile import NOTHING_WAITS, camp, equations_hold, publish_deducted, reconcile  # noqa: F401


def test_what_a_lost_connection_holds_is_no_orphan(camp):  # noqa: F811
    """The broker still counts the worker's lost connection, here played by a consumer that never acknowledges; the worker itself has nothing in its
    hands, because it is connecting again."""
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "held", 20)
    publish_deducted(camp, "held", 20, int(token))
    lost = camp.channel()
    lost.basic_consume("bursar.deductions", lambda *_: None)
    camp.wait("the lost connection to hold it", lambda: camp.ready() == 0)
    worker = camp.worker("--set", "amqp.url=amqp://guest:guest@127.0.0.1:1/%2f")
    worker.wait_log("event=broker-")
    assert reconcile(camp, "--repair")["clean"] and "held" in camp.pending("camp")
    assert camp.json("status")["held"] is None
    worker.terminate()
    lost.connection.close()
    camp.worker()
    camp.wait_settled(11)
    camp.wait_quiet()
    assert camp.value("SELECT settled FROM v_budget") == 50 and reconcile(camp)["clean"]


def park(world, message_id, budget="camp", token=None):
    """As the broker sets a message aside: the ledger knows nothing of it."""
    channel = world.channel()
    body = {"message_id": message_id, "budget_id": budget, "amount": 1, **({"deducted_at": int(token)} if token else {})}
    channel.basic_publish("bursar.dlx", "deduction", json.dumps(body).encode(), pika.BasicProperties(delivery_mode=2))
    channel.connection.close()
    world.wait("the letter to arrive", lambda: world.ready("bursar.deductions.dlq") > 0)


def deliveries(world):
    """How often the only dead letter was given out and came back; asking is one more."""
    [(properties, _)] = world.dead_letters()
    return (properties.headers or {}).get("x-delivery-count", 0)


def suspects(world, count):
    """Budgets with one entry each that is booked nowhere; that of the last one is a dead letter."""
    world.settings.update(NOTHING_WAITS)
    world.write_config()
    for i in range(count):
        world.run("budget", "create", f"b{i}", "--total", "10")
        _, _, token = world.deduct(f"b{i}", f"o{i}", 1)
    park(world, f"o{count - 1}", f"b{count - 1}", token)


def test_a_run_that_only_looks_walks_through_the_dead_letters_once(world):
    """Each walk is a delivery of every letter, and RabbitMQ 4 drops those that had too many."""
    suspects(world, 8)
    found = reconcile(world, status=1)
    assert [(f["kind"], f["message_id"]) for f in found["findings"]] == [("orphan", f"o{i}") for i in range(7)]
    assert deliveries(world) == 1
    reconcile(world, "--repair")
    assert deliveries(world) == 2 + 8, "a void wants a look that is younger than what it takes for an orphan"
    assert list(world.pending("b7")) == ["o7"] and reconcile(world)["clean"]


def test_each_run_of_the_worker_walks_anew(world):
    suspects(world, 4)
    worker = world.worker("--set", "reconcile.interval=1")
    world.wait("some runs", lambda: world.value("SELECT count(*) FROM v_reconcile_run") >= 3)
    assert worker.terminate() == 0
    recorded = world.value("SELECT count(*) FROM v_reconcile_run")
    assert recorded <= deliveries(world) <= recorded + 1  # the last one was perhaps given up
    assert "message=o2" in worker.log() and "message=o3" not in worker.log()


def test_letters_that_came_back_often_are_told(world):
    suspects(world, 1)
    assert "came back" not in world.run_all("reconcile").stderr
    while deliveries(world) < 9:
        pass
    warning = "queue bursar.deductions.dlq: a message came back 10 times; RabbitMQ 4 drops it after 20, unless a policy sets delivery-limit -1"
    done = world.run_all("reconcile")
    assert done.returncode == 0 and done.stderr.count(f"bursar: reconcile: {warning}") == 1, done.stderr
    assert f"bursar: dlq list: {warning.replace(' 10 ', ' 11 ')}" in world.run_all("dlq", "list").stderr
    worker = world.worker("--set", "reconcile.interval=1")
    worker.wait_log("event=reconcile-notice detail=.*came back 12 times")


@pytest.mark.parametrize("policy", ["refund", "settle"])
def test_orphans_of_an_oversold_budget_are_not_held_back(world, policy):
    """The stock was raised by hand, and sold: nothing can be right before the orphan is given back, so that does not wait for it."""
    world.settings.update({**NOTHING_WAITS, "reconcile.orphans": policy})
    world.write_config()
    world.run("budget", "create", "small", "--total", "10")
    world.redis.incr(world.keys("small")[0])
    _, _, token = world.deduct("small", "sold", 4)
    publish_deducted(world, "sold", 4, int(token), budget="small")
    worker = world.worker()
    world.wait_settled(1)
    world.wait_quiet()
    assert worker.terminate() == 0
    assert world.deduct("small", "gone", 7)[1] == "0"
    for _ in range(3):
        done = world.run_all("reconcile", "--budget", "small", "--repair", "--json")
        if json.loads(done.stdout)["clean"]:
            break
    assert done.returncode == 0, done.stdout
    assert world.left("small") == 6 and equations_hold(world, "small") == (4, 0)
    assert not world.pending("small")


def test_what_is_left_of_an_oversold_budget_is_told_once(world):
    """After an orphan the budget is measured once more, but what was found of it is not found again."""
    world.settings.update(NOTHING_WAITS)
    world.write_config()
    world.run("budget", "create", "small", "--total", "10")
    world.redis.incrby(world.keys("small")[0], 2)
    assert [world.deduct("small", name, amount)[0] for name, amount in (("gone1", 7), ("gone2", 5))] == [1, 1]
    found = reconcile(world, "--budget", "small", "--repair", "--max-repair", "7", status=1)["findings"]
    assert [(f["message_id"], f["mended"]) for f in found if f["kind"] == "orphan"] == [("gone1", True), ("gone2", False)], found
