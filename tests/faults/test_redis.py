"""Redis goes away, refuses, is busy. Nothing of it may hold up a booking, and afterwards Redis is told everything it missed."""
import os
import threading
import time

from matrix import Row, rows
from test_broker import ready


def backlog(stage, count=60):
    """Deductions that the worker has not seen yet, of every kind: what a Redis that does not help must not hold up."""
    stage.kill_worker()
    stage.traffic.wait_count(count)


def booked_all(stage):
    world, traffic = stage.world, stage.traffic
    world.wait("the backlog to be booked", lambda: world.value("SELECT count(*) FROM v_deduction") >= len(traffic.went_in()))


def away(stage):
    backlog(stage)
    with stage.traffic.paused():
        stage.world.redis_server.kill()
        stage.start_worker()
        booked_all(stage)
        ready(stage, 503, "redis")
        assert stage.world.http("/livez")[0] == 200
        assert stage.world.value("SELECT count(*) FROM v_deduction WHERE refund = 'due'") > 0
        stage.world.redis_server.start()
    ready(stage, 200)


def dies_in_silence(stage):
    """While there is nothing to tell it, so that no call of the worker's fails."""
    with stage.traffic.paused():
        stage.world.wait("the worker to have nothing to do", lambda: stage.world.ready() == 0)
        stage.world.redis_server.kill()
        ready(stage, 503, "redis")
        stage.world.redis_server.start()
        ready(stage, 200)


def killed_and_restarted(stage):
    """Three times, under appendfsync everysec: what a process wrote outlives it."""
    for _ in range(3):
        stage.world.redis_server.kill()
        stage.world.redis_server.start()
        stage.traffic.wait_count(30)


def scripts_flushed(stage):
    for _ in range(20):
        stage.world.redis.script_flush()
        stage.traffic.wait_count(3)


def refusing(begin, end):
    """Redis answers every write with an error while there is a backlog to settle and to refund."""
    def fault(stage):
        backlog(stage)
        begin(stage)
        try:
            stage.start_worker()
            stage.world.wait("the backlog to be booked",
                             lambda: stage.world.value("SELECT count(*) FROM v_deduction") >= len(stage.traffic.went_in()) - 10)
            stage.wait_event("redis-(failed|unavailable|up)")
        finally:
            end(stage)
    return fault


def no_memory(stage):
    stage.world.redis.config_set("maxmemory", "1")


def memory(stage):
    stage.world.redis.config_set("maxmemory", "0")


def read_only(stage):
    stage.world.redis.replicaof("127.0.0.1", "1")


def writable(stage):
    stage.world.redis.replicaof("no", "one")


def snapshot_path(stage):
    return os.path.join(stage.world.redis_server.folder, "dump.rdb")


def snapshots_fail(stage):
    os.mkdir(snapshot_path(stage))  # where the snapshot should go
    for key, value in (("save", "1 1"), ("stop-writes-on-bgsave-error", "yes")):
        stage.world.redis.config_set(key, value)
    stage.world.wait("the failing save", lambda: "err" in stage.world.redis.info("persistence")["rdb_last_bgsave_status"])


def snapshots_succeed(stage):
    os.rmdir(snapshot_path(stage))
    for key, value in (("save", ""), ("stop-writes-on-bgsave-error", "no")):
        stage.world.redis.config_set(key, value)


def busy(stage):
    """Somebody's script runs for ever; Redis answers BUSY until it is ended."""
    world = stage.world
    world.redis.config_set("busy-reply-threshold", "100")

    def run():
        try:
            world.redis.eval("while true do end", 0)
        except Exception:  # ended below
            pass
    threading.Thread(target=run, daemon=True).start()
    world.wait("Redis to be busy", lambda: world.redis_server.command("PING").startswith("-BUSY"))


def idle(stage):
    server = stage.world.redis_server
    assert server.command("SCRIPT", "KILL") == "+OK"
    stage.world.wait("the script to end", lambda: server.command("PING") == "+PONG")
    stage.world.redis.config_set("busy-reply-threshold", "5000")


def loading(stage):
    """Seconds of LOADING after a restart, with a backlog that must be booked meanwhile."""
    world = stage.world
    backlog(stage)
    with stage.traffic.paused():
        with world.redis.pipeline() as pipeline:
            for i in range(12000):
                pipeline.set(f"ballast:{i}", "x")
            pipeline.execute()
        world.redis_server.stop()
        world.redis_server.options = ["--key-load-delay", "250"]  # microseconds a key
        starting = threading.Thread(target=world.redis_server.start)
        starting.start()
        stage.start_worker()
        booked_all(stage)
        stage.worker.wait_log("LOADING")
        starting.join()
        world.redis_server.options = []


def slow(stage):
    """Every piece of every answer comes 0.3 s later: below the timeout, and far above what is usual."""
    stage.redis.delay = 0.3
    stage.traffic.wait_count(200)
    time.sleep(1)
    stage.redis.delay = 0


ROWS = [
    Row("away while there is a backlog", away, "everything is booked; refunds wait in the ledger, pendings for the clean-up", parked_again=1),
    Row("dies while there is nothing to tell it", dies_in_silence, "noticed within seconds, by /readyz too"),
    Row("killed (SIGKILL) and started, three times", killed_and_restarted, "told afterwards"),
    Row("scripts flushed again and again", scripts_flushed, "loaded again and repeated"),
    Row("out of memory", refusing(no_memory, memory), "what frees memory is done, the rest later", parked_again=1),
    Row("read-only", refusing(read_only, writable), "booked; settled and refunded when it is writable", parked_again=1),
    Row("refuses writes because snapshots fail", refusing(snapshots_fail, snapshots_succeed), "the same", parked_again=1),
    Row("busy with somebody's script", refusing(busy, idle), "the same", parked_again=1),
    Row("loading its data", loading, "booked meanwhile; told afterwards", parked_again=1),
    Row("slow", slow, "holds up no acknowledgement"),
]


@rows(ROWS)
def test_redis(proxied, row):
    proxied.play(row)
