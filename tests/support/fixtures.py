"""What the tests on real servers share: one Redis and one RabbitMQ a test file, a fresh world (ledger, queues, keys) a test."""
import pika
import pytest
from servers import RabbitMQ, Redis
from world import World


@pytest.fixture(scope="session")
def servers():
    with Redis() as redis, RabbitMQ() as rabbit:
        yield redis, rabbit


def wipe(redis, rabbit):
    """Back to new servers; faults that a test left behind are mended."""
    for server in (redis, rabbit):
        if server.process is None:
            server.start()
        server.resume()
    redis.command("FLUSHALL")
    redis.command("CONFIG", "SET", "maxmemory", "0")
    connection = pika.BlockingConnection(pika.URLParameters(rabbit.url))
    channel = connection.channel()
    for queue in ("bursar.deductions", "bursar.deductions.dlq"):
        channel.queue_delete(queue)
    for exchange in ("bursar", "bursar.dlx"):
        channel.exchange_delete(exchange)
    connection.close()


@pytest.fixture
def bare(servers):
    """A world that is not initialised."""
    redis, rabbit = servers
    wipe(redis, rabbit)
    world = World(redis, rabbit)
    with world:
        yield world


@pytest.fixture
def world(bare):
    """Initialised, with a budget `camp` of 1000."""
    bare.run("init")
    bare.run("budget", "create", "camp", "--total", "1000")
    return bare
