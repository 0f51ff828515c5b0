"""A producer in another language that never stops trying: traffic of every kind for the time of a fault, and the books of it."""
import contextlib
import json
import random
import threading
import time

import pika
import redis as redis_client
from books import Books

BUDGETS = {"wide": 1000000, "narrow": 40, "free": -1}
GIFT = 4000                    # Redis sells this much more of the narrow budget than the ledger has: it must be rejected and refunded
PATIENCE = 90                  # seconds a step is tried again, through whatever outage
AWAY = (OSError, redis_client.exceptions.RedisError, pika.exceptions.AMQPError)


class Traffic(Books):
    def __init__(self, world, rate=250, seed=None):
        super().__init__(world)
        self.seed = random.randrange(1 << 32) if seed is None else seed
        print("seed of the traffic:", self.seed)
        self.random = random.Random(self.seed)
        self.pause = 1 / rate
        self.refused = 0       # answers that deducted nothing
        self.lost_stock = 0    # of those: the budget is not there any more
        self.count = 0
        self.tries = 0         # of steps that failed
        self.channel = None
        self.published = []    # (body, message id), in order
        self.given_up = False  # the test has failed: no more tries
        self.stopping = threading.Event()
        self.going = threading.Event()
        self.resting = threading.Event()
        self.failure = None
        self.thread = None
        for budget, total in BUDGETS.items():
            world.run("budget", "create", budget, "--total", "unlimited" if total == -1 else str(total))
            self.total[budget] = total
        world.redis.incrby(world.keys("narrow")[0], GIFT)
        self.gift["narrow"] = GIFT

    # As a context: traffic while the block runs.
    def __enter__(self):
        self.stopping.clear()
        self.going.set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, *rest):
        self.stopping.set()
        self.given_up = kind is not None
        self.going.set()
        self.thread.join(PATIENCE + 10 if kind is None else 10)
        if self.thread.is_alive():
            if kind is None:
                raise TimeoutError("the producer hangs")
            return
        self._disconnect()
        if kind is None and self.failure is not None:
            raise self.failure

    def _run(self):
        try:
            while not self.stopping.is_set():
                self.step()
                time.sleep(self.pause)
                if not self.going.is_set():
                    self.resting.set()
                    self.going.wait()
        except Exception as error:  # shown by whoever waits for the traffic
            self.failure = error

    @contextlib.contextmanager
    def paused(self):
        """No traffic while the block runs; what was sent before may still be under way."""
        self.resting.clear()
        self.going.clear()
        self.world.wait("the producer to finish its step", lambda: self.resting.is_set() or self.failure is not None, PATIENCE)
        yield
        self.going.set()

    def wait_count(self, count, seconds=60):
        """Until this many more messages are published."""
        target = self.count + count
        def reached():
            if self.failure is not None:
                raise self.failure
            return self.count >= target
        self.world.wait(f"{count} more messages", reached, seconds)

    def send(self, count):
        """This many messages from the caller's thread."""
        for _ in range(count):
            self.step()
        self._disconnect()

    def step(self):
        number, kind = self.count, self.random.random()
        if kind < 0.06:
            self._unreadable(number)
        elif kind < 0.12:
            self._batch(number)
        else:
            self._one(number, copies=2 if kind < 0.18 else 1)
        self.count += 1

    def _one(self, number, copies):
        budget = self.random.choice(["wide", "wide", "narrow", "free"])
        amount = self.random.randint(1, 9)
        token = self.deduct(budget, f"one-{number}", amount)
        if token is not None:
            for _ in range(copies):
                self.publish({"budget_id": budget, "amount": amount, "deducted_at": token}, f"one-{number}")

    def _batch(self, number):
        items = []
        for i in range(5):
            message_id = f"batch-{number}-{i}"
            token = self.deduct("wide", message_id, i + 1)
            if token is not None:
                items.append({"message_id": message_id, "budget_id": "wide", "amount": i + 1, "deducted_at": token})
        items.append({"message_id": f"bad-{number}", "budget_id": "wide", "amount": "none"})
        self.expected_parked["invalid-amount", f"bad-{number}"] += 1
        self.publish(items, None)

    def _unreadable(self, number):
        self.expected_parked["malformed", f"unreadable-{number}"] += 1
        self.publish("{", f"unreadable-{number}")

    def deduct(self, budget, message_id, amount):
        """The token; None where Redis refuses. The same id again while the answer stays out."""
        status, _, token = self._insist(lambda: self.world.deduct(budget, message_id, amount))
        if status in (0, 1):
            self.deducted[message_id] = (budget, amount)
            return int(token)
        self.refused += 1
        self.lost_stock += status == -3
        return None

    def publish(self, body, message_id):
        """Until it is confirmed."""
        body = body if isinstance(body, str) else json.dumps(body)
        self._insist(lambda: self.world.publish(body, message_id, channel=self._channel()))
        self.published.append((body, message_id))

    def _channel(self):
        if self.channel is None or not self.channel.is_open:
            self.channel = self.world.channel()
        return self.channel

    def _disconnect(self):
        if self.channel is not None:
            try:
                self.channel.connection.close()
            except AWAY:
                pass
            self.channel = None

    def _insist(self, step):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return step()
            except AWAY as error:
                self._disconnect()
                self.tries += 1
                if self.given_up or time.monotonic() > end:
                    raise TimeoutError(f"tried for {PATIENCE} s: {error!r}") from error
                time.sleep(0.1)
