"""`bursar dlq discard` on real servers: gone for good, never booked later, and the stock is what it should be."""
import contextlib
import json
import os
import pty
import select
import subprocess
import time

import pytest
from letters import QUEUE, body_of, listed, parked_headers, plant, shown
from test_dlq_replay import counts, deducted, journal, parked_rows, replay


def discard(world, *words, status=0):
    return world.json("dlq", "discard", "--yes", *words, status=status)


def row(world, message_id):
    found = world.rows("SELECT budget_id, amount, deducted_at_us, state, reason, refund FROM v_deduction WHERE message_id = ?", message_id)
    return tuple(found[0].values()) if found else None


def query(world, message_id, budget="camp"):
    return world.script("query")(keys=world.keys(budget), args=[message_id])[0]


def test_a_pending_deduction_is_voided_and_given_back(world):
    message = deducted(world, "m1", 5)
    assert world.left("camp") == 995
    plant(world, [(dict(message, amount="five"), parked_headers("invalid-amount"))])
    dry = world.json("dlq", "discard", "--dry-run")
    assert counts(dry) == (1, 0, 1, True) and dry["letters"][0]["fate"] == "would-discard"
    assert dry["letters"][0]["detail"] == "1 voided, 5 given back"
    assert row(world, "m1") is None and world.left("camp") == 995 and world.ready(QUEUE) == 1
    answer = discard(world)
    assert counts(answer) == (1, 1, 0, False) and (answer["voided"], answer["refunded"], answer["refunds_due"]) == (1, 5, 0)
    assert row(world, "m1") == ("camp", 5, message["deducted_at"], "voided", "discarded", "done")
    assert world.left("camp") == 1000 and not world.pending("camp") and query(world, "m1") == "voided"
    assert world.ready(QUEUE) == 0
    # Another copy is never booked.
    worker = world.worker()
    world.publish(message)
    world.wait_quiet()
    assert row(world, "m1")[3] == "voided" and world.left("camp") == 1000
    assert worker.terminate() == 0
    assert [entry["message_id"] for entry in journal(world, 5)] == ["m1"]


def test_what_was_parked_is_marked(world):
    worker = world.worker()
    world.publish("no json")
    world.publish("none either")
    world.publish(body_of("m1", 0))
    world.wait("them to be parked", lambda: world.ready(QUEUE) == 3)
    assert counts(discard(world, "--reason", "malformed", "--limit", "1")) == (1, 1, 0, False)
    assert sorted(parked_rows(world), key=str) == [("m1", "invalid-amount", "parked"), (None, "malformed", "discarded"), (None, "malformed", "parked")]
    assert counts(discard(world)) == (2, 2, 0, False)
    assert {state for _, _, state in parked_rows(world)} == {"discarded"}
    assert worker.terminate() == 0


def test_what_keeps_no_pending_entry(world):
    world.redis.decrby("budget:{camp}", 7)  # as an older producer deducts
    plant(world, [(body_of("m1", 7), parked_headers("unprocessable"))])
    assert discard(world)["refunded"] == 7
    assert row(world, "m1") == ("camp", 7, None, "voided", "discarded", "done") and world.left("camp") == 1000


def test_what_is_not_known_is_not_given_back(world):
    finished = deducted(world, "old", 4)
    world.script("release")(keys=world.keys("camp"), args=[600, "old", finished["deducted_at"], "rejected"])
    plant(world, [(finished, parked_headers("unprocessable")), (body_of("odd", "x"), parked_headers("invalid-amount")),
                  (body_of("gone", 3, deducted_at=1732263296123456), parked_headers("unprocessable")),
                  ({"message_id": "bare", "amount": 2}, parked_headers("invalid-budget-id")),
                  (b'{"message_id": "cut", "budget_id": "camp", "amount": 3', parked_headers("malformed"), "cut"), ("no json", None)])
    answer = discard(world)
    assert counts(answer) == (6, 6, 0, False) and (answer["voided"], answer["refunded"]) == (5, 0)
    assert row(world, "old") == ("camp", 4, finished["deducted_at"], "voided", "discarded", "done")
    assert row(world, "odd") == ("camp", 1, None, "voided", "discarded", "done")
    assert row(world, "gone")[3:] == ("voided", "discarded", "done")
    assert row(world, "bare") == ("-", 2, None, "voided", "discarded", "done")
    assert row(world, "cut") == ("camp", 1, None, "voided", "discarded", "done")
    assert world.left("camp") == 1000
    assert len(journal(world, 5)) == 6  # the one without id too


def test_of_two_ids_neither_is_voided(world):
    """The property belongs to another message, which is good and on its way."""
    good, odd = deducted(world, "good", 10), deducted(world, "odd", 7)
    plant(world, [(odd, parked_headers("malformed"), "good"), (json.dumps(odd)[:-1], parked_headers("malformed"), "good"),
                  (json.dumps(dict(odd, message_id="odd/1")).replace("/", "\\/"), parked_headers("malformed"), "good")])
    assert {letter["detail"] for letter in world.json("dlq", "discard", "--dry-run")["letters"]} == {
        "property and body name two ids: neither is voided, nothing is given back"}
    answer = discard(world)
    assert counts(answer) == (3, 3, 0, False) and (answer["voided"], answer["refunded"]) == (0, 0)
    assert sorted(world.pending("camp")) == ["good", "odd"] and world.left("camp") == 983
    assert {entry["value_after"] for entry in journal(world, 5)} == {"property and body name two ids: neither is voided, nothing is given back"}
    worker = world.worker()
    world.publish(good)
    world.wait_settled(1)
    assert row(world, "good")[3] == "settled" and row(world, "odd") is None
    assert worker.terminate() == 0


def test_an_id_that_is_written_twice_is_one(world):
    message = deducted(world, "order/1", 5)
    body = json.dumps(dict(message, user_id=5)).replace("/", "\\/")
    plant(world, [(body, parked_headers("malformed"), "order/1")])
    assert discard(world)["refunded"] == 5 and row(world, "order/1")[3] == "voided"


@pytest.mark.parametrize("form", ["readable", "unreadable", "cut"])
def test_an_entry_with_another_token_is_left_alone(world, form):
    message = deducted(world, "m1", 5)
    old = dict(message, deducted_at=message["deducted_at"] - 1000)
    body = {"readable": old, "unreadable": dict(old, amount="x"), "cut": json.dumps(old)[:-1] + ","}[form]
    plant(world, [(body, parked_headers("malformed"), "m1")])
    answer = discard(world)
    assert (answer["done"], answer["voided"], answer["refunded"]) == (1, 1, 0)
    assert row(world, "m1") == ("camp", 5 if form == "readable" else 1, old["deducted_at"], "voided", "discarded", "done")
    assert "m1" in world.pending("camp") and world.left("camp") == 995
    # The letter that it does belong to.
    plant(world, [(dict(message, amount="x"), parked_headers("invalid-amount"))])
    assert discard(world)["refunded"] == 5
    assert world.left("camp") == 1000 and not world.pending("camp")


def test_the_void_of_what_cannot_be_read_carries_its_token(world):
    message = deducted(world, "m1", 5)
    world.script("release")(keys=world.keys("camp"), args=[600, "m1", message["deducted_at"], "voided"])
    cut_short = json.dumps(deducted(world, "m2", 7))[:-2]  # the token ends too early, and nothing says so
    plant(world, [(dict(message, amount="x", deducted_at=str(message["deducted_at"])), parked_headers("invalid-amount")),
                  (cut_short, parked_headers("malformed"), "m2")])
    assert discard(world)["refunded"] == 7
    assert row(world, "m1") == ("camp", 1, message["deducted_at"], "voided", "discarded", "done")
    assert row(world, "m2")[1] == 7 and world.left("camp") == 1000


def test_what_is_booked_stays_booked(world):
    worker = world.worker()
    message = deducted(world, "m1", 5)
    world.publish(message)
    world.wait_quiet()
    assert worker.terminate() == 0
    plant(world, [(message, parked_headers("unprocessable"))])
    assert discard(world)["voided"] == 0
    assert row(world, "m1")[3] == "settled" and world.left("camp") == 995 and world.ready(QUEUE) == 0


@pytest.mark.parametrize("case", ["amount", "budget", "booked-pending", "not-its-own"])
def test_a_conflict_gives_back_only_what_the_row_does_not_own(world, case):
    world.run("budget", "create", "other", "--total", "1000")
    worker = world.worker()
    first = deducted(world, "m1", 5)
    world.publish(first)
    world.wait_quiet()
    assert worker.terminate() == 0
    for key in world.keys("camp")[2:4]:
        world.redis.delete(key)  # forgotten after the done window
    if case == "amount":
        second = deducted(world, "m1", 9)
    elif case == "budget":
        second = deducted(world, "m1", 9, budget="other")
    elif case == "booked-pending":
        deducted(world, "m1", 5)  # a second one like the first: a worker's to give back
        second = body_of("m1", 9)
    else:
        deducted(world, "m1", 9)  # of a third message, whose token this one does not have
        second = body_of("m1", 9, deducted_at=4711)
    plant(world, [(second, parked_headers("id-conflict"))])
    answer = discard(world)
    assert counts(answer) == (1, 1, 0, False) and answer["voided"] == 0
    assert row(world, "m1")[:4] == ("camp", 5, first["deducted_at"], "settled")
    if case == "amount":
        assert answer["refunded"] == 9 and world.left("camp") == 995 and query(world, "m1") == "voided"
    elif case == "budget":
        assert answer["refunded"] == 9 and world.left("other") == 1000 and query(world, "m1", "other") == "voided"
    else:
        assert answer["refunded"] == 0 and "m1" in world.pending("camp")


def test_the_entry_of_a_booked_deduction_is_left_alone(world):
    """Its worker died before it told Redis: given back now, it would be sold twice."""
    worker = world.worker()
    first = deducted(world, "m1", 5)
    world.publish(first)
    world.wait_quiet()
    assert worker.terminate() == 0
    world.redis.hset("budget:{camp}:pending", "m1", f"5:{first['deducted_at']}")
    plant(world, [(first, parked_headers("delivery_limit")), (dict(first, amount=9), parked_headers("id-conflict"))])
    answer = discard(world)
    assert (answer["done"], answer["voided"], answer["refunded"]) == (2, 0, 0)
    assert world.left("camp") == 995 and "m1" in world.pending("camp")


def test_a_batch_message_is_discarded_item_by_item(world):
    good, odd = deducted(world, "b1", 2), deducted(world, "b2", 3)
    plant(world, [([good, dict(odd, amount="x"), body_of("b3", 4), 7], parked_headers("delivery_limit"))])
    world.redis.decrby("budget:{camp}", 4)
    answer = discard(world)
    assert (answer["done"], answer["voided"], answer["refunded"]) == (1, 3, 9)
    assert [row(world, key)[1] for key in ("b1", "b2", "b3")] == [2, 3, 4] and world.left("camp") == 1000


def test_a_batch_message_is_discarded_where_every_item_is_meant(world):
    world.run("budget", "create", "other", "--total", "1000")
    mixed = [deducted(world, "b1", 2), deducted(world, "b2", 3, budget="other"), deducted(world, "b3", 4, budget="other")]
    plant(world, [(mixed, parked_headers("delivery_limit")), ([deducted(world, "b4", 5)], parked_headers("delivery_limit"))])
    assert listed(world, "--budget", "camp") == {"delivery_limit": 2}
    assert counts(discard(world, "--id", "b1")) == counts(discard(world, "--budget", "other")) == (0, 0, 0, False)
    answer = discard(world, "--budget", "camp")
    assert counts(answer) == (1, 1, 0, False) and answer["refunded"] == 5
    assert row(world, "b1") is None and world.left("other") == 993
    assert discard(world, "--id", "b1", "--id", "b2", "--id", "b3")["refunded"] == 9
    assert world.left("camp") == world.left("other") == 1000 and world.ready(QUEUE) == 0


def test_twice_the_same_id_at_once(world):
    message = deducted(world, "m1", 5)
    world.redis.decrby("budget:{camp}", 2)
    plant(world, [(message, parked_headers("unprocessable"))] * 3 + [(body_of("m2", 2), parked_headers("unprocessable"))] * 2)
    answer = discard(world)
    assert (answer["done"], answer["voided"], answer["refunded"]) == (5, 2, 7) and world.left("camp") == 1000


@contextlib.contextmanager
def discard_on_a_terminal(world, *words):
    """(process, its terminal); standard output is a pipe."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([world.bursar, "dlq", "discard", "-c", world.config, *words], stdin=follower, stderr=follower,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process, leader
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
        os.close(leader), os.close(follower)


def hear(terminal, words):
    said = b""
    while words not in said:
        assert select.select([terminal], [], [], 30)[0], said
        said += os.read(terminal, 1000)


def test_it_asks_on_a_terminal_and_wants_yes_elsewhere(world):
    plant(world, [(body_of("m1", "x"), parked_headers("invalid-amount"))])
    done = world.run_all("dlq", "discard")
    assert done.returncode == 64 and "--yes" in done.stderr
    for answer, status, left in ((b"\n", 1, 1), (b"y\n", 0, 0)):
        with discard_on_a_terminal(world) as (process, terminal):
            hear(terminal, b"1 messages of queue bursar.deductions.dlq are thrown away for good. Go on? [y/N]")
            os.write(terminal, answer)
            assert process.wait(30) == status
        assert world.ready(QUEUE) == left


def test_where_nothing_matches_nothing_is_asked_and_nothing_goes(world):
    plant(world, [(body_of("m1", "x"), parked_headers("invalid-amount"))])
    with discard_on_a_terminal(world, "--reason", "malformed", "--json") as (process, terminal):
        hear(terminal, b"dlq discard: no message matches; nothing was discarded")
        assert process.wait(30) == 0
        assert counts(json.loads(process.stdout.read())) == (0, 0, 0, False)
    assert world.ready(QUEUE) == 1


def test_no_more_goes_than_was_asked_for(world):
    """While somebody thinks one message that was counted goes, by other hands, and one that matches is parked."""
    plant(world, [(body_of("other", "x"), parked_headers("malformed")), (body_of("m1", "x"), parked_headers("invalid-amount"))])
    with discard_on_a_terminal(world, "--reason", "invalid-amount") as (process, terminal):
        hear(terminal, b"1 messages of queue")
        channel = world.channel()
        taken, _, body = channel.basic_get(QUEUE)
        assert json.loads(body)["message_id"] == "other"
        channel.basic_ack(taken.delivery_tag)
        channel.connection.close()
        world.wait("one to be gone", lambda: world.ready(QUEUE) == 1)
        plant(world, [(body_of("m2", "x"), parked_headers("invalid-amount"))])
        os.write(terminal, b"y\n")
        assert process.wait(30) == 0
    assert [letter["message_id"] for letter in shown(world)] == ["m2"]


def test_without_redis_nothing_is_thrown_away(world):
    plant(world, [(deducted(world, "m1", 5), parked_headers("unprocessable"))])
    world.redis_server.pause()
    assert world.run_all("dlq", "discard", "--yes", "--set", "redis.timeout=1").returncode in (69, 75)
    world.redis_server.resume()
    assert world.ready(QUEUE) == 1 and row(world, "m1") is None
    assert discard(world)["refunded"] == 5 and world.left("camp") == 1000


def test_what_was_discarded_is_not_booked_by_a_replay(world):
    message = deducted(world, "m1", 5)
    plant(world, [(message, parked_headers("unprocessable"))] * 2)
    assert discard(world, "--limit", "1")["done"] == 1
    assert world.json("dlq", "replay", "--dry-run")["letters"][0]["fate"] == "was-refunded"
    worker = world.worker()
    assert counts(replay(world)) == (1, 1, 0, False)
    world.wait_quiet()
    assert row(world, "m1")[3] == "voided" and world.left("camp") == 1000 and world.ready(QUEUE) == 0
    assert worker.terminate() == 0
