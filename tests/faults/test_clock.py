"""Wall clocks that jump while the monotonic clock goes on: an operator sets the time, a virtual machine wakes up."""
import os

import pytest
from matrix import Row, rows
from world import BURSAR

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
