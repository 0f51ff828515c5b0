"""Something stands still for longer than the others wait for it, and goes on as if nothing had been: a process that is stopped, a reply that
comes late."""
import signal
import time

from matrix import Row, rows
from proxy import TO_CLIENT, TO_SERVER

LONGER_THAN_HEARTBEATS = 6     # twice the heartbeat of 2 s is silence, and some
REDIS_TIMEOUT = 1


def broker_stopped(stage):
    stage.world.rabbit.pause()
    stage.wait_event("broker-lost")
    stage.wait_event("broker-unreachable")
    stage.world.rabbit.resume()
    stage.wait_event("consuming", 2, 60)


def redis_stopped(stage):
    stage.world.redis_server.pause()
    time.sleep(2.5 * REDIS_TIMEOUT)
    stage.world.redis_server.resume()


def worker_stopped(stage):
    """The broker takes it for dead and delivers to nobody; what it acknowledges afterwards belongs to a connection that is gone."""
    stage.worker.process.send_signal(signal.SIGSTOP)
    stage.world.wait("the broker to give the worker up",
                     lambda: '"bursar run"' not in stage.world.rabbit.ctl("list_connections", "client_properties"), 60)
    stage.worker.process.send_signal(signal.SIGCONT)
    stage.wait_event("consuming", 2)


def everything_stopped(stage):
    """Redis first, so that the worker is in the middle of telling it."""
    stage.world.redis_server.pause()
    stage.world.rabbit.pause()
    stage.worker.process.send_signal(signal.SIGSTOP)
    time.sleep(LONGER_THAN_HEARTBEATS)
    stage.worker.process.send_signal(signal.SIGCONT)
    stage.world.rabbit.resume()
    stage.world.redis_server.resume()


def heartbeats_lost(stage):
    """Frames of the broker arrive nowhere, those of the worker do: half a connection."""
    stage.broker.hold(TO_CLIENT)
    stage.wait_event("broker-lost")
    stage.broker.release()
    stage.wait_event("consuming", 2, 60)


def late_reply(hold, release):
    """A reply that comes after its time must never be taken for the answer to the next command."""
    def fault(stage):
        stage.redis.wait_open()
        owed = stage.redis.open()[-1]
        before = stage.count_event("redis-up")
        hold(stage)
        stage.world.wait("the worker to give the connection up", lambda: len(stage.redis.connections) > stage.redis.connections.index(owed) + 1)
        release(stage)
        stage.wait_event("redis-up", before + 1)
        assert owed.ended_by == "client", "a connection that owed a reply was kept"
        for answered in owed.times[TO_CLIENT]:
            asked = [at for at in owed.times[TO_SERVER] if at <= answered]
            if asked and answered - asked[-1] > REDIS_TIMEOUT:
                assert not [at for at in owed.times[TO_SERVER] if at > answered], "something was asked behind a reply that came late"
    return fault


def clients_paused(stage):
    """While the worker has things to tell: it is stopped for as long as it takes to have some."""
    stage.worker.process.send_signal(signal.SIGSTOP)
    stage.traffic.wait_count(60)
    stage.world.redis.client_pause(4000)
    stage.worker.process.send_signal(signal.SIGCONT)


ROWS = [
    Row("broker stopped for longer than its heartbeats", broker_stopped, "the connection is given up; what it held comes again", parked_again=2),
    Row("worker stopped for longer than its heartbeats", worker_stopped,
        "the broker gives its messages back; it connects again, and no tag of the old connection is acknowledged", parked_again=1),
    Row("frames of the broker are held back", heartbeats_lost, "silence is a lost connection", parked_again=3),
    Row("Redis stopped for longer than its timeout", redis_stopped, "bookings go on; Redis is told afterwards"),
    Row("all three stopped", everything_stopped, "each goes on, in whatever order", parked_again=2),
    Row("Redis: replies held back past the timeout",
        late_reply(lambda stage: stage.redis.hold(TO_CLIENT), lambda stage: stage.redis.release()),
        "the connection is thrown away with the reply it owes"),
    Row("Redis: commands held back past the timeout",
        late_reply(lambda stage: stage.redis.hold(TO_SERVER), lambda stage: stage.redis.release()),
        "they may be done late, and once more: without effect", full=True),
    Row("Redis: CLIENT PAUSE past the timeout",
        late_reply(clients_paused, lambda stage: None),
        "commands are done late, and once more: without effect"),
]


@rows(ROWS)
def test_stall(proxied, row):
    proxied.play(row)
