"""Wall clocks that jump while the monotonic clock goes on: an operator sets the time, a virtual machine wakes up."""
import os
import struct
import subprocess

import pytest
from matrix import Row, rows
from servers import Redis
from world import BURSAR, ROOT, World

LIBRARY = next((path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
                if os.path.exists(path)), None)

JUMPS = ["+1h", "-1h", "+30d", "-400d", "+0"]


class Clock:
    """Of the processes that are started with its environment."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "clock")
        self.set("+0")
        self.environment = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        with open(self.path + ".new", "w") as file:
            file.write(offset + "\n")
        os.rename(self.path + ".new", self.path)


@pytest.fixture
def clock(tmp_path):
    if LIBRARY is None:
        pytest.skip("needs libfaketime (package faketime)")
    with open(BURSAR, "rb") as program:
        if b"__asan_init" in program.read() or "tsan" in BURSAR:
            pytest.skip("a sanitizer's runtime does not share a process with libfaketime")
    return Clock(str(tmp_path))


def workers_clock_jumps(stage):
    for offset in JUMPS:
        stage.clock.set(offset)
        stage.traffic.wait_count(40)
    # It is the worker's clock that jumped, and its traces show it.
    booked = stage.world.rows("SELECT min(booked_at) AS first, max(booked_at) AS last FROM v_deduction")[0]
    assert int(booked["last"][:4]) > int(booked["first"][:4]), booked


def worker_killed_between_jumps(stage):
    """Each life in another year."""
    for offset in JUMPS:
        stage.kill_worker()
        stage.clock.set(offset)
        stage.start_worker()
        stage.traffic.wait_count(40)


@rows([
    Row("the worker's clock jumps", workers_clock_jumps, "goes on; only times in its traces jump"),
    Row("the worker's clock jumps between crashes", worker_killed_between_jumps, "the same", parked_again=5),
])
def test_clock(stage, clock, row):
    stage.clock = clock
    stage.environment = clock.environment
    stage.play(row)


@pytest.fixture
def shifted(tmp_path, servers):
    """A Redis whose wall clock is that of the machine and as many seconds as shift() says."""
    library, path = str(tmp_path / "clock_shift.so"), str(tmp_path / "shift")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(ROOT, "tests", "support", "clock_shift.c")], check=True)

    def shift(seconds):
        with open(path, "r+b" if os.path.exists(path) else "wb") as file:
            file.write(struct.pack("=q", seconds))
    shift(0)
    redis = Redis()
    redis.environment = dict(os.environ, LD_PRELOAD=library, BURSAR_CLOCK_SHIFT=path)
    with redis, World(redis, servers[1]) as world:
        world.shift = shift
        yield world


DAY = 86400


def redis_clock_jumps(stage):
    """Tokens go back and forth; the generations of finished ids are dropped early, or late."""
    world = stage.world
    before = int(world.redis.time()[0])
    for seconds in (3600, -3600, 30 * DAY, -400 * DAY, 0):
        world.shift(seconds)
        stage.traffic.wait_count(40)
    assert abs(int(world.redis.time()[0]) - before) < DAY
    tokens = world.rows("SELECT min(deducted_at_us) AS first, max(deducted_at_us) AS last FROM v_deduction")[0]
    assert tokens["last"] - tokens["first"] > 400 * DAY * 1000000, "its clock did not jump"


@rows([Row("Redis's clock jumps", redis_clock_jumps, "a token names its deduction whatever its time: nothing is lost or doubled")])
def test_clock_of_redis(stage, shifted, row):
    stage.world = shifted
    stage.play(row)
