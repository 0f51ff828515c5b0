"""The ledger is locked, full, picky, or not there."""
import os
import sqlite3
import subprocess
import tempfile

import pytest
from matrix import Row, rows
from test_broker import ready


def locked(stage):
    """By another program, for longer than the busy timeout."""
    with write_lock(stage):
        stage.wait_event("ledger-failed")
        ready(stage, 503, "ledger")
        stage.traffic.wait_count(60)
    ready(stage, 200)


class write_lock:
    """The lock that only one writer can have."""

    def __init__(self, stage):
        self.link = sqlite3.connect(stage.world.ledger, isolation_level=None, check_same_thread=False)

    def __enter__(self):
        self.link.execute("BEGIN IMMEDIATE")

    def __exit__(self, *exc):
        self.link.execute("ROLLBACK")
        self.link.close()


def locked_again_and_again(stage):
    for _ in range(15):
        with write_lock(stage):
            stage.traffic.wait_count(10)
        stage.traffic.wait_count(2)


def missing(stage):
    """Not there when the worker starts, and there later."""
    stage.kill_worker()
    for ending in ("", "-wal", "-shm"):
        if os.path.exists(stage.world.ledger + ending):
            os.rename(stage.world.ledger + ending, stage.world.ledger + ".away" + ending)
    stage.start_worker(wait=False)
    stage.worker.wait_log("event=ledger-unavailable.*bursar init")
    stage.traffic.wait_count(30)
    for ending in ("-wal", "-shm", ""):
        if os.path.exists(stage.world.ledger + ".away" + ending):
            os.rename(stage.world.ledger + ".away" + ending, stage.world.ledger + ending)
    stage.wait_event("consuming")


ROWS = [
    Row("locked for longer than the busy timeout", locked, "nothing is acknowledged; the same batch again when it is free"),
    Row("locked again and again for moments", locked_again_and_again, "waits, and books"),
    Row("missing at the start", missing, "says so, fetches nothing, and goes on when it is there", parked_again=1),
]


@rows(ROWS)
def test_ledger(stage, row):
    stage.play(row)


def test_disk_full(stage):
    """nothing is acknowledged; booked when there is room again"""
    disk = tempfile.mkdtemp(prefix="bursar-disk-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], stderr=subprocess.DEVNULL).returncode != 0:
        os.rmdir(disk)
        pytest.skip("needs root to mount a small file system")

    def fill(stage):
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096) == 4096:
                    pass
            except OSError:
                pass
        stage.worker.wait_log("event=ledger-failed.*(full|disk)", 60)
        assert stage.world.value("SELECT count(*) FROM v_deduction") < len(stage.traffic.went_in())
        os.unlink(ballast)
    try:
        stage.world.ledger = os.path.join(disk, "ledger.db")
        stage.play(Row("disk full", fill, "", settings={"ledger.url": f"sqlite:{stage.world.ledger}"}))
    finally:
        for worker in stage.world.workers:
            if worker.running():
                worker.kill()
        subprocess.run(["umount", disk], check=True)
        os.rmdir(disk)


def test_one_row_is_refused(stage):
    """the others are booked, that one is parked as unprocessable"""
    def refuse(stage):
        link = sqlite3.connect(stage.world.ledger, timeout=30)
        table = link.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%deduction%'").fetchone()[0]
        link.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN new.message_id = 'refused' "
                     "BEGIN SELECT RAISE(ABORT, 'not this one'); END")
        link.commit()
        link.close()
        stage.world.publish({"budget_id": "wide", "amount": 1}, "refused")
        stage.traffic.expected_parked["unprocessable", "refused"] = 1
    stage.play(Row("one row refused", refuse, ""))
