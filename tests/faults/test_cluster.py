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


def test_reconcile_without_a_leader(stage):
    """a queue that has no leader cannot tell what it holds: nothing is voided"""
    world, cluster = stage.world, stage.world.rabbit
    world.settings["reconcile.orphan_after"] = 0
    world.write_config()
    world.run("init")
    world.run("budget", "create", "camp", "--total", "1000")
    for _ in range(5):
        world.run("deduct", "camp", "2")
    for node in cluster.nodes[1:]:
        node.crash()
    done = world.run_all("reconcile", "--repair", "--json", "--set", "amqp.confirm_timeout=5")
    assert done.returncode == 69 and "queue" in done.stderr, (done.stdout, done.stderr)
    assert world.value("SELECT count(*) FROM v_deduction") == 0 and len(world.pending("camp")) == 5
    for node in cluster.nodes[1:]:
        node.start()
    world.wait("the queue to have its leader again", lambda: cluster.leader() is not None and cluster.members() == 3, 60)
    assert world.json("reconcile", "--repair")["clean"]
    worker = world.worker()
    world.wait_settled(5)
    world.wait_quiet()
    assert worker.terminate() == 0 and world.value("SELECT settled FROM v_budget") == 10
