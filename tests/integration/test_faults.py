"""Services that go away, fill up, lock, forget: nothing acknowledged that is not durable, one clear line, and it goes on by itself."""
import os
import sqlite3
import subprocess
import threading
import time

import pytest


def publish_deducted(world, count, prefix, channel=None):
    own = channel is None
    channel = channel or world.channel()
    for i in range(count):
        status, _, token = world.deduct("camp", f"{prefix}-{i}", 1)
        assert status == 1
        world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, f"{prefix}-{i}", channel=channel)
    if own:
        channel.connection.close()


def consuming(world, **options):
    worker = world.worker(**options)
    worker.wait_log("event=consuming")
    return worker


def test_redis_down_and_back(world):
    worker = consuming(world)
    publish_deducted(world, 50, "before")
    world.wait_settled(50)
    world.wait_quiet()
    channel = world.channel()
    tokens = [(f"d-{i}", world.deduct("camp", f"d-{i}", 1)[2]) for i in range(20)]
    world.redis_server.kill()
    for message_id, token in tokens:
        world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, message_id, channel=channel)
    world.wait_settled(70)  # bookings go on
    world.wait("readyz to say that Redis is away", lambda: world.http("/readyz")[0] == 503 and "redis" in world.http("/readyz")[1])
    assert world.http("/livez")[0] == 200
    world.redis_server.start()
    world.wait("the clean-up of pendings", lambda: not world.pending("camp"), 40)
    assert world.left("camp") == 930
    assert worker.terminate() == 0


def test_redis_dies_while_nothing_happens(world):
    worker = consuming(world)
    up = 'bursar_component_up{component="redis"}'
    world.wait("Redis to be seen", lambda: world.metric(up) == 1)
    world.redis_server.kill()
    world.wait("the idle worker to notice", lambda: world.metric(up) == 0, 30)
    world.redis_server.start()
    world.wait("Redis to be seen again", lambda: world.metric(up) == 1, 30)
    assert worker.terminate() == 0


def test_broker_down_and_back(world):
    worker = consuming(world)
    publish_deducted(world, 50, "before")
    world.wait_settled(50)
    world.rabbit.stop()
    worker.wait_log("event=broker-(lost|unreachable)")
    world.wait("readyz to fail", lambda: world.http("/readyz")[0] == 503)
    world.rabbit.start()
    publish_deducted(world, 50, "after")
    world.wait_settled(100)
    world.wait_quiet()
    assert worker.terminate() == 0


def test_worker_starts_before_everything_else(world):
    world.redis_server.kill()
    world.rabbit.stop()
    os.rename(world.ledger, world.ledger + ".away")
    worker = world.worker()
    worker.wait_log("event=ledger-unavailable.*bursar init")
    worker.wait_log("event=redis-unavailable")
    worker.wait_log("event=broker-unreachable")
    assert world.http("/livez")[0] == 200
    assert world.http("/readyz")[0] == 503
    os.rename(world.ledger + ".away", world.ledger)
    world.redis_server.start()
    world.rabbit.start()
    worker.wait_log("event=consuming", 60)
    world.wait("readyz", lambda: world.http("/readyz")[0] == 200, 60)
    assert worker.terminate() == 0


def test_memory_alarm(world):
    worker = consuming(world)
    publish_deducted(world, 20, "before")
    world.publish("unreadable 1")
    world.wait("parking", lambda: world.value("SELECT count(*) FROM v_parked") == 1)
    connection_channel = world.channel()
    tokens = [(f"a-{i}", world.deduct("camp", f"a-{i}", 1)[2]) for i in range(20)]
    world.publish("unreadable 2", channel=connection_channel)
    for message_id, token in tokens:
        world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, message_id, channel=connection_channel)
    world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1kB")
    try:
        world.wait_settled(40)  # the consumer does not publish, so the alarm does not hold it up
    finally:
        world.rabbit.ctl("set_vm_memory_high_watermark", "0.6")
    world.wait("the second parking", lambda: world.value("SELECT count(*) FROM v_parked") == 2, 60)
    assert worker.terminate() == 0
    assert world.ready() == 0
    assert len(world.dead_letters()) == 2


def test_queue_deleted(world):
    worker = consuming(world)
    publish_deducted(world, 10, "before")
    world.wait_settled(10)
    channel = world.channel()
    channel.queue_delete("bursar.deductions")
    worker.wait_log("event=consumer-cancelled")
    world.wait("the queue to be declared and consumed again", lambda: worker.log().count("event=consuming") == 2)
    publish_deducted(world, 10, "after")
    world.wait_settled(20)
    assert worker.terminate() == 0


def test_dead_letter_queue_deleted(world):
    worker = consuming(world)
    channel = world.channel()
    channel.queue_delete("bursar.deductions.dlq")
    world.publish("unreadable", "u1")
    world.wait("parking", lambda: world.value("SELECT count(*) FROM v_parked") == 1)
    assert worker.terminate() == 0
    assert [properties.message_id for properties, _ in world.dead_letters()] == ["u1"]


def test_script_flush_in_the_middle(world):
    worker = consuming(world)
    for round_ in range(5):
        publish_deducted(world, 20, f"r{round_}")
        world.redis.script_flush()
    world.wait_settled(100)
    world.wait_quiet()
    assert world.left("camp") == 900
    assert worker.terminate() == 0


@pytest.mark.parametrize("fault", ["oom", "readonly", "misconf"])
def test_redis_refuses_writes(world, fault):
    worker = consuming(world)
    publish_deducted(world, 10, "before")
    world.wait_settled(10)
    world.wait_quiet()
    channel = world.channel()
    status, _, token = world.deduct("camp", "during", 1)
    # A rejected one must be refunded: that needs Redis.
    world.redis.incrby(world.keys("camp")[0], 5000)
    _, _, big = world.deduct("camp", "big", 5000)
    if fault == "oom":
        world.redis.config_set("maxmemory", "1")
    elif fault == "readonly":
        world.redis.replicaof("127.0.0.1", "1")
    else:
        snapshot = os.path.join(world.redis_server.folder, "dump.rdb")
        os.mkdir(snapshot)  # where the snapshot should go
        world.redis.config_set("save", "1 1")
        world.redis.config_set("stop-writes-on-bgsave-error", "yes")
        world.redis.set("touch", "1")
        world.wait("the failing save", lambda: "err" in world.redis.info("persistence")["rdb_last_bgsave_status"])
    world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, "during", channel=channel)
    world.publish({"budget_id": "camp", "amount": 5000, "deducted_at": int(big)}, "big", channel=channel)
    world.wait_settled(12)
    time.sleep(1.5)
    assert worker.running()
    if fault == "oom":
        world.redis.config_set("maxmemory", "0")
    elif fault == "readonly":
        assert world.value("SELECT refund FROM v_deduction WHERE message_id = 'big'") == "due"
        world.redis.replicaof("no", "one")
    else:
        os.rmdir(snapshot)
        world.redis.config_set("save", "")
        world.redis.config_set("stop-writes-on-bgsave-error", "no")
    world.wait_quiet(40)
    assert world.left("camp") == 1000 + 5000 - 11
    assert world.value("SELECT refund FROM v_deduction WHERE message_id = 'big'") == "done"
    assert worker.terminate() == 0


def test_redis_is_loading(world):
    worker = consuming(world)
    publish_deducted(world, 10, "before")
    world.wait_settled(10)
    world.wait_quiet()
    tokens = [(f"d-{i}", world.deduct("camp", f"d-{i}", 1)[2]) for i in range(20)]
    with world.redis.pipeline() as pipeline:
        for i in range(12000):
            pipeline.set(f"ballast:{i}", "x")
        pipeline.execute()
    server = world.redis_server
    server.stop()
    server.options = ["--key-load-delay", "500"]  # microseconds a key: some seconds of LOADING
    starting = threading.Thread(target=server.start)
    starting.start()
    channel = world.channel()
    for message_id, token in tokens:
        world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, message_id, channel=channel)
    world.wait_settled(30)
    worker.wait_log("LOADING")
    starting.join()
    server.options = []
    world.wait_quiet(40)
    assert world.left("camp") == 970
    assert worker.terminate() == 0


def test_redis_hangs(world):
    worker = consuming(world)
    publish_deducted(world, 10, "before")
    world.wait_settled(10)
    tokens = [(f"d-{i}", world.deduct("camp", f"d-{i}", 1)[2]) for i in range(20)]
    world.redis_server.pause()
    try:
        channel = world.channel()
        for message_id, token in tokens:
            world.publish({"budget_id": "camp", "amount": 1, "deducted_at": int(token)}, message_id, channel=channel)
        world.wait_settled(30)
        worker.wait_log("event=redis-(failed|unavailable)")
    finally:
        world.redis_server.resume()
    world.wait_quiet(40)
    assert world.left("camp") == 970
    assert worker.terminate() == 0


def test_ledger_locked(world):
    worker = consuming(world)
    link = sqlite3.connect(world.ledger, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    publish_deducted(world, 10, "locked")
    worker.wait_log("event=ledger-failed.*(locked|busy)", 30)
    world.wait("readyz to fail", lambda: world.http("/readyz")[0] == 503)
    assert world.value("SELECT count(*) FROM v_deduction") == 0
    link.execute("ROLLBACK")
    link.close()
    world.wait_settled(10)
    world.wait_quiet()
    assert worker.terminate() == 0


def test_disk_full(servers, bare, tmp_path):
    """A ledger on a file system of 4 MiB that is filled up, and has room again later."""
    world = bare
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]).returncode != 0:
        pytest.skip("needs root to mount a small file system")
    try:
        world.ledger = str(disk / "ledger.db")
        world.write_config()
        world.run("init")
        world.run("budget", "create", "camp", "--total", "100000")
        worker = consuming(world)
        ballast = disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096) == 4096:
                    pass
            except OSError:
                pass
        publish_deducted(world, 2000, "full")
        worker.wait_log("event=ledger-failed.*(full|disk)", 30)
        booked = world.value("SELECT count(*) FROM v_deduction")
        assert booked < 2000
        os.unlink(ballast)
        world.wait_settled(2000)
        world.wait_quiet()
        assert world.left("camp") == 98000
        assert worker.terminate() == 0
        assert world.ready() == 0
    finally:
        for worker in world.workers:
            if worker.running():
                worker.kill()
        subprocess.run(["umount", str(disk)])


def test_one_row_is_refused(world):
    """The ledger refuses one row and no other: the others are booked, that one is parked."""
    link = sqlite3.connect(world.ledger)
    table = link.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%deduction%'").fetchone()[0]
    link.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN new.message_id = 'bad-50' "
                 "BEGIN SELECT RAISE(ABORT, 'not this one'); END")
    link.commit()
    link.close()
    publish_deducted(world, 100, "bad")
    worker = consuming(world)
    world.wait_settled(99)
    world.wait("parking", lambda: world.value("SELECT count(*) FROM v_parked") == 1)
    row = world.rows("SELECT * FROM v_parked")[0]
    assert (row["message_id"], row["reason"], row["state"]) == ("bad-50", "unprocessable", "parked")
    assert worker.terminate() == 0
    assert world.ready() == 0
