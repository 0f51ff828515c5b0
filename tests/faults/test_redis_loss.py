"""Redis loses data. No worker can know what it lost, so the stock may end too high; but the ledger stays right, nothing that settled is given
back, and the difference is exactly what was lost. To mend it is another program's job."""
import os
import shutil

import redis as redis_client

from matrix import Row, rows
from proxy import Proxy, TO_CLIENT
from servers import Redis
from traffic import BUDGETS


def known(world, budget):
    """The ids that Redis has not forgotten."""
    return {message_id for key in world.keys(budget)[1:4] for message_id in world.redis.hkeys(key)}


def expect_drift_of_what_was_lost(stage):
    """To be called when Redis is back and nothing new is deducted: which deductions it has forgotten. Answers the check of the sums."""
    world, traffic = stage.world, stage.traffic
    forgotten = {budget: {message_id for message_id, (of, _) in traffic.deducted.items() if of == budget} - known(world, budget)
                 for budget in BUDGETS}
    assert any(forgotten.values()), "Redis has lost nothing: the row proves nothing"

    def check():
        settled = {row["message_id"]: row["amount"] for row in world.rows("SELECT * FROM v_deduction WHERE state = 'settled'")}
        for budget, total in BUDGETS.items():
            expected = sum(settled.get(message_id, 0) for message_id in forgotten[budget])
            if total != -1:
                assert traffic.drift(budget) == expected, f"{budget}: lost were {expected} units"
            assert not world.pending(budget)
            given_back = {message_id for key in world.keys(budget)[2:4] for message_id, entry in world.redis.hgetall(key).items()
                          if not entry.startswith("settled")}
            assert not given_back & settled.keys(), "settled, and given back"
    return check


def while_the_worker_lags(stage, step):
    """`step` in the middle of traffic that the worker does not see, so that Redis is full of pendings at that moment."""
    stage.kill_worker()
    stage.traffic.wait_count(60)
    with stage.traffic.paused():
        result = step()
    stage.traffic.wait_count(60)
    stage.start_worker()
    stage.traffic.wait_count(60)
    return result


def restored(stage):
    """From a dump whose pendings the ledger has meanwhile settled or refunded."""
    server = stage.world.redis_server
    dump = os.path.join(server.folder, "dump.rdb")

    def save():
        stage.world.redis.save()
        os.rename(dump, dump + ".old")
    while_the_worker_lags(stage, save)
    with stage.traffic.paused():
        server.kill()
        shutil.rmtree(os.path.join(server.folder, "appendonlydir"))
        os.rename(dump + ".old", dump)
        server.options = ["--appendonly", "no"]
        server.start()
        return expect_drift_of_what_was_lost(stage)


def tail_lost(stage):
    """As a power cut does under appendfsync everysec: the end of the log is gone, in the middle of a command."""
    server = stage.world.redis_server
    folder = os.path.join(server.folder, "appendonlydir")
    log = os.path.join(folder, next(name for name in os.listdir(folder) if name.endswith(".incr.aof")))
    size = while_the_worker_lags(stage, lambda: os.path.getsize(log))
    with stage.traffic.paused():
        server.kill()
        os.truncate(log, size + 77)
        server.start()
        return expect_drift_of_what_was_lost(stage)


def promoted(stage):
    """A replica that had fallen behind takes over."""
    world, master = stage.world, stage.world.redis_server
    with Proxy(master.port) as link:
        replica = Redis("--replicaof", "127.0.0.1", str(link.port))
        replica.start()
        stage.replica = replica
        world.wait("the replica to be in step", lambda: client_of(replica).info("replication")["master_link_status"] == "up")
        while_the_worker_lags(stage, lambda: fall_behind(stage, link, replica))
        with stage.traffic.paused():
            master.kill()
            link.cut_all()
            link.refusing = True
            link.release()
            client_of(replica).replicaof("no", "one")
            stage.redis.server_port = replica.port
            stage.redis.cut_all()
            world.redis = client_of(replica)
            return expect_drift_of_what_was_lost(stage)


def client_of(server):
    return redis_client.Redis(host="127.0.0.1", port=server.port, decode_responses=True)


def fall_behind(stage, link, replica):
    """From now on nothing reaches the replica; what was sent before has."""
    master = stage.world.redis
    stage.world.wait("the replica to have everything",
                     lambda: client_of(replica).info("replication")["slave_repl_offset"] >= master.info("replication")["master_repl_offset"])
    link.hold(TO_CLIENT)


def stock_keys_lost(stage):
    """The stock keys alone: what is pending is settled and released, and nobody makes the keys again."""
    stage.kill_worker()
    stage.traffic.wait_count(60)
    for budget in BUDGETS:
        stage.world.redis.delete(stage.world.keys(budget)[0])
    stage.start_worker()

    def check():
        assert stage.traffic.lost_stock > 0
        for budget in BUDGETS:
            meta = stage.world.meta(budget)
            assert stage.world.left(budget) is None and not stage.world.pending(budget)
            assert int(meta["deducted"]) == int(meta["settled"]) + int(meta.get("released", 0))
    return check


def everything_lost(stage):
    """FLUSHALL, with a backlog on its way."""
    stage.kill_worker()
    stage.traffic.wait_count(60)
    stage.world.redis.flushall()
    stage.start_worker()

    def check():
        assert stage.traffic.lost_stock > 0
        assert stage.world.redis.keys("budget:*") == [], "a key was made again, and now sells what is not there"
    return check


ROWS = [
    Row("restored from an old dump", restored, "drift = what was deducted after the dump and settled", parked_again=2, stock=False),
    Row("the end of its log is lost", tail_lost, "drift = what was deducted in it and settled", parked_again=2, stock=False),
    Row("a replica that lags is promoted", promoted, "drift = what it had not got and settled", parked_again=2, stock=False),
    Row("the stock keys are lost", stock_keys_lost, "sells nothing; pendings are cleared; no key is made again", parked_again=1, stock=False),
    Row("FLUSHALL", everything_lost, "sells nothing; the ledger books what was sold; no key is made again", parked_again=1, stock=False),
]


@rows(ROWS)
def test_redis_loss(replaceable, row):
    try:
        replaceable.play(row)
    finally:
        if replaceable.replica is not None:
            replaceable.replica.close()
