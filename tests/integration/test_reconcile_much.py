"""`bursar reconcile` with very much to do: repairs that are killed again and again, a second run beside it, a million entries."""
import json
import random
import signal
import subprocess
import time

import pytest

from test_reconcile import equations_hold, reconcile


def mended(world, settled, left):
    assert reconcile(world)["clean"]
    assert equations_hold(world) == (settled, 0) and world.left("camp") == left
    assert not world.rows("SELECT * FROM v_intervention WHERE state = 'begun'")


def test_killed_again_and_again(world):
    """10,000 orphans, voided by a repair that is killed at any moment until one comes through."""
    world.settings["reconcile.orphan_after"] = 0
    world.write_config()
    world.run("budget", "add", "camp", "29000")
    deduct, keys = world.script("deduct"), world.keys("camp")
    pipeline = world.redis.pipeline(transaction=False)
    for i in range(10000):
        deduct(keys=keys, args=[f"o{i}", 1 + i % 3], client=pipeline)
    pipeline.execute()
    command = [world.bursar, "reconcile", "-c", world.config, "--repair"]
    chance = random.Random(4)
    kills = 0
    for _ in range(12):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            assert process.wait(chance.uniform(0.05, 0.4)) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            kills += process.wait() == -signal.SIGKILL
    assert subprocess.call(command, stdout=subprocess.DEVNULL) == 0
    assert kills > 0
    assert world.value("SELECT count(*) FROM v_deduction WHERE state = 'voided' AND refund = 'done'") == 10000
    assert world.value("SELECT count(*) FROM v_intervention WHERE kind = 'void'") == 10000
    mended(world, 0, 30000)


def test_one_at_a_time(world):
    """The second exits with 75 and names the first, whose crash frees the lock."""
    for i in range(300):
        world.deduct("camp", f"o{i}", 1)
    world.redis_server.pause()
    first = subprocess.Popen([world.bursar, "reconcile", "-c", world.config, "--set", "redis.timeout=30"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    second = world.run_all("reconcile")
    assert second.returncode == 75 and str(first.pid) in second.stderr, second.stderr
    first.kill()
    first.wait()
    world.redis_server.resume()
    assert reconcile(world)["clean"]


def test_a_million_entries(world):
    """No command holds Redis for more than 5 ms, and the one orphan among them is found."""
    world.settings["reconcile.orphan_after"] = 3600
    world.write_config()
    world.run("budget", "add", "camp", "2000000")
    pending, meta = world.keys("camp")[1], world.keys("camp")[4]
    now = int(time.time() * 1e6)
    for first in range(0, 1000000, 20000):
        world.redis.hset(pending, mapping={f"message-{first + i:07d}": f"1:{now - 1000 + i}" for i in range(20000)})
    world.redis.hset(pending, "old", f"1:{now - 7200 * 1000000}")
    world.redis.hincrby(meta, "deducted", 1000001)
    world.redis.decrby(world.keys("camp")[0], 1000001)
    world.redis.config_set("slowlog-log-slower-than", 0)
    world.redis.config_set("slowlog-max-len", 100000)
    world.redis.slowlog_reset()
    began = time.monotonic()
    found = reconcile(world, status=1)
    print(f"a million entries: {time.monotonic() - began:.1f} s")
    assert [(f["kind"], f["message_id"]) for f in found["findings"]] == [("orphan", "old")]
    times = sorted(entry["duration"] for entry in world.redis.slowlog_get(100000) if b"budget" in entry["command"])
    world.redis.config_set("slowlog-log-slower-than", 10000)
    world.redis.config_set("slowlog-max-len", 128)
    # By the clock on the wall, so that what other programs take counts too; a command that is slow by itself is slow each time.
    assert len(times) > 1000 and times[len(times) // 2] < 5000, (times[len(times) // 2], times[-5:])
