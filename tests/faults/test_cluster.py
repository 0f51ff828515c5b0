"""Three brokers, quorum queues of three, a worker that knows all hosts: the leader is killed (SIGKILL) during the traffic, and nothing is lost."""
import time

import pika
import pytest
from cluster import Cluster
from matrix import Row, Stage, only_full, rows
from servers import Redis
from world import World

pytestmark = only_full


class ClusterWorld(World):
    def channel(self):
        """On any node that answers."""
        hosts = [pika.URLParameters(node.url) for node in self.rabbit.alive]
        channel = pika.BlockingConnection(hosts).channel()
        channel.confirm_delivery()
        return channel


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def stage(cluster):
    for node in cluster.nodes:
        if node.process is None:
            cluster.start(node)
    with Redis() as redis, ClusterWorld(redis, cluster) as world:
        yield Stage(world)
        channel = world.channel()
        for queue in ("bursar.deductions", "bursar.deductions.dlq"):
            channel.queue_delete(queue)
        channel.connection.close()


def leader_killed(stage):
    cluster = stage.world.rabbit
    assert cluster.members() == 3
    leader = cluster.leader()
    leader.crash()
    stage.traffic.wait_count(100, 120)
    booked = stage.world.value("SELECT count(*) FROM v_deduction")
    stage.world.wait("bookings without the leader", lambda: stage.world.value("SELECT count(*) FROM v_deduction") > booked + 20, 60)
    assert cluster.leader() is not leader
    cluster.start(leader)


def each_killed_in_turn(stage):
    cluster = stage.world.rabbit
    for node in cluster.nodes:
        node.crash()
        stage.traffic.wait_count(50, 120)
        cluster.start(node)


def majority_lost(stage):
    """With one of three nothing can be confirmed or delivered; with two again it goes on."""
    cluster = stage.world.rabbit
    for node in cluster.nodes[1:]:
        node.crash()
    seen = [(time.monotonic(), stage.traffic.count)]

    def stands_still():
        if stage.traffic.count != seen[-1][1]:
            seen.append((time.monotonic(), stage.traffic.count))
        return time.monotonic() - seen[-1][0] > 3
    stage.world.wait("the traffic to stand still", stands_still)
    for node in cluster.nodes[1:]:
        node.start()


ROWS = [
    Row("leader killed", leader_killed, "another leads; the worker reconnects to another host", parked_again=3),
    Row("each node killed in turn", each_killed_in_turn, "the same three times", parked_again=6),
    Row("two of three killed", majority_lost, "stands still, and goes on with two", parked_again=6),
]


@rows(ROWS)
def test_cluster(stage, row):
    stage.play(row)
