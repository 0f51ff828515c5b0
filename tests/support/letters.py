"""Dead letters for tests: what a worker parks, what the broker gives up, and what strangers leave."""
import json
import time

import pika

QUEUE = "bursar.deductions.dlq"
EPOCH = "2026-01-02T03:04:05.000000Z"


def parked_headers(reason, at=EPOCH, replays=0, detail="planted", exchange="bursar", key="deduction"):
    """What a worker writes into the headers of what it parks."""
    return {"x-bursar-reason": reason, "x-bursar-detail": detail, "x-bursar-parked-at": at, "x-bursar-exchange": exchange,
            "x-bursar-routing-key": key, "x-bursar-replays": replays}


def body_of(message_id, amount=1, budget="camp", **more):
    return dict({"message_id": message_id, "budget_id": budget, "amount": amount}, **more)


def plant(world, letters):
    """Puts letters straight into the dead-letter queue: (body, headers) or (body, headers, property id). Pipelined."""
    connection = pika.BlockingConnection(pika.URLParameters(world.rabbit.url))
    channel = connection.channel()
    before = world.ready(QUEUE)
    for body, headers, *message_id in letters:
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        channel.basic_publish("bursar.dlx", "deduction", raw, pika.BasicProperties(
            content_type="application/json", delivery_mode=2, headers=headers, message_id=message_id[0] if message_id else None))
    # What is only sent may be lost when its connection closes.
    world.wait("the letters", lambda: channel.queue_declare(QUEUE, passive=True).method.message_count == before + len(letters))
    connection.close()


def give_up(world, bodies):
    """Lets the broker itself dead-letter messages of the work queue: each is given back too often."""
    for body in bodies:
        world.publish(body)
    connection = pika.BlockingConnection(pika.URLParameters(world.rabbit.url))
    channel = connection.channel()
    end = time.monotonic() + 60
    while world.ready(QUEUE) < len(bodies) and time.monotonic() < end:
        method, _, _ = channel.basic_get("bursar.deductions")
        if method is not None:
            channel.basic_nack(method.delivery_tag, requeue=True)
    connection.close()
    world.wait("the broker to give them up", lambda: world.ready(QUEUE) == len(bodies))


def listed(world, *words):
    """`dlq list` as {reason: count}."""
    return {group["reason"]: group["count"] for group in world.json("dlq", "list", *words)}


def shown(world, *words):
    """`dlq show` as a list."""
    return [json.loads(line) for line in world.run("dlq", "show", "--json", *words).splitlines()]
