"""Connections cut in the middle of something: of a frame, of a confirm, of an acknowledgement, of a command, of a reply, of a commit."""
import sqlite3

from matrix import Row, rows
from proxy import TO_CLIENT, TO_SERVER

DELIVER, ACK, PUBLISH, CLOSE = b"\x00\x3c\x00\x3c", b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x28", b"\x00\x14\x00\x28"
RELEASE_REPLY = b"*2\r\n:1\r\n"


def is_parking(connection):
    return b"bursar run: parking" in connection.opening


def is_consuming(connection):
    return b"bursar run" in connection.opening and not is_parking(connection)


def cut_broker(towards, after, pattern=None, of=is_consuming, times=1):
    def fault(stage):
        for _ in range(times):
            stage.broker.cut(towards, after, pattern, of).wait()
            stage.traffic.wait_count(20)
    return fault


def cut_redis(towards, after, pattern=None):
    def fault(stage):
        for _ in range(3):
            stage.redis.cut(towards, after, pattern).wait()
            stage.traffic.wait_count(20)
    return fault


def cut_while_committing(stage):
    """The ledger is locked by another, so a commit is under way; meanwhile its connection goes."""
    link = sqlite3.connect(stage.world.ledger, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    stage.traffic.wait_count(20)
    stage.broker.cut_all()
    stage.wait_event("consuming", 2)
    link.execute("ROLLBACK")
    link.close()


def crumbs(stage):
    """Byte by byte in both directions, then cut at the third byte of a delivery."""
    for proxy in (stage.broker, stage.redis):
        proxy.crumb = 1
        proxy.cut_all()
    stage.wait_event("consuming", 2)
    stage.traffic.wait_count(20)
    stage.broker.cut(TO_CLIENT, 3, DELIVER).wait()
    for proxy in (stage.broker, stage.redis):
        proxy.crumb = 0


AGAIN = "what was not acknowledged comes again, and is known by its id"
ROWS = [
    Row("broker: after 1 byte of a frame", cut_broker(TO_CLIENT, 1), AGAIN, parked_again=1),
    Row("broker: in the header of a delivery", cut_broker(TO_CLIENT, 12, DELIVER), AGAIN, parked_again=1),
    Row("broker: in the body of a delivery, three times", cut_broker(TO_CLIENT, 150, DELIVER, times=3), AGAIN, parked_again=3),
    Row("broker: in the middle of an acknowledgement", cut_broker(TO_SERVER, 7, ACK), AGAIN, parked_again=1),
    Row("broker: behind an acknowledgement", cut_broker(TO_SERVER, 14, ACK), AGAIN, parked_again=1),
    Row("broker: in the middle of a parked message", cut_broker(TO_SERVER, 40, PUBLISH, is_parking), "parked again", parked_again=1),
    Row("broker: in the middle of a confirm", cut_broker(TO_CLIENT, 6, ACK, is_parking), "not confirmed: parked again", parked_again=1),
    Row("broker: before a confirm, three times", cut_broker(TO_CLIENT, -7, ACK, is_parking, times=3), "parked again", parked_again=3),
    Row("broker: both connections while a commit waits", cut_while_committing,
        "the batch is committed, its tags are forgotten, its messages come again as duplicates", parked_again=1),
    Row("both: bytes come one by one, then a cut", crumbs, "slower, and the same", parked_again=2),
    Row("Redis: in the middle of a command", cut_redis(TO_SERVER, 200), "told again, or left to the clean-up"),
    Row("Redis: before a reply", cut_redis(TO_CLIENT, 0), "done, and not known: done again without effect"),
    Row("Redis: in the middle of a refund's reply", cut_redis(TO_CLIENT, 5, RELEASE_REPLY),
        "refunded, and not known: the repeat finds nothing to give back"),
]


@rows(ROWS)
def test_cut(proxied, row):
    proxied.play(row)
