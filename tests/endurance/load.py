"""Producers at a steady rate. Each goes on through every fault, repeating what it has no answer for under the same id, as a good producer does."""
import json
import logging
import os
import random
import subprocess
import threading
import time
import traceback

import pika
import redis

from running_books import REFUSED, WENT_IN
from campaign import UNREADABLE
from world import SCRIPTS

logging.getLogger("pika").setLevel(logging.CRITICAL)  # a broker that is away is no news here

DIRECT_SIZE = 100    # deductions in a batch message
BAD_ITEM_EVERY = 10  # batch messages
TWICE_EVERY = 20     # batch messages that are published once more
CATCH_UP = 2         # how much faster than its rate a producer goes after it was held up


class Producer(threading.Thread):
    """One thread. `sent`, `units`: deductions whose message is confirmed, their amounts; `error`: what ended it early."""

    def __init__(self, world, books, rate):
        super().__init__(daemon=True)
        self.world, self.books, self.rate = world, books, rate
        self.stopping = threading.Event()
        self.sent = self.units = 0
        self.repeats = 0
        self.error = None

    def run(self):
        began = time.monotonic()
        try:
            while not self.stopping.is_set():
                due = int((time.monotonic() - began) * self.rate) - self.sent
                if due < self.least():
                    self.stopping.wait(self.least() / self.rate)
                    continue
                sent, units = self.round(min(due, int(self.rate * CATCH_UP) + 1))
                self.sent += sent
                self.units += units
        except Exception:  # pylint: disable=broad-except
            self.error = traceback.format_exc()

    def least(self):
        """As many as make a round worth while."""
        return max(1, int(self.rate / 2))

    def again(self):
        self.repeats += 1
        time.sleep(0.5)


class CommandProducer(Producer):
    """`bursar deduct --from -`, a process each round, with ids in order of time."""

    def round(self, count):
        made = self.books.slice(count, in_order=True)
        lines = "".join(json.dumps(made.request(place)) + "\n" for place in range(count))
        while True:
            done = subprocess.run([self.world.bursar, "deduct", "-c", self.world.config, "--json", "--from", "-"], input=lines,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
            for line in done.stdout.splitlines():
                self.take_answer(made, json.loads(line))
            if done.returncode in (0, 1):
                return count, sum(made.amounts)
            if done.returncode not in (69, 75):
                raise AssertionError(f"bursar deduct: exit {done.returncode}: {done.stderr[-1000:]}")
            self.again()

    @staticmethod
    def take_answer(made, answer):
        place = int(answer["message_id"][-4:], 16)
        if answer["status"] in ("deducted", "repeat", "refunded"):
            made.state[place] = WENT_IN
        elif answer["status"] != "unavailable":
            made.state[place] = REFUSED


class BatchProducer(Producer):
    """A foreign client: deduct.lua through redis-py, batch messages through pika, with ids that jump about."""

    def __init__(self, world, books, rate):
        super().__init__(world, books, rate)
        self.messages = 0
        self.channel = None
        self.client = None
        self.script = None

    def least(self):
        return min(DIRECT_SIZE, super().least())

    def round(self, count):
        made = self.books.slice(min(count, DIRECT_SIZE), in_order=False)
        items = [dict(made.request(place), deducted_at=int(token)) for place, token in self.deduct(made) if token]
        self.messages += 1
        if self.messages % BAD_ITEM_EVERY == 0:
            bad = f"bad-{self.messages}"
            self.books.expect_parked(bad, "invalid-amount")
            items.insert(len(items) // 2, {"message_id": bad, "budget_id": "b", "amount": -1})
        for _ in range(2 if self.messages % TWICE_EVERY == 0 else 1):
            self.publish(json.dumps(items).encode(), None, {})
        for place in range(len(made.state)):
            if made.state[place] != REFUSED:
                made.state[place] = WENT_IN
        return len(made.state), sum(made.amounts)

    def deduct(self, made):
        """(place, token) of each; a token is empty where there was too little."""
        while True:
            try:
                if self.client is None:
                    self.client = redis.Redis("127.0.0.1", self.world.redis_server.port, socket_timeout=5, decode_responses=True)
                    with open(os.path.join(SCRIPTS, "deduct.lua")) as file:
                        self.script = self.client.script_load(file.read())
                pipeline = self.client.pipeline(transaction=False)
                for place in range(len(made.state)):
                    request = made.request(place)
                    pipeline.evalsha(self.script, 6, *self.world.keys(request["budget_id"]), request["message_id"], request["amount"])
                answers = pipeline.execute()
                break
            except redis.RedisError:  # away, loading, or it forgot the script
                self.client = None
                self.again()
        for place, (status, _, _) in enumerate(answers):
            if status not in (0, 1):
                made.state[place] = REFUSED
        return [(place, token) for place, (status, _, token) in enumerate(answers) if status in (0, 1)]

    def publish(self, body, message_id, headers):
        while True:
            try:
                if self.channel is None:
                    self.channel = self.world.channel()
                self.world.publish(body, message_id, headers=headers, channel=self.channel)
                return
            except (pika.exceptions.AMQPError, OSError):  # unknown whether it is there: once more does no harm
                self.channel = None
                self.again()


class UnreadableProducer(BatchProducer):
    """What nobody can read, each with a mark in its headers."""

    def least(self):
        return 1

    def round(self, count):
        body, property_id, reason = random.choice(UNREADABLE)
        self.messages += 1
        mark = f"unreadable-{self.messages}"
        self.books.expect_parked(mark, reason)
        self.publish(body, property_id and property_id % self.messages, {"x-mark": mark})
        return 1, 0
