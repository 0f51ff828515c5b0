#!/usr/bin/python3
"""A producer for Bursar: deducts in Redis, then publishes what it deducted to RabbitMQ.

usage: producer.py BUDGET_ID AMOUNT [MESSAGE_ID]

Prints one line of JSON. Exit status: 0 deducted and published (or known before), 1 refused, 75 not known to be published: run it
again with the same MESSAGE_ID. Needs redis-py 4 or newer and pika 1.2 or newer.

BURSAR_REDIS_URL, BURSAR_AMQP_URL and BURSAR_DEDUCT_LUA (the path of scripts/redis/deduct.lua) say where things are.
"""
import json
import os
import secrets
import sys
import time

import pika
import redis

EXCHANGE, ROUTING_KEY, PREFIX = "bursar", "deduction", "budget:"
KEY_SUFFIXES = ("", ":pending", ":done:0", ":done:1", ":meta", ":credits")
STATUS = {1: "deducted", 0: "repeat", -2: "insufficient", -3: "not-initialised", -4: "conflict", -5: "invalid", -6: "refunded",
          -7: "closed"}
TRIES = 5


def new_message_id():
    """UUIDv7: the time first, so that the ledger's index grows at its end."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def repeated(what, transient):
    """Calls `what` until it works. Everything here may be repeated, because the message id stays the same."""
    for attempt in range(TRIES):
        try:
            return what()
        except transient as error:
            if attempt == TRIES - 1:
                raise
            print(f"trying again: {type(error).__name__}: {error}", file=sys.stderr)
            time.sleep(0.2 * 2 ** attempt)


class Producer:
    """One Redis client and one RabbitMQ connection; for one thread."""

    def __init__(self, redis_url, amqp_url, deduct_lua):
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)
        self.amqp_parameters = pika.URLParameters(amqp_url)
        self.amqp_parameters.blocked_connection_timeout = 30  # an alarm of the broker must not hold this up for ever
        self.channel = None
        with open(deduct_lua, encoding="utf-8") as file:
            # EVALSHA; where Redis forgot the script (NOSCRIPT), redis-py loads it and calls again.
            self.script = self.redis.register_script(file.read())

    def deduct(self, budget_id, amount, message_id):
        """(status, left, token) as deduct.lua answers; a lost answer is asked for again with the same id."""
        keys = [f"{PREFIX}{{{budget_id}}}{suffix}" for suffix in KEY_SUFFIXES]
        transient = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError,
                     redis.exceptions.ReadOnlyError)
        return repeated(lambda: self.script(keys=keys, args=[message_id, amount]), transient)

    def publish(self, message):
        """Returns once RabbitMQ has confirmed that the message is in a queue; raises when it does not."""
        body = json.dumps(message, separators=(",", ":")).encode()
        properties = pika.BasicProperties(message_id=message["message_id"], content_type="application/json", delivery_mode=2)

        def once():
            if self.channel is None:
                channel = pika.BlockingConnection(self.amqp_parameters).channel()
                channel.confirm_delivery()
                self.channel = channel
            try:
                self.channel.basic_publish(EXCHANGE, ROUTING_KEY, body, properties, mandatory=True)
            except pika.exceptions.AMQPError:
                self.close_channel()
                raise

        repeated(once, pika.exceptions.AMQPError)

    def close_channel(self):
        channel, self.channel = self.channel, None
        try:
            if channel is not None:
                channel.connection.close()
        except pika.exceptions.AMQPError:
            pass

    def produce(self, budget_id, amount, message_id, user_id=None):
        """Deducts and publishes. The answer's "published" says whether the broker confirmed it."""
        status, left, token = self.deduct(budget_id, amount, message_id)
        answer = {"message_id": message_id, "status": STATUS[status], "left": left, "deducted_at": token, "published": False}
        if status not in (1, 0):
            return answer
        message = {"message_id": message_id, "budget_id": budget_id, "amount": amount, "deducted_at": int(token)}
        if user_id is not None:
            message["user_id"] = user_id
        try:
            # Also after a repeat: the first try may have died before it published. The ledger books an id once.
            self.publish(message)
            answer["published"] = True
        except pika.exceptions.AMQPError as error:
            # Never given back: the message may have arrived. The same id again settles the question.
            print(f"not confirmed: {type(error).__name__}: {error}", file=sys.stderr)
        return answer


def main():
    if len(sys.argv) not in (3, 4) or not sys.argv[2].isdigit():
        print(__doc__, file=sys.stderr)
        return 64
    here = os.path.dirname(os.path.abspath(__file__))
    producer = Producer(os.environ.get("BURSAR_REDIS_URL", "redis://127.0.0.1:6379/0"),
                        os.environ.get("BURSAR_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
                        os.environ.get("BURSAR_DEDUCT_LUA", os.path.join(here, "../../scripts/redis/deduct.lua")))
    # The id belongs to the business event (an order, a draw), and is kept with it: whoever retries uses the same one.
    message_id = sys.argv[3] if len(sys.argv) == 4 else new_message_id()
    try:
        answer = producer.produce(sys.argv[1], int(sys.argv[2]), message_id)
    except redis.exceptions.RedisError as error:
        # It may be deducted all the same: only the same id finds that out.
        print(f"not known to be deducted: {type(error).__name__}: {error}; run it again with the id {message_id}", file=sys.stderr)
        return 75
    print(json.dumps(answer))
    if answer["published"]:
        return 0
    return 75 if answer["status"] in ("deducted", "repeat") else 1


if __name__ == "__main__":
    sys.exit(main())
