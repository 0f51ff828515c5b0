"""The network between the worker and its servers: late, lossy, out of order, cut without a word. The worker runs in a network namespace of its
own, its servers in another; every packet between them passes through the test."""
import link
import pytest
from link import Link
from matrix import Row, Stage, rows
from servers import RabbitMQ, Redis
from world import World

pytestmark = pytest.mark.skipif(link.unavailable() is not None, reason=str(link.unavailable()))


@pytest.fixture(scope="module")
def machines():
    """This process is on the near machine, with the servers, while the file runs."""
    with Link() as between, between.near(), Redis(address=Link.near_address) as redis, RabbitMQ(address=Link.near_address) as rabbit:
        yield between, redis, rabbit


@pytest.fixture
def stage(machines):
    between, redis, rabbit = machines
    redis.command("FLUSHALL")
    with World(redis, rabbit) as world:
        world.settings = {"amqp.url": f"amqp://guest:guest@{Link.near_address}:{rabbit.port}/%2f",
                          "redis.url": f"redis://{Link.near_address}:{redis.port}/0"}
        world.worker_prefix = between.far_command([])
        stage = Stage(world)
        stage.link = between
        try:
            yield stage
        finally:
            between.loss = between.delay = between.jitter = between.duplicates = 0.0
            between.cut = False
            channel = world.channel()
            for queue in ("bursar.deductions", "bursar.deductions.dlq"):
                channel.queue_delete(queue)
            channel.connection.close()


def network(count=300, **faults):
    """The link's faults, and traffic through them."""
    def fault(stage):
        for name, value in faults.items():
            setattr(stage.link, name, value)
        stage.traffic.wait_count(count)
        stage.world.wait("some of it to be booked through the faults", lambda: stage.world.value("SELECT count(*) FROM v_deduction") > count / 2, 60)
        if "loss" in faults:
            assert stage.link.lost > 0
        for name in faults:
            setattr(stage.link, name, 0.0)
    return fault


def cut_for_a_moment(stage):
    """Shorter than the heartbeats: TCP sends again, and nobody notices."""
    stage.link.cut = True
    stage.traffic.wait_count(150)
    stage.link.cut = False
    stage.traffic.wait_count(20)
    assert stage.count_event("broker-lost") == 0


def cut_for_long(stage):
    """Nothing is heard, not even that the connection is gone: each side gives up by itself."""
    stage.link.cut = True
    stage.wait_event("broker-lost")
    stage.wait_event("broker-unreachable", 2)
    stage.link.cut = False
    stage.wait_event("consuming", 2, 60)


def flapping(stage):
    for _ in range(6):
        stage.link.cut = True
        stage.traffic.wait_count(150)
        stage.link.cut = False
        stage.traffic.wait_count(100)


ROWS = [
    Row("100 ms each way", network(delay=0.1), "slower, and the same", parked_again=1),
    Row("5 % of the packets lost", network(loss=0.05), "slower, and the same", parked_again=3),
    Row("packets out of order and twice", network(delay=0.002, jitter=0.02, duplicates=0.1), "slower, and the same", parked_again=1),
    Row("20 % lost, 50 ms, out of order", network(loss=0.2, delay=0.05, jitter=0.05), "connections may be lost; the sums hold",
        parked_again=10, full=True),
    Row("cut for a moment", cut_for_a_moment, "nobody notices", settings={"amqp.heartbeat": 60}),
    Row("cut for longer than the heartbeats", cut_for_long, "given up on both sides; what was held comes again", parked_again=2),
    Row("cut again and again", flapping, "goes on each time", parked_again=10, full=True),
]


@rows(ROWS)
def test_network(stage, row):
    stage.play(row)
