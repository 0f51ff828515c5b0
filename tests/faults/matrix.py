"""How a row of the fault matrix is written and played.

A row is a fault and what is expected of it. Playing it: a worker, a producer that never stops trying, the fault in the middle of the
traffic, then the reckoning. Whatever the fault: every id is booked once, settled <= total, left + pending + settled is what was put in, to the
unit, refunds are done, the queue is empty and nothing unacknowledged, and in the dead-letter queue is what must be there."""
import os
import re

import pytest
from traffic import Traffic

FULL = os.environ.get("BURSAR_TEST_FULL") == "1"
only_full = pytest.mark.skipif(not FULL, reason="takes long: only with BURSAR_TEST_FULL=1")


class Row:
    """name, fault(stage), expected: what one would tell an operator.

    parked_again  how often a letter may be parked once more: for each crash or lost connection
    settings      of the worker, beyond those of the stage
    stock         False: Redis loses data. The ledger is held to account all the same; what Redis then lacks, the fault says itself
    full          only with BURSAR_TEST_FULL=1

    What a fault returns is called after the reckoning."""

    def __init__(self, name, fault, expected, parked_again=0, settings=None, stock=True, full=False):
        self.name, self.fault, self.expected = name, fault, expected
        self.parked_again, self.settings, self.stock, self.full = parked_again, settings or {}, stock, full


def rows(table):
    """A test for every row."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name, marks=only_full if row.full else ()) for row in table])


# Short times, so that a fault need not last long to outlast them.
SETTINGS = {"amqp.heartbeat": 2, "amqp.connect_timeout": 2, "amqp.confirm_timeout": 3, "redis.timeout": 1, "ledger.busy_timeout": 1,
            "worker.retry_max": 1}


class Stage:
    """A world with proxies between the worker and its servers, where a row wants them, and traffic that goes past them."""

    def __init__(self, world, broker_proxy=None, redis_proxy=None):
        self.world, self.broker, self.redis = world, broker_proxy, redis_proxy
        self.worker = None
        self.traffic = None
        self.environment = {}
        self.replica = None    # of Redis
        self.letters = []      # taken out of the dead-letter queue before the end

    def prepare(self, settings=None):
        self.world.settings.update(SETTINGS)
        if self.broker is not None:
            self.world.settings["amqp.url"] = f"amqp://guest:guest@127.0.0.1:{self.broker.port}/%2f"
        if self.redis is not None:
            self.world.settings["redis.url"] = f"redis://127.0.0.1:{self.redis.port}/0"
        self.world.settings.update(settings or {})
        self.world.write_config()
        self.world.run("init")
        self.traffic = Traffic(self.world)

    def start_worker(self, wait=True, **environment):
        self.worker = self.world.worker(environment=dict(self.environment, **environment))
        if wait:
            self.worker.wait_log("event=consuming", 60)
        return self.worker

    def kill_worker(self):
        self.worker.kill()

    def wait_event(self, pattern, count=1, seconds=30):
        """Until the present worker has logged this many lines with event=`pattern`."""
        def reached():
            assert self.worker.running(), f"the worker ended: {self.worker.log()[-3000:]}"
            return self.count_event(pattern) >= count
        try:
            return self.world.wait(f"event={pattern} {count} times", reached, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log ends: {self.worker.log()[-3000:]}") from None

    def count_event(self, event):
        return len(re.findall(rf"event={event}(?=\s)", self.worker.log()))

    def play(self, row):
        self.prepare(row.settings)
        self.start_worker()
        with self.traffic as traffic:
            traffic.wait_count(60)
            afterwards = row.fault(self)
            traffic.wait_count(60)
        self.reckon(row.parked_again, row.stock)
        if afterwards is not None:
            afterwards()

    def reckon(self, parked_again=0, stock=True, seconds=60):
        """Everything is worked off, the worker stops in order, and the books agree."""
        self.traffic.wait_finished(seconds)
        self.finish()
        wrong = self.traffic.check(self.letters + self.world.dead_letters(), copies=1 + parked_again, stock=stock)
        assert wrong == [], "\n".join(wrong[:20])

    def finish(self):
        status = self.worker.terminate()
        assert status == 0, f"the worker ended with {status}: {self.worker.log()[-3000:]}"
        assert self.world.ready() == 0, "messages went back to the queue: something was not acknowledged"
