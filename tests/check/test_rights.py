"""The rights that README.md and etc/redis-acl.example call the least: enough for the worker and for producers, and no more."""
import json
import os
import re
import subprocess
import sys

import pika
import pytest
import redis as redis_client

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from world import World


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def acl_rules(text):
    """{user: rules} of the `user` lines."""
    return {words[1]: words[2:] for words in map(str.split, re.findall(r"^user .*$", text, re.MULTILINE))}


def permissions():
    """{who: (configure, write, read)} of the table in README.md."""
    rows = re.findall(r"^\| (worker|producer)([^|]*) \| `([^`]*)` \| `([^`]*)` \| `([^`]*)` \|$", read("README.md"), re.MULTILINE)
    return {who + (" declares" if "= true" in rest else ""): patterns for who, rest, *patterns in rows}


@pytest.fixture(scope="module")
def world():
    """Servers with a user for each row of the tables, all with the password SECRET."""
    with World() as world:
        for user, rules in acl_rules(read("etc/redis-acl.example")).items():
            world.redis.execute_command("ACL", "SETUSER", user, *rules)
        for who, patterns in permissions().items():
            user = who.replace(" ", "-")
            world.rabbit.ctl("add_user", user, "SECRET")
            world.rabbit.ctl("set_permissions", user, *patterns)
        yield world


def use(world, redis_user, rabbit_user):
    world.settings["redis.url"] = world.redis_server.url.replace("//", f"//{redis_user}:SECRET@")
    world.settings["amqp.url"] = world.rabbit.url.replace("guest:guest", f"{rabbit_user}:SECRET")
    world.settings["amqp.declare"] = rabbit_user == "worker-declares"
    world.write_config()


def produce(world, *words):
    """The example in Python, with a producer's rights."""
    environment = dict(os.environ, BURSAR_REDIS_URL=world.redis_server.url.replace("//", "//producer:SECRET@"),
                       BURSAR_AMQP_URL=world.rabbit.url.replace("guest:guest", "producer:SECRET"))
    done = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "examples", "python", "producer.py"), *words], env=environment,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def settle_refuse_and_park(world, name):
    """A worker does everything that a worker does."""
    worker = world.worker()
    worker.wait_log("event=consuming")
    produce(world, "camp", "3", f"{name}-1")
    world.wait("a booking", lambda: world.rows("SELECT * FROM v_deduction WHERE message_id = ?", f"{name}-1"))
    produce(world, "shut", "5", f"{name}-2")
    world.wait("a refund", lambda: world.rows("SELECT * FROM v_deduction WHERE message_id = ? AND refund = 'done'", f"{name}-2"))
    parked = world.value("SELECT count(*) FROM v_parked")
    world.publish("{", f"{name}-3")
    world.wait("a parked message", lambda: world.value("SELECT count(*) FROM v_parked") == parked + 1)
    world.wait("the pendings to be cleared", lambda: not world.pending("camp") and not world.pending("shut"))
    assert worker.terminate() == 0
    assert not re.search("NOPERM|ACCESS_REFUSED", worker.log()), worker.log()


def test_readme_and_sample_agree():
    assert acl_rules(read("README.md")) == acl_rules(read("etc/redis-acl.example"))
    assert set(acl_rules(read("README.md"))) == {"bursar", "producer"}
    assert set(permissions()) == {"worker", "worker declares", "producer"}


def test_a_worker_that_declares(world):
    use(world, "bursar", "worker-declares")
    world.run("init")
    world.run("check")
    world.run("budget", "create", "camp", "--total", "1000")
    world.run("budget", "add", "camp", "5")
    # Redis sells it, the ledger does not know it: every deduction is rejected, and refunded.
    world.script("credit")(keys=world.keys("shut"), args=["by-hand", 100])
    settle_refuse_and_park(world, "declares")


def test_a_worker_that_does_not_declare(world):
    use(world, "bursar", "worker")
    settle_refuse_and_park(world, "checks")
    world.run("budget", "close", "camp")
    world.run("budget", "reopen", "camp")
    world.run("status")


def reconcile_in_redis(world):
    """What reconciling asks of Redis, with the worker's rights."""
    bursar = redis_client.Redis(host="127.0.0.1", port=world.redis_server.port, username="bursar", password="SECRET", decode_responses=True)

    def call(script, *arguments):
        return bursar.evalsha(bursar.script_load(read(f"scripts/redis/{script}.lua")), 6, *world.keys("camp"), *arguments)

    left, _, *_, amended = call("audit")
    call("amend", int(amended) + 1, 1, 1, 0, 0, 0, "none")
    assert call("audit")[0] == str(int(left) + 1)
    world.redis.delete(world.keys("camp")[0])
    mended = f"mended-{amended}"
    assert call("amend", int(amended) + 2, 0, -1, 0, 0, 0, "limited", "active", mended, "0") == [1, left]
    assert mended in bursar.hscan(world.keys("camp")[5])[1]
    return bursar


def test_reconciling_has_the_rights_it_needs(world):
    bursar = reconcile_in_redis(world)
    assert len(bursar.info("server")["run_id"]) == 40


def test_the_run_id_is_optional(world):
    world.redis.execute_command("ACL", "SETUSER", "bursar", "-info")
    with pytest.raises(redis_client.exceptions.NoPermissionError):
        reconcile_in_redis(world).info("server")
    world.redis.execute_command("ACL", "SETUSER", "bursar", "+info")


def test_the_command_deducts_with_a_producers_rights(world):
    use(world, "producer", "producer")
    assert world.json("deduct", "camp", "2", "--message-id", "by-command")["published"] is True


@pytest.mark.parametrize("script, arguments", [("credit", ["gift", "5"]), ("release", ["600", "held", "{token}", "voided"]),
                                               ("settle", ["600", "held", "{token}"])])
def test_a_producer_cannot_give(world, script, arguments):
    token = world.deduct("camp", "held", 1)[2]
    before = world.left("camp"), world.pending("camp")
    producer = redis_client.Redis(host="127.0.0.1", port=world.redis_server.port, username="producer", password="SECRET", decode_responses=True)
    with pytest.raises(redis_client.exceptions.ResponseError) as refusal:
        producer.register_script(read(f"scripts/redis/{script}.lua"))(
            keys=world.keys("camp"), args=[argument.format(token=token) for argument in arguments])
    assert re.search("ACL|can't run this command", str(refusal.value))
    assert (world.left("camp"), world.pending("camp")) == before


@pytest.mark.parametrize("command", [("SET", "budget:{camp}", "9"), ("DEL", "budget:{camp}"), ("GET", "other"), ("FLUSHALL",),
                                     ("CLIENT", "LIST"), ("CONFIG", "GET", "*"), ("KEYS", "*")])
def test_a_producer_cannot_do_anything_else_in_redis(world, command):
    producer = redis_client.Redis(host="127.0.0.1", port=world.redis_server.port, username="producer", password="SECRET")
    with pytest.raises(redis_client.exceptions.NoPermissionError):
        producer.execute_command(*command)


@pytest.mark.parametrize("attempt", [
    lambda channel: channel.basic_get("bursar.deductions"),
    lambda channel: channel.queue_purge("bursar.deductions"),
    lambda channel: channel.queue_declare("bursar.mine"),
    lambda channel: channel.basic_publish("bursar.dlx", "deduction", b"{}", mandatory=True),
])
def test_a_producer_cannot_do_anything_else_in_the_broker(world, attempt):
    parameters = pika.URLParameters(world.rabbit.url.replace("guest:guest", "producer:SECRET"))
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refusal:
        attempt(channel)
    assert refusal.value.reply_code == 403
    connection.close()
