"""A look at everything every few seconds, from outside: /proc of the worker, the queue, the ledger's views."""
import csv
import os
import threading
import time
import traceback

import pika

COLUMNS = ["seconds", "life", "rss_kib", "anonymous_kib", "descriptors", "threads", "ready", "held", "refunds_due", "published",
           "published_units", "settled_units", "fault"]


def process_figures(process):
    """(resident KiB, of that anonymous, descriptors, threads); None when it is not there."""
    try:
        with open(f"/proc/{process}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        return (int(status["VmRSS"].split()[0]), int(status["RssAnon"].split()[0]), len(os.listdir(f"/proc/{process}/fd")),
                int(status["Threads"]))
    except (OSError, KeyError):  # ended, or ending
        return None


class Backlog(threading.Thread):
    """Asks broker and worker in a thread of its own, for an answer may take as long as a fault."""

    def __init__(self, world, interval):
        super().__init__(daemon=True)
        self.world, self.interval = world, interval
        self.stopping = threading.Event()
        self.channel = None
        self.answers = {"ready": (0, None), "held": (0, None)}  # (when, how many)

    def run(self):
        while not self.stopping.wait(self.interval / 2):
            for name, ask in (("ready", self.ask_broker), ("held", lambda: int(self.world.metric("bursar_deliveries_held")))):
                try:
                    self.answers[name] = (time.monotonic(), ask())
                except (pika.exceptions.AMQPError, OSError, TypeError):
                    self.channel = None

    def ask_broker(self):
        self.channel = self.channel or self.world.channel()
        return self.channel.queue_declare("bursar.deductions", passive=True).method.message_count

    def latest(self, name):
        when, count = self.answers[name]
        return count if time.monotonic() - when < 2 * self.interval else None


class Sampler(threading.Thread):
    def __init__(self, world, faults, producers, interval):
        super().__init__(daemon=True)
        self.world, self.faults, self.producers, self.interval = world, faults, producers, interval
        self.backlog = Backlog(world, interval)
        self.stopping = threading.Event()
        self.began = time.monotonic()
        self.rows = []
        self.error = None

    def run(self):
        self.backlog.start()
        try:
            while not self.stopping.wait(self.interval):
                self.sample()
        except Exception:  # pylint: disable=broad-except
            self.error = traceback.format_exc()
        self.backlog.stopping.set()

    def sample(self):
        row = dict.fromkeys(COLUMNS)
        worker = self.faults.worker
        figures = process_figures(worker.process.pid)
        if figures:
            row.update(zip(("rss_kib", "anonymous_kib", "descriptors", "threads"), figures))
        row.update({
            "seconds": time.monotonic() - self.began, "life": self.world.workers.index(worker) + 1,
            "ready": self.backlog.latest("ready"), "held": self.backlog.latest("held"),
            "refunds_due": self.world.value("SELECT count(*) FROM v_deduction WHERE refund = 'due'"),
            "published": sum(producer.sent for producer in self.producers),
            "published_units": sum(producer.units for producer in self.producers),
            "settled_units": self.world.value("SELECT sum(settled) FROM v_budget"),
        })
        self.rows.append(row)

    def write(self, path):
        """With the faults that began since the sample before."""
        marks = [(start - self.began, name) for start, _, name in self.faults.marks]
        before = 0.0
        with open(path, "w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            for row in self.rows:
                names = [name for start, name in marks if before <= start < row["seconds"]]
                table.writerow(dict(row, seconds=f"{row['seconds']:.1f}", fault="; ".join(names)))
                before = row["seconds"]
