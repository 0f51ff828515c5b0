"""Two faults that meet: a crash during the recovery from an outage, an outage during the recovery from a crash."""
import os
import signal

from matrix import Row, rows
from test_ledger import write_lock


def killed_while_locked(stage):
    """The ledger is locked, the worker is killed, starts against the lock, and is killed again when it gets in."""
    with write_lock(stage):
        stage.wait_event("ledger-failed")
        stage.kill_worker()
        stage.start_worker(wait=False, BURSAR_FAILPOINT="settle-after-commit")
        stage.traffic.wait_count(60)
    assert stage.worker.wait_died() == -9
    stage.start_worker()


def redis_down_while_restarting(stage):
    """The worker dies with refunds under way, starts without Redis, and dies again in the middle of the refunds when Redis is back."""
    stage.kill_worker()
    stage.start_worker(BURSAR_FAILPOINT="release-begin:3")
    assert stage.worker.wait_died() == -9
    with stage.traffic.paused():
        stage.world.redis_server.kill()
        stage.start_worker(wait=False, BURSAR_FAILPOINT="release-sent")
        stage.wait_event("redis-unavailable")
        stage.world.redis_server.start()
        assert stage.worker.wait_died() == -9
    stage.start_worker()


def broker_down_at_start_and_redis_killed(stage):
    """Neither the broker nor Redis nor a ledger: it waits for all of them."""
    world = stage.world
    stage.kill_worker()
    with stage.traffic.paused():
        world.rabbit.stop()
        stage.start_worker(wait=False)
        stage.wait_event("broker-unreachable")
        world.redis_server.kill()
        stage.kill_worker()
        os.rename(world.ledger, world.ledger + ".away")
        stage.start_worker(wait=False)
        for event in ("broker-unreachable", "redis-unavailable", "ledger-unavailable"):
            stage.wait_event(event)
        assert world.http("/livez")[0] == 200
        assert world.http("/readyz")[0] == 503
        os.rename(world.ledger + ".away", world.ledger)
        world.rabbit.start()
        stage.wait_event("consuming", 1, 60)
        world.redis_server.start()


def killed_during_drain(stage):
    """SIGTERM, and SIGKILL before it is done."""
    with write_lock(stage):
        stage.traffic.wait_count(60)
        stage.worker.process.send_signal(signal.SIGTERM)
        stage.worker.wait_log("event=draining")
        stage.kill_worker()
    stage.start_worker()


def drain_times_out(stage):
    """It is told to stop while the ledger is locked: it stops in time, and what it held goes back."""
    with write_lock(stage):
        stage.traffic.wait_count(60)
        assert stage.worker.terminate(20) in (0, 75)
    stage.start_worker()


def everything_killed(stage):
    """A machine that dies: worker, broker and Redis at once."""
    stage.kill_worker()
    stage.world.redis_server.kill()
    stage.world.rabbit.crash()
    stage.world.rabbit.start()
    stage.start_worker(wait=False)
    stage.wait_event("redis-unavailable")
    stage.world.redis_server.start()
    stage.wait_event("consuming")


def cut_during_the_recovery(stage):
    """The broker comes back, and the first thing it delivers breaks off; three times, while Redis is away."""
    stage.world.redis_server.kill()
    stage.wait_event("redis-(failed|unavailable)")
    for _ in range(3):
        cut = stage.broker.cut("to the client", 60, b"\x00\x3c\x00\x3c")
        stage.broker.cut_all()
        stage.world.publish("{", f"bait-{id(cut)}")
        stage.traffic.expected_parked["malformed", f"bait-{id(cut)}"] = 1
        cut.wait()
    stage.world.redis_server.start()


def crash_loop(stage):
    """Eight crashes one after another, each as soon as it consumes; the broker counts deliveries, and none is given up."""
    for place in ("ack-begin", "settle-before-commit", "park-confirmed", "tell-begin") * 2:
        stage.kill_worker()
        stage.start_worker(wait=False, BURSAR_FAILPOINT=place)
        assert stage.worker.wait_died() == -9
    stage.start_worker()


ROWS = [
    Row("ledger locked, and killed twice", killed_while_locked, "as after one crash", parked_again=2),
    Row("killed in the refunds, Redis down at the restart, killed in the refunds", redis_down_while_restarting,
        "each is refunded once", parked_again=4),
    Row("broker down at the start, Redis killed, ledger away", broker_down_at_start_and_redis_killed, "waits for all, alive and not ready",
        parked_again=3),
    Row("killed during the drain", killed_during_drain, "what was held comes again", parked_again=1),
    Row("told to stop while the ledger is locked", drain_times_out, "stops in time; what was held comes again", parked_again=1,
        settings={"worker.drain_timeout": 3}),
    Row("worker, broker and Redis killed at once", everything_killed, "as after each alone", parked_again=2),
    Row("connection cut at each recovery while Redis is away", cut_during_the_recovery, "as after each alone", parked_again=6, full=True),
    Row("eight crashes in a row", crash_loop, "nothing is dead-lettered by the broker", parked_again=16),
]


@rows(ROWS)
def test_meeting(proxied, row):
    proxied.play(row)
