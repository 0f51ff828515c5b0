"""The example producers against real servers. The one in Python runs wherever the tests run; the others where EXAMPLE_NODE,
EXAMPLE_JAVA or EXAMPLE_GO in the environment says how to start them, for their libraries are not Debian's."""
import json
import os
import shlex
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from world import World

PROGRAMS = {"python": f"/usr/bin/python3 {ROOT}/examples/python/producer.py"}
for language in ("node", "java", "go"):
    if "EXAMPLE_" + language.upper() in os.environ:
        PROGRAMS[language] = os.environ["EXAMPLE_" + language.upper()]


class Producer:
    def __init__(self, world, program):
        self.world = world
        self.command = shlex.split(program)
        self.environment = dict(os.environ, BURSAR_REDIS_URL=world.redis_server.url, BURSAR_AMQP_URL=world.rabbit.url,
                                BURSAR_DEDUCT_LUA=os.path.join(ROOT, "scripts", "redis", "deduct.lua"))

    def run(self, *words):
        """(exit status, the answer)"""
        done = subprocess.run([*self.command, *words], env=self.environment, capture_output=True, text=True, timeout=120)
        return done.returncode, json.loads(done.stdout) if done.stdout else None


@pytest.fixture(scope="module")
def world():
    with World() as world:
        world.run("init")
        world.run("budget", "create", "camp:42", "--total", "10")
        yield world


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS.keys())
def producer(world, request):
    channel = world.channel()
    channel.queue_purge("bursar.deductions")
    channel.connection.close()
    world.redis.flushall()
    world.script("credit")(keys=world.keys("camp:42"), args=["first", 10])
    return Producer(world, request.param)


def queued(world):
    """Takes everything out of the queue: [(properties, body as JSON)]"""
    channel = world.channel()
    found = []
    while True:
        method, properties, body = channel.basic_get("bursar.deductions", auto_ack=True)
        if method is None:
            channel.connection.close()
            return found
        found.append((properties, json.loads(body)))


def test_deducts_and_publishes(world, producer):
    status, answer = producer.run("camp:42", "3")
    assert (status, answer["status"], answer["left"], answer["published"]) == (0, "deducted", "7", True)
    message_id = answer["message_id"]
    assert message_id[14] == "7" and message_id[19] in "89ab", "not a UUIDv7"
    [(properties, body)] = queued(world)
    assert (properties.message_id, properties.delivery_mode, properties.content_type) == (message_id, 2, "application/json")
    assert (body["message_id"], body["budget_id"], int(body["amount"])) == (message_id, "camp:42", 3)
    assert body["deducted_at"] == int(answer["deducted_at"])
    assert world.pending("camp:42") == {message_id: f"3:{answer['deducted_at']}"}


def test_a_repeat_publishes_again_and_takes_nothing(world, producer):
    first = producer.run("camp:42", "3", "order-7")[1]
    status, again = producer.run("camp:42", "3", "order-7")
    assert (status, again["status"], again["deducted_at"]) == (0, "repeat", first["deducted_at"])
    assert world.left("camp:42") == 7
    assert [body["deducted_at"] for _, body in queued(world)] == [int(first["deducted_at"])] * 2


@pytest.mark.parametrize("words, expected", [(("camp:42", "4", "order-7"), "conflict"), (("camp:42", "8"), "insufficient"),
                                             (("nowhere", "1"), "not-initialised")])
def test_a_refusal_publishes_nothing(world, producer, words, expected):
    producer.run("camp:42", "3", "order-7")
    queued(world)
    status, answer = producer.run(*words)
    assert (status, answer["status"], answer["published"]) == (1, expected, False)
    assert queued(world) == []


def test_a_script_that_redis_forgot_is_sent_again(world, producer):
    world.redis.script_flush()
    assert producer.run("camp:42", "1")[0] == 0


def test_a_message_that_no_queue_takes_is_not_published(world, producer):
    channel = world.channel()
    channel.queue_unbind("bursar.deductions", "bursar", "deduction")
    try:
        status, answer = producer.run("camp:42", "1", "order-9")
        assert (status, answer["status"], answer["published"]) == (75, "deducted", False)
    finally:
        channel.queue_bind("bursar.deductions", "bursar", "deduction")
        channel.connection.close()
    assert producer.run("camp:42", "1", "order-9")[1]["published"] is True
    assert world.left("camp:42") == 9


def test_a_redis_that_is_away_is_no_refusal(world, producer):
    world.redis_server.stop()
    try:
        status, answer = producer.run("camp:42", "1", "order-11")
        assert (status, answer) == (75, None)
    finally:
        world.redis_server.start()


def test_a_broker_that_is_away_costs_a_retry(world, producer):
    world.rabbit.stop()
    try:
        status, answer = producer.run("camp:42", "1", "order-10")
        assert (status, answer["status"], answer["published"]) == (75, "deducted", False)
    finally:
        world.rabbit.start()
    status, answer = producer.run("camp:42", "1", "order-10")
    assert (status, answer["status"], answer["published"]) == (0, "repeat", True)
    assert world.left("camp:42") == 9
