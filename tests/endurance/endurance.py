#!/usr/bin/python3
"""A steady load for a long time, with a fault every few seconds: the books must agree to the unit, and the worker must not grow.

Real servers on free loopback ports. Half of the load comes from `bursar deduct`, half from a client that publishes batch messages; besides, what
cannot be read, what is over a budget's total, and messages that come twice. Samples go to a CSV file, and a picture is drawn from them.
"""
import argparse
import os
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(ROOT, "tests", "support")]
import chart
import verdict
from running_books import Books
from faults import Faults
from load import BatchProducer, CommandProducer, UnreadableProducer
from samples import Sampler
from world import World

SETTINGS = {"redis.done_window": 120, "amqp.confirm_timeout": 5}
BATCH_SHARE = 0.4        # of the deductions come in batch messages
UNREADABLE_A_SECOND = 1
CAUGHT_UP_S = 60         # after the end of the load, the queue and what is owed are worked off within this
OFFERED_MIN = 0.95       # of the rate, or the load was not steady


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Run:
    def __init__(self, world, options):
        self.world = world
        self.options = options
        self.seconds = options.minutes * 60
        self.books = Books(options.seed)
        self.producers = [CommandProducer(world, self.books, options.rate * (1 - BATCH_SHARE) / 2) for _ in range(2)]
        self.producers.append(BatchProducer(world, self.books, options.rate * BATCH_SHARE))
        self.unreadable = UnreadableProducer(world, self.books, UNREADABLE_A_SECOND)
        self.faults = Faults(world, self.seconds, options.seed)
        self.sampler = Sampler(world, self.faults, self.producers, options.interval)
        self.wrong = []

    def threads(self):
        return [*self.producers, self.unreadable, self.faults, self.sampler]

    def load(self):
        """The load and the faults, for as long as was asked."""
        self.faults.start_worker()
        self.sampler.began = began = time.monotonic()
        for thread in self.threads():
            thread.start()
        next_word = 60
        while time.monotonic() - began < self.seconds:
            time.sleep(1)
            self.look_after(began)
            if time.monotonic() - began > next_word:
                next_word += 60
                self.progress(began)
        for thread in [self.faults, *self.producers, self.unreadable]:
            thread.stopping.set()
        self.faults.join(120)
        for producer in [*self.producers, self.unreadable]:
            producer.join(120)
        self.look_after(began)
        self.wrong += [f"{type(thread).__name__} did not end" for thread in self.threads()[:-1] if thread.is_alive()]
        self.loaded = time.monotonic() - began

    def look_after(self, began):
        for thread in self.threads():
            if thread.error:
                raise SystemExit(f"after {time.monotonic() - began:.0f} s, {type(thread).__name__}: {thread.error}")
        worker = self.faults.worker
        if not worker.running() and worker.process.returncode != -9:
            raise SystemExit(f"the worker ended by itself ({worker.process.returncode}): {worker.log()[-3000:]}")

    def progress(self, began):
        row = self.sampler.rows[-1]
        say(f"{(time.monotonic() - began) / 60:.0f} min: {row['published']:,} published, {row['ready']} ready, {row['held']} held, memory {row['rss_kib']} KiB, "
            f"descriptors {row['descriptors']}, {len(self.faults.marks)} faults")

    def quiet(self):
        world = self.world
        return (world.ready() == 0 and world.value("SELECT count(*) FROM v_deduction WHERE refund = 'due'") == 0
                and not any(world.redis.hlen(key) for key in world.redis.scan_iter("budget:*:pending", count=1000)))

    def finish(self):
        """What is under way is worked off, the worker drains, and everything is counted."""
        began = time.monotonic()
        try:
            self.world.wait("the queue, the pendings and the refunds to be worked off", self.quiet, CAUGHT_UP_S)
        except TimeoutError as error:
            self.wrong.append(f"it did not keep up: {error}")
        say(f"worked off {time.monotonic() - began:.1f} s after the end of the load")
        self.sampler.stopping.set()
        self.sampler.join(30)
        code = self.faults.worker.terminate(60)
        if code != 0:
            self.wrong.append(f"the worker ended with {code} after SIGTERM")
        if self.world.ready() != 0:
            self.wrong.append("messages went back to the queue when the worker stopped")
        wrong, self.figures = self.books.check(self.world, self.world.dead_letters())
        self.wrong += wrong[:20]
        if len(wrong) > 20:
            self.wrong.append(f"and {len(wrong) - 20} more")
        sent = sum(producer.sent for producer in self.producers)
        if sent < OFFERED_MIN * self.options.rate * self.seconds:
            self.wrong.append(f"the load was not steady: {sent:,} published of {self.options.rate * self.seconds:,.0f}")

    def judge(self):
        wrong, found = verdict.judge(self.sampler.rows, long_life_wanted=self.seconds * 0.75 > verdict.FLAT_SECONDS_MIN + 60)
        self.wrong += wrong
        for line in found:
            say(line)
        return found

    def marks(self):
        return [(start - self.sampler.began, end - self.sampler.began, name) for start, end, name in self.faults.marks]

    def write(self):
        """The CSV file and the picture."""
        folder = os.path.join(ROOT, "build", "endurance")
        os.makedirs(folder, exist_ok=True)
        self.sampler.write(os.path.join(folder, "samples.csv"))
        figures = self.figures
        subtitle = [f"{figures['deducted']:,} deductions at {self.options.rate:,.0f} a second over 50 budgets, {len(self.faults.marks)} faults, "
                    f"{figures['settled']:,} settled, {figures['rejected']:,} refunded, {figures['unreadable']:,} unreadable parked.",
                    "A dashed red line is a SIGKILL: another process begins. All on one machine: producers, broker, Redis, worker."]
        picture = chart.draw(self.sampler.rows, self.marks(), f"bursar run, {self.options.minutes:g} minutes with a fault every few seconds",
                             subtitle)
        path = self.options.picture or os.path.join(folder, "endurance.svg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(picture)
        say(f"written: {os.path.relpath(folder, ROOT)}/samples.csv, {os.path.relpath(path, ROOT)}")


def options_of(words):
    parser = argparse.ArgumentParser(prog="endurance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=500, help="deductions a second (default 500)")
    parser.add_argument("--interval", type=float, help="seconds between two samples (default: 5, or less for a short run)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's faults and amounts")
    parser.add_argument("--picture", help="where the picture goes (default build/endurance/endurance.svg)")
    options = parser.parse_args(words)
    options.interval = options.interval or min(5.0, options.minutes)
    return options


def main(words):
    options = options_of(words)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that the servers are ended too
    with World(settings=SETTINGS) as world:
        world.run("init")
        run = Run(world, options)
        run.books.create_budgets(world)
        say(f"{options.minutes:g} minutes at {options.rate:g} deductions a second, seed {options.seed}")
        run.load()
        run.finish()
        run.judge()
        run.write()
        for name, count in run.figures.items():
            say(f"{name}: {count:,}")
        kinds = sorted({name for _, _, name in run.faults.marks})
        say("faults: " + ", ".join(f"{name} {sum(name == of for _, _, of in run.faults.marks)}" for name in kinds))
        for line in run.wrong:
            say("WRONG: " + line)
        say("the books agree to the unit, and nothing grew" if not run.wrong else f"{len(run.wrong)} things are wrong")
        return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
