"""The program without memory: its nth allocation fails, once or from then on. It goes on, or says what is wrong, or dies with one line; a
library may die of it in its own way. Whatever it does, nothing is acknowledged that is not booked, and run again with memory the books agree."""
import collections
import json
import mmap
import os
import re
import resource
import struct
import subprocess
import tempfile

import pytest

from campaign import Campaign
from servers import RabbitMQ, Redis
from world import World

LIBRARY = os.environ["BURSAR_MALLOC_LIBRARY"]
FULL = os.environ.get("BURSAR_TEST_FULL") == "1"
LAST_LINE = re.compile(r"^bursar: (out of memory: |cannot start thread )", re.MULTILINE)
SCANNER_LINE = "out of dynamic memory in libconfig"  # libconfig's scanner ends the process by itself, with exit(2)
DOCUMENTED = {0, 1, 64, 65, 69, 70, 75, 78}

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # so many deaths, and none needs its image


class Fault:
    """Where memory is refused, and what came of it."""

    def __init__(self, folder, number=0, for_ever=False):
        self.number, self.for_ever = number, for_ever
        handle, self.report_path = tempfile.mkstemp(prefix="report-", dir=folder)
        os.close(handle)
        handle, self.count_path = tempfile.mkstemp(prefix="count-", dir=folder)
        os.write(handle, bytes(8))
        os.close(handle)

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "BURSAR_MALLOC_FAULT": f"{self.number}{'+' if self.for_ever else ''}",
                "BURSAR_MALLOC_COUNT": self.count_path, "BURSAR_MALLOC_REPORT": self.report_path}

    def count(self):
        """Allocations so far, also while the program runs."""
        with open(self.count_path, "rb") as file, mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ) as memory:
            return struct.unpack("=Q", memory[:])[0]

    def report(self):
        with open(self.report_path) as file:
            return file.read()

    def _module(self, word, skipped):
        """The first module in the frames behind the line `word`, but for those skipped."""
        _, found, frames = self.report().partition(word + " ")
        for line in frames.splitlines()[1:] if found else []:
            if not line.startswith("/"):
                break  # another report, of another thread
            name = os.path.basename(line.split("(")[0])
            if not re.match(skipped, name):
                return re.sub(r"\.so.*", "", name)
        return "none"

    def refused(self):
        return self._module("refused", r"bursar_malloc_fault|libc\.so")

    def died_in(self):
        return self._module("died", r"bursar_malloc_fault|libc\.so")

    def outcome(self, code, said):
        """In words; an end that is not allowed fails the test."""
        where = f"allocation {self.number}{'+' if self.for_ever else ''}: exit {code}: {said[-1500:]}\n{self.report()[-3000:]}"
        if code == -6 and LAST_LINE.search(said):
            return "died with its line"
        if code == 2 and SCANNER_LINE in said:
            return "ended by libconfig"
        if code < 0:
            assert code in (-6, -11), where
            assert self.died_in() not in ("bursar", "none"), where
            return f"died inside {self.died_in()}"
        assert code in DOCUMENTED, where
        assert code == 0 or said.strip(), where
        return "went on" if code == 0 else f"ended with {code}"


def spread(first, last, count):
    """So many numbers from first to last, evenly."""
    return sorted({first + (last - first) * i // max(1, count - 1) for i in range(count)})


def show(what, outcomes):
    print(f"\n{what}: {sum(outcomes.values())} runs")
    for (refused, outcome), count in sorted(outcomes.items()):
        print(f"  {count:5}  refused to {refused}: {outcome}")


@pytest.fixture(scope="module")
def world():
    with Redis() as redis, RabbitMQ() as rabbit, World(redis, rabbit, settings={"worker.drain_timeout": 5}) as world:
        world.run("init")
        yield world


class Runs:
    """Runs of the worker with a fault each, the same campaign all along."""

    def __init__(self, world):
        self.world = world
        self.campaign = Campaign(world, 4000, budgets=10)
        self.campaign.create_budgets()
        self.outcomes = collections.Counter()

    def load(self):
        self.campaign.publish_foreign(0.2)

    def heal(self):
        """With memory everything is worked off, and the books agree to the unit."""
        worker = self.world.worker()
        self.campaign.wait_finished(60)
        assert worker.terminate() == 0
        wrong = self.campaign.check()
        assert not wrong, f"seed {self.campaign.seed}: " + "; ".join(wrong[:20])
        assert self.world.ready() == 0, "something was not acknowledged"

    def measure(self):
        """How many allocations until it consumes, and until the load is done."""
        fault = Fault(self.world.folder)
        worker = self.world.worker(environment=fault.environment())
        worker.wait_log("event=consuming")
        started = fault.count()
        self.load()
        self.campaign.wait_finished(60)
        worked = fault.count()
        assert worker.terminate() == 0
        return started, worked

    def done(self, worker):
        return not worker.running() or (self.campaign.everything_arrived() and self.world.ready() == 0)

    def run(self, number, for_ever):
        fault = Fault(self.world.folder, number, for_ever)
        worker = self.world.worker(environment=fault.environment())
        self.load()
        try:
            # Without any memory it may go on trying; then it says so.
            self.world.wait(f"allocation {number} to be survived or not", lambda: self.done(worker), 5 if for_ever else 60)
        except TimeoutError:
            assert for_ever and re.search("out of memory|level=(warn|error)", worker.log()), worker.log()[-3000:]
            worker.kill()
            self.outcomes[fault.refused(), "went on trying"] += 1
            return
        code = worker.terminate() if worker.running() else worker.wait_died()
        self.outcomes[fault.refused(), fault.outcome(code, worker.log())] += 1


def test_worker(world):
    runs = Runs(world)
    started, worked = runs.measure()
    assert 100 < started < worked
    # No two runs allocate alike, and late faults would meet none.
    points = spread(1, started, 200 if FULL else 20) + spread(started + 1, started + (worked - started) * 2 // 3, 300 if FULL else 20)
    for i, number in enumerate(points):
        runs.run(number, for_ever=i % 3 == 2)
        if i % 6 == 5:
            runs.heal()
    runs.heal()
    assert sum(count for (refused, _), count in runs.outcomes.items() if refused != "none") > len(points) / 2
    print(f"\nallocations: {started} until it consumes, {worked} until the load is done; seed {runs.campaign.seed}; "
          f"{len(runs.campaign.deducted) + len(runs.campaign.older) + len(runs.campaign.forged)} deductions, each booked once")
    show("bursar run", runs.outcomes)


def command(world, fault, *words, input=None):
    done = world.run_all(*words, input=input, environment=fault.environment())
    return done, fault.outcome(done.returncode, done.stderr + done.stdout)


def walk(world, most, words, check):
    """The command with each of so many faults; `words` and `check` are told which run it is."""
    fault = Fault(world.folder)
    done, _ = command(world, fault, *words("0"))
    assert done.returncode == 0, done.stderr
    check("0", 0)
    outcomes = collections.Counter()
    for i, number in enumerate(range(1, fault.count() + 1) if FULL else spread(1, fault.count(), most)):
        fault = Fault(world.folder, number, for_ever=i % 4 == 3)
        done, outcome = command(world, fault, *words(str(number)))
        check(str(number), done.returncode)
        outcomes[fault.refused(), outcome] += 1
    show("bursar " + " ".join(words("N")), outcomes)


def test_check(world):
    walk(world, 40, lambda run: ["check"], lambda run, code: None)


def test_budget_create(world):
    def check(run, code):
        again = world.run_all("budget", "create", f"new:{run}", "--total", "5")
        assert again.returncode in ((65,) if code == 0 else (0, 65)), again.stderr
        world.run("budget", "add", f"new:{run}", "1", "--credit-id", "one")  # what was booked and not applied is mended by a worker
        assert world.json("budget", "show", f"new:{run}")["total"] == 6
    walk(world, 30, lambda run: ["budget", "create", f"new:{run}", "--total", "5"], check)
    worker = world.worker()
    world.wait("the credits to be applied", lambda: world.value("SELECT count(*) FROM v_credit WHERE NOT applied") == 0)
    assert worker.terminate() == 0
    for row in world.rows("SELECT id FROM v_budget WHERE id LIKE 'new:%'"):
        assert world.left(row["id"]) == 6


def test_budget_add(world):
    world.run("budget", "create", "topped", "--total", "0")
    runs = []

    def check(run, code):
        runs.append(run)
        world.run("budget", "add", "topped", "1", "--credit-id", f"c{run}")
        assert world.left("topped") == len(runs)
        assert world.value("SELECT total FROM v_budget WHERE id = 'topped'") == len(runs)
    walk(world, 30, lambda run: ["budget", "add", "topped", "1", "--credit-id", f"c{run}"], check)


def test_deduct(world):
    world.run("budget", "create", "sold", "--total", "100000")
    runs = []

    def check(run, code):
        runs.append(f"m{run}")
        answer = world.json("deduct", "sold", "1", "--message-id", f"m{run}")
        assert answer["status"] in (("repeat",) if code == 0 else ("deducted", "repeat"))
        assert world.left("sold") == 100000 - len(runs)
    walk(world, 40, lambda run: ["deduct", "sold", "1", "--message-id", f"m{run}"], check)
    worker = world.worker()
    world.wait("each to be booked", lambda: world.value("SELECT settled FROM v_budget WHERE id = 'sold'") == len(runs))
    world.wait_quiet()
    assert worker.terminate() == 0
    booked = {row["message_id"] for row in world.rows("SELECT message_id FROM v_deduction WHERE budget_id = 'sold'")}
    assert booked == set(runs)


def test_deduct_from_a_file(world, tmp_path):
    world.run("budget", "create", "bulk", "--total", "1000000")
    total = 0

    def lines(run):
        path = tmp_path / f"lines-{run}"
        path.write_text("".join(json.dumps({"message_id": f"b{run}-{i}", "budget_id": "bulk", "amount": 2}) + "\n" for i in range(20)))
        return ["deduct", "--from", str(path)]

    def check(run, code):
        nonlocal total
        answers = [json.loads(line) for line in world.run("deduct", "--json", *lines(run)[1:]).splitlines()]
        assert {answer["status"] for answer in answers} <= ({"repeat"} if code == 0 else {"deducted", "repeat"})
        total += 40
        assert world.left("bulk") == 1000000 - total
    walk(world, 40, lines, check)
    worker = world.worker()
    world.wait("each to be booked", lambda: world.value("SELECT settled FROM v_budget WHERE id = 'bulk'") == total)
    assert worker.terminate() == 0
