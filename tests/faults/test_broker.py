"""The broker goes away, comes back, runs out of memory, loses patience, loses its queues."""
import sqlite3

from matrix import Row, rows


def ready(stage, status, word=""):
    """Until /readyz answers so."""
    def answers():
        answer = stage.world.http("/readyz")
        return answer[0] == status and word in answer[1]
    stage.world.wait(f"/readyz to answer {status} {word}", answers, 60)


def stopped(stage):
    stage.world.rabbit.stop()
    stage.wait_event("broker-lost")
    ready(stage, 503, "broker")
    assert stage.world.http("/livez")[0] == 200
    stage.world.rabbit.start()
    stage.wait_event("consuming", 2, 60)
    ready(stage, 200)


def killed(stage):
    stage.world.rabbit.crash()
    stage.wait_event("broker-lost")
    stage.world.rabbit.start()
    stage.wait_event("consuming", 2, 60)


def unreachable(stage):
    stage.broker.refusing = True
    stage.broker.cut_all()
    stage.wait_event("broker-unreachable", 2)
    stage.broker.refusing = False
    stage.wait_event("consuming", 2)


def memory_alarm(stage):
    """A backlog, then the alarm: the worker publishes nothing on the connection that consumes, so it ends what causes the alarm."""
    world, traffic = stage.world, stage.traffic
    stage.kill_worker()
    traffic.wait_count(100)
    with traffic.paused():
        booked, parked = (world.value(f"SELECT count(*) FROM {view}") for view in ("v_deduction", "v_parked"))
        world.rabbit.ctl("set_vm_memory_high_watermark", "0.00000001")
        try:
            stage.start_worker()
            world.wait("the backlog to be booked under the alarm", lambda: world.value("SELECT count(*) FROM v_deduction") >= len(traffic.went_in()))
            assert world.value("SELECT count(*) FROM v_deduction") > booked
            # Producing: given up in time, and the same id may be tried again.
            world.run("deduct", "wide", "3", "--message-id", "under-the-alarm", status=75)
            traffic.deducted["under-the-alarm"] = ("wide", 3)
            assert world.value("SELECT count(*) FROM v_parked") == parked, "parked while the broker takes no messages"
        finally:
            world.rabbit.ctl("set_vm_memory_high_watermark", "0.6")
        world.run("deduct", "wide", "3", "--message-id", "under-the-alarm")


def consumer_timeout(stage):
    """The ledger is locked for longer than the broker waits for an acknowledgement."""
    world = stage.world
    stage.kill_worker()
    world.rabbit.ctl("eval", "application:set_env(rabbit, consumer_timeout, 2000), application:set_env(rabbit, channel_tick_interval, 500).")
    try:
        stage.start_worker()
        link = sqlite3.connect(world.ledger, isolation_level=None)
        link.execute("BEGIN IMMEDIATE")
        stage.wait_event("broker-lost", 1, 60)
        link.execute("ROLLBACK")
        link.close()
        stage.wait_event("consuming", 2)
    finally:
        world.rabbit.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000).")


def queue_deleted(stage):
    with stage.traffic.paused():
        stage.traffic.wait_finished()
        delete(stage, "bursar.deductions")
        stage.wait_event("consumer-cancelled")
        stage.wait_event("consuming", 2)


def queue_deleted_with_messages(stage):
    """They are gone, and the producers try again with the same ids: those that are booked are recognised."""
    stage.worker.kill()
    stage.traffic.wait_count(60)
    with stage.traffic.paused():
        assert stage.world.ready() > 0
        delete(stage, "bursar.deductions")
        stage.start_worker()
        for body, message_id in list(stage.traffic.published):
            stage.traffic.publish(body, message_id)


def dead_letter_queue_deleted(stage):
    """What was in it is gone (the ledger's v_parked still lists it); the next letter finds it made again."""
    with stage.traffic.paused():
        stage.traffic.wait_finished()
        stage.letters += stage.world.dead_letters()
        delete(stage, "bursar.deductions.dlq")


def queue_full(stage):
    """The worker is away and the queue at its limit: producers hear a no, and try again."""
    world = stage.world
    stage.worker.kill()
    world.rabbit.ctl("set_policy", "full", "^bursar.deductions$", '{"max-length": 20}', "--apply-to", "queues")
    world.wait("the queue to be full", lambda: world.ready() >= 20)
    world.wait("a producer to be refused", lambda: stage.traffic.tries > 3)
    world.rabbit.ctl("clear_policy", "full")
    stage.start_worker()


def dead_letters_refused(stage):
    """The dead-letter queue is at a limit and refuses: what must be parked stays unacknowledged until it takes it."""
    world = stage.world
    world.rabbit.ctl("set_policy", "full", "^bursar.deductions.dlq$", '{"max-length": 1, "overflow": "reject-publish"}', "--apply-to", "queues")
    stage.wait_event("parking-failed")
    stage.traffic.wait_count(20)
    world.rabbit.ctl("clear_policy", "full")


def delete(stage, queue):
    channel = stage.world.channel()
    channel.queue_delete(queue)
    channel.connection.close()


ROWS = [
    Row("stopped and started", stopped, "reconnects; /readyz says what is missing, /livez stays well", parked_again=1),
    Row("killed (SIGKILL) and started", killed, "what was confirmed is still there", parked_again=1),
    Row("unreachable for a while", unreachable, "tries again with growing pauses", parked_again=1),
    Row("memory alarm", memory_alarm, "the backlog is booked; parking and producers wait or give up, nothing is lost", parked_again=2,
        settings={"worker.drain_timeout": 10}),
    Row("consumer timeout: no acknowledgement in time", consumer_timeout, "the channel is lost; the batch comes again, as duplicates",
        parked_again=2),
    Row("queue deleted under the consumer", queue_deleted, "declared again, consumed again"),
    Row("queue deleted with messages in it", queue_deleted_with_messages, "their pending entries stay until the producers try again: booked once",
        parked_again=2),
    Row("dead-letter queue deleted", dead_letter_queue_deleted, "declared again by the next letter", parked_again=1),
    Row("queue full", queue_full, "producers are refused and try again", parked_again=1),
    Row("dead-letter queue refuses", dead_letters_refused, "the originals stay unacknowledged; parked later"),
]


@rows(ROWS)
def test_broker(proxied, row):
    proxied.play(row)
