"""`bursar run` built with ThreadSanitizer, under load from all sides: no report, and the books agree.

Everything that its threads share is used at once: deliveries single and in batch messages, parking, refunds, the pages of its HTTP server,
reloads, reconciliations every second, and the calls that fail while Redis, the broker or the ledger is away."""
import glob
import os
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request

import pytest

from running_books import Books
from load import BatchProducer, CommandProducer, UnreadableProducer
from world import World

RATE = 1200        # deductions a second; what is held up by a fault comes later all the same
DEDUCTIONS = 24000
POLLS, RELOADS, RECONCILIATIONS = 100, 20, 3


class Often(threading.Thread):
    """Does something again and again until it is told to stop; what fails while the worker is away does not count."""

    def __init__(self, act, pause):
        super().__init__(daemon=True)
        self.act, self.pause = act, pause
        self.count = 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(self.pause):
            try:
                self.act()
                self.count += 1
            except OSError:
                pass


class Load:
    def __init__(self, world, report_path):
        self.world = world
        self.report_path = report_path
        self.worker = None
        self.books = Books(seed=1)
        self.producers = [CommandProducer(world, self.books, RATE / 2), BatchProducer(world, self.books, RATE / 2)]
        self.unreadable = UnreadableProducer(world, self.books, 5)
        self.pages = [Often(lambda page=page: self.poll(page), 0.03) for page in ("/metrics", "/readyz", "/livez")]
        self.reloads = Often(self.reload, 0.3)

    def poll(self, page):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.world.http_port}{page}", timeout=5).read()
        except urllib.error.HTTPError as answer:
            answer.read()  # 503 is an answer

    def reload(self):
        self.world.settings["worker.batch_max"] = 1000 + self.reloads.count
        self.world.write_config()
        self.worker.process.send_signal(signal.SIGHUP)

    def start_worker(self):
        self.worker = self.world.worker()
        self.worker.wait_log("event=consuming", 60)

    def stop_worker(self):
        """ThreadSanitizer writes its reports as they come, and makes the exit status another than 0."""
        status = self.worker.terminate()
        self.check_reports()
        assert status == 0

    def check_reports(self):
        found = ""
        for path in sorted(glob.glob(self.report_path + ".*")):
            with open(path) as file:
                found += file.read()
        if found:
            pytest.fail(found, pytrace=False)

    def threads(self):
        return [*self.producers, self.unreadable, *self.pages, self.reloads]

    def sent(self):
        for producer in [*self.producers, self.unreadable]:
            assert producer.error is None, producer.error
        return sum(producer.sent for producer in self.producers)

    def wait_sent(self, count):
        """So that every fault comes in the middle of traffic."""
        self.world.wait(f"{count} deductions", lambda: self.sent() >= count, 120)

    def faults(self):
        world = self.world
        self.wait_sent(DEDUCTIONS // 6)
        world.redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.wait_sent(DEDUCTIONS // 4)
        world.redis_server.stop()
        time.sleep(1)  # calls fail meanwhile
        world.redis_server.start()
        self.wait_sent(DEDUCTIONS // 3)
        self.reloads.act, act = lambda: None, self.reloads.act  # none in the moment when it is not there
        self.stop_worker()  # a drain in the middle of traffic
        self.start_worker()
        self.reloads.act = act
        self.wait_sent(DEDUCTIONS // 2)
        link = sqlite3.connect(world.ledger, isolation_level=None, timeout=30)
        link.execute("BEGIN IMMEDIATE")
        time.sleep(1)
        link.execute("ROLLBACK")
        link.close()
        self.wait_sent(DEDUCTIONS * 2 // 3)
        world.rabbit.stop()
        world.rabbit.start()
        self.wait_sent(DEDUCTIONS)


def test_no_report_under_load(tmp_path, monkeypatch):
    report_path = str(tmp_path / "report")
    monkeypatch.setenv("TSAN_OPTIONS", f"halt_on_error=0 exitcode=66 log_path={report_path}")
    with World() as world:
        world.settings.update({"reconcile.interval": 1, "reconcile.orphan_after": 0})
        world.write_config()
        world.run("init")
        load = Load(world, report_path)
        load.books.create_budgets(world)
        load.start_worker()
        for thread in load.threads():
            thread.start()
        load.faults()
        for producer in [*load.producers, load.unreadable]:
            producer.stopping.set()
            producer.join(60)
        world.wait_quiet()
        load.stop_worker()  # while its pages are asked for
        for thread in load.threads():
            thread.stopping.set()
            thread.join(60)
        load.check_reports()  # the producers' too
        assert min(page.count for page in load.pages) >= POLLS and load.reloads.count >= RELOADS
        assert world.value("SELECT count(*) FROM v_reconcile_run") >= RECONCILIATIONS
        wrong, figures = load.books.check(world, world.dead_letters())
        assert wrong == []
        assert figures["settled"] >= DEDUCTIONS * 0.9 and figures["rejected"] >= 200 and figures["parked"] >= 20
        print(figures)
