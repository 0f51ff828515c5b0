"""The worker reconciles by itself: drift becomes a metric and a line in the log, nothing is mended, and nothing waits for it."""
import fcntl
import signal
import time

import pytest

LAST_SUCCESS = "bursar_reconcile_last_success_timestamp_seconds"
NOT_MENDED = "bursar_reconcile_findings_not_mended"


def finding(kind):
    return f'bursar_reconcile_findings{{kind="{kind}"}}'


def runs(world, result):
    return world.metric(f'bursar_reconcile_runs_total{{result="{result}"}}')


def recorded(world):
    return world.value("SELECT count(*) FROM v_reconcile_run")


def sell(world, prefix, count=10, amount=3):
    channel = world.channel()
    for i in range(count):
        status, _, token = world.deduct("camp", f"{prefix}{i}", amount)
        assert status == 1
        world.publish({"message_id": f"{prefix}{i}", "budget_id": "camp", "amount": amount, "deducted_at": int(token)}, channel=channel)
    channel.connection.close()


def reload(world, worker, **settings):
    world.settings.update({f"reconcile.{key}": value for key, value in settings.items()})
    world.write_config()
    lines = worker.log().count("event=reloaded")
    worker.process.send_signal(signal.SIGHUP)
    world.wait("the reload", lambda: worker.log().count("event=reloaded") > lines)


def stops_at_once(worker):
    before = time.monotonic()
    assert worker.terminate() == 0
    return time.monotonic() - before < 3


@pytest.fixture
def checked(world):
    """(world, a worker that looks every second), 30 of 1000 units booked."""
    world.settings["reconcile.interval"] = 1
    world.write_config()
    worker = world.worker()
    worker.wait_log("event=consuming")
    sell(world, "s")
    world.wait_settled(10)
    world.wait_quiet()
    return world, worker


def test_drift_is_seen_and_left_alone(checked):
    world, worker = checked
    worker.wait_log("event=reconciled clean=yes complete=yes budgets=1")
    world.redis.incrby("budget:{camp}", 7)
    worker.wait_log(r'event=reconcile-found kind=left-drift budget=camp expected=970 actual=977 amount=7 money="may over-issue"')
    world.wait("the metric", lambda: world.metric(finding("left-drift")) == 1)
    assert world.metric(NOT_MENDED) == 1 and world.metric(finding("orphan")) == 0
    assert runs(world, "found") >= 1
    last = world.json("status")["reconcile"]
    assert (last["clean"], last["complete"], last["repair"], last["not_mended"]) == (False, True, False, 1)
    assert last["findings"]["left-drift"] == 1 and last["actor"].endswith(" (bursar run)")
    assert "1 not mended" in world.run("status") and "last reconcile" in world.run("status")
    assert world.left("camp") == 977 and world.value("SELECT count(*) FROM v_intervention") == 0

    def mended():  # a run of the worker's own may hold the lock just now
        return world.run_all("reconcile", "--repair").returncode == 0
    world.wait("the repair", mended)
    assert world.left("camp") == 970
    seen = worker.log().count("clean=yes")
    world.wait("clean runs", lambda: worker.log().count("clean=yes") > seen + 1)
    world.wait("the metric to go back", lambda: world.metric(finding("left-drift")) == 0 and world.metric(NOT_MENDED) == 0)
    assert time.time() - world.metric(LAST_SUCCESS) < 30
    assert world.json("status")["reconcile"]["clean"]
    assert stops_at_once(worker)


def test_the_log_names_twenty_and_counts_the_rest(world):
    for i in range(23):
        world.run("budget", "create", f"b{i}", "--total", "10")
        world.redis.incrby(f"budget:{{b{i}}}", 1)
    worker = world.worker("--set", "reconcile.interval=1")
    line = worker.wait_log("event=reconcile-found-more findings=(\\d+)")
    assert line[1] == "3" and worker.log()[:line.start()].count("event=reconcile-found ") == 20
    worker.wait_log("event=reconciled clean=no complete=yes budgets=24 rows=0 findings=23")
    world.wait("the metric", lambda: world.metric(NOT_MENDED) == 23)


def test_off_by_default_and_reloaded(world):
    worker = world.worker()
    worker.wait_log("event=consuming")
    assert world.json("status")["reconcile"] is None and "never" in world.run("status")
    time.sleep(3)
    assert recorded(world) == 0 and world.metric(LAST_SUCCESS) is None and runs(world, "clean") == 0
    reload(world, worker, interval=1)
    assert "restart-needed" not in worker.log()
    world.wait("a run", lambda: recorded(world) >= 2)
    reload(world, worker, interval=0)
    time.sleep(1)
    count = recorded(world)
    time.sleep(3)
    assert recorded(world) == count
    assert stops_at_once(worker)


def test_a_run_by_cron_is_in_the_workers_metrics(world):
    worker = world.worker()
    worker.wait_log("event=consuming")
    world.redis.incrby("budget:{camp}", 7)
    world.run("reconcile", status=1)
    world.wait("the metric", lambda: world.metric(NOT_MENDED) == 1)
    assert time.time() - world.metric(LAST_SUCCESS) < 30
    world.run("reconcile", "--repair")
    world.wait("what was mended", lambda: world.metric(NOT_MENDED) == 0)
    assert world.metric(finding("left-drift")) == 1, "found, and mended"
    assert "1 mended" in world.run("status")
    assert runs(world, "found") == 0, "none of its own"


def test_another_one_holds_the_lock(checked):
    world, worker = checked
    world.wait("a run", lambda: recorded(world) > 0)
    with open(world.ledger + ".reconcile-lock", "r+") as lock:
        world.wait("the lock", lambda: not fcntl.flock(lock, fcntl.LOCK_EX))
        count = recorded(world)
        time.sleep(3)
        assert recorded(world) == count
    world.wait("a run", lambda: recorded(world) > count)
    assert "reconcile-failed" not in worker.log() and "reconcile-skipped" not in worker.log()


def test_a_stop_does_not_wait_for_a_run(checked):
    world, worker = checked
    worker.wait_log("event=reconciled")
    token = world.value("SELECT deducted_at_us FROM v_deduction WHERE message_id = 's0'")
    world.redis.hset("budget:{camp}:pending", "s0", f"3:{token}")  # booked and pending: a finding once that has lasted for 5 seconds

    def waits():
        before = worker.log().count("event=reconciled")
        time.sleep(2)
        return worker.log().count("event=reconciled") == before
    world.wait("a run that waits", waits)
    count = recorded(world)
    before = time.monotonic()
    assert worker.terminate() == 0
    assert time.monotonic() - before < 2
    assert recorded(world) == count and "reconcile-failed" not in worker.log()
    world.run("reconcile", status=1)  # and not 75: the lock is free


def test_traffic_makes_no_findings(checked):
    world, worker = checked
    world.run("budget", "add", "camp", "1000000")
    until = time.monotonic() + 8
    batch = 0
    while time.monotonic() < until:
        sell(world, f"t{batch}-", 5, 1)
        batch += 1
    world.wait_settled(10 + 5 * batch)
    assert recorded(world) >= 3
    assert "reconcile-found" not in worker.log(), worker.log()[-3000:]
    assert runs(world, "found") == 0 and runs(world, "failed") == 0
    # In the middle of a run, too.
    assert stops_at_once(worker)


def test_a_redis_that_hangs_delays_no_stop_beyond_its_timeout(checked):
    world, worker = checked
    world.wait("a run", lambda: recorded(world) > 0)
    world.redis_server.pause()
    try:
        time.sleep(1.5)
        before = time.monotonic()
        assert worker.terminate() == 0
        assert time.monotonic() - before < 5
    finally:
        world.redis_server.resume()


@pytest.mark.parametrize("away", ["redis", "broker"])
def test_a_service_that_goes_away(checked, away):
    world, worker = checked
    server = world.redis_server if away == "redis" else world.rabbit
    world.wait("a run", lambda: recorded(world) > 0)
    server.stop()
    try:
        if away == "redis":
            worker.wait_log("event=reconcile-failed")
        else:
            count = recorded(world)
            world.wait("runs that need no broker", lambda: recorded(world) > count + 1)
        assert worker.running()
    finally:
        server.start()
    seen = worker.log().count("clean=yes")
    world.wait("a clean run", lambda: worker.log().count("clean=yes") > seen, 60)
    world.wait("to consume", lambda: world.metric('bursar_component_up{component="broker"}') == 1
               and world.metric('bursar_component_up{component="redis"}') == 1, 60)
    assert stops_at_once(worker)


def test_orphans_wait_for_the_broker(world):
    world.settings.update({"reconcile.interval": 1, "reconcile.orphan_after": 0})
    world.write_config()
    worker = world.worker()
    worker.wait_log("event=consuming")
    world.deduct("camp", "crashed", 20)
    worker.wait_log("event=reconcile-found kind=orphan budget=camp message=crashed amount=20")
    world.rabbit.stop()
    try:
        worker.wait_log("event=reconcile-notice .*queue cannot be seen")
        worker.wait_log("event=reconciled clean=yes complete=no")
        world.wait("it to be counted", lambda: runs(world, "incomplete") >= 1)
    finally:
        world.rabbit.start()
    worker.wait_log("event=broker-lost(.|\n)*event=consuming", 60)
    assert world.pending("camp"), "the worker mends nothing"
