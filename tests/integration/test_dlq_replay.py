"""`bursar dlq replay` on real servers: back to where each came from, booked once, never what was given back."""
import json
import random
import re
import signal
import sqlite3
import subprocess
import time

import pytest
from letters import QUEUE, body_of, give_up, listed, parked_headers, plant, shown


def deducted(world, message_id, amount=1, budget="camp", **more):
    status, _, token = world.deduct(budget, message_id, amount)
    assert status == 1
    return body_of(message_id, amount, budget, deducted_at=int(token), **more)


def replay(world, *words, status=0):
    return world.json("dlq", "replay", *words, status=status)


def counts(answer):
    return answer["matched"], answer["done"], answer["left"], answer["dry_run"]


def states(world):
    return {row["message_id"]: row["state"] for row in world.rows("SELECT message_id, state FROM v_deduction")}


def parked_rows(world):
    return [(row["message_id"], row["reason"], row["state"]) for row in world.rows("SELECT * FROM v_parked")]


def journal(world, kind):
    return [dict(row) for row in world.rows("SELECT * FROM intervention WHERE kind = ? ORDER BY sequence", kind)]


def test_what_was_parked_goes_back_and_is_booked(world):
    worker = world.worker()
    world.run("budget", "create", "late", "--total", "1")
    bad = deducted(world, "m1", 3)
    world.publish(dict(bad, amount="three"), "m1", headers={"mine": "kept"})
    world.wait("it to be parked", lambda: world.ready(QUEUE) == 1)
    assert parked_rows(world) == [("m1", "invalid-amount", "parked")]
    assert counts(replay(world)) == (1, 1, 0, False)
    world.wait("it to come back", lambda: len(parked_rows(world)) == 2)
    assert parked_rows(world) == [("m1", "invalid-amount", "replayed"), ("m1", "invalid-amount", "parked")]
    letter, = shown(world)
    assert (letter["replays"], letter["headers"]["mine"], letter["message_id"]) == (1, "kept", "m1")
    entry, = journal(world, 3)
    assert (entry["message_id"], entry["state"]) == ("m1", 1) and "@" in entry["actor"]
    assert worker.terminate() == 0


def test_to_where_it_came_from(world):
    channel = world.channel()
    channel.exchange_declare("elsewhere", "direct", durable=True)
    channel.queue_declare("other", durable=True)
    channel.queue_bind("other", "elsewhere", "key")
    give_up_headers = {"x-death": [{"reason": "expired", "queue": "x", "count": 1, "exchange": "elsewhere", "routing-keys": ["key"]}]}
    plant(world, [(body_of("ours"), parked_headers("unprocessable")), (body_of("theirs"), parked_headers("malformed", exchange="elsewhere", key="key")),
                  (body_of("broker"), give_up_headers), (body_of("nobody"), None),
                  (body_of("astray"), parked_headers("malformed", exchange="elsewhere", key="nowhere")),
                  (body_of("long"), parked_headers("malformed", exchange="e" * 300))])
    answer = replay(world, status=1)
    assert counts(answer) == (6, 3, 3, False)
    fates = {letter["message_id"]: letter["fate"] for letter in answer["letters"]}
    assert fates == {"nobody": "no-route", "astray": "unroutable", "long": "no-route"}
    assert world.ready() == 1
    got = [json.loads(channel.basic_get("other", auto_ack=True)[2])["message_id"] for _ in range(2)]
    assert got == ["theirs", "broker"]
    assert [letter["message_id"] for letter in shown(world)] == ["nobody", "astray", "long"]
    assert [entry["state"] for entry in journal(world, 3)] == [1, 1, 1, 2]
    assert counts(replay(world, "--to", "bursar:deduction")) == (3, 3, 0, False)
    assert world.ready() == 4 and world.ready(QUEUE) == 0
    channel.connection.close()


def test_an_exchange_that_is_gone_does_not_hold_up_the_others(world):
    plant(world, [(body_of(f"m{i}"), parked_headers("malformed", exchange="gone" if i % 3 == 0 else "bursar")) for i in range(30)])
    answer = replay(world, status=1)
    assert counts(answer) == (30, 20, 10, False) and answer["fates"] == {"unroutable": 10, "replayed": 20}
    assert "no exchange 'gone'" in answer["letters"][0]["detail"]
    assert world.ready() == 20 and [letter["message_id"] for letter in shown(world)] == [f"m{i}" for i in range(0, 30, 3)]
    assert sorted(entry["state"] for entry in journal(world, 3)) == [1] * 20 + [2] * 10


def test_what_the_broker_gave_up_is_booked(world):
    world.settings["amqp.delivery_limit"] = 1
    world.write_config()
    world.channel().queue_delete("bursar.deductions")
    world.run("init")
    give_up(world, [deducted(world, "m1"), [deducted(world, "b1"), deducted(world, "b2", "0" and 2)]])
    assert counts(replay(world)) == (2, 2, 0, False)
    worker = world.worker()
    world.wait_settled(3)
    world.wait_quiet()
    assert states(world) == {"m1": "settled", "b1": "settled", "b2": "settled"}
    assert world.left("camp") == 996 and not world.pending("camp")
    assert [entry["message_id"] for entry in journal(world, 3)] == ["m1", "b1", "b2"]
    assert worker.terminate() == 0


def test_a_dry_run_says_what_would_become_of_each_and_changes_nothing(world):
    worker = world.worker()
    for message in (deducted(world, "booked"), deducted(world, "rejected", budget="camp")):
        if message["message_id"] == "rejected":
            world.run("budget", "close", "camp")
            message.pop("deducted_at")
        world.publish(message)
    world.wait_settled(2)
    world.run("budget", "reopen", "camp")
    assert states(world) == {"booked": "settled", "rejected": "rejected"}
    assert worker.terminate() == 0
    wanted = {"new": "would-settle", "booked": "duplicate", "rejected": "was-refunded", "other": "conflict", "bad": "still-unreadable",
              "nowhere": "would-be-rejected", "much": "would-be-rejected", "often": "too-often", "lost": "no-route"}
    head = parked_headers("unprocessable")
    plant(world, [(body_of("new"), head), (body_of("booked"), head), (body_of("rejected"), head), (body_of("bad", "x"), head),
                  (body_of("nowhere", budget="nobody"), head), (body_of("much", 1000), head), (body_of("often"), parked_headers("malformed", replays=3)),
                  (body_of("lost"), None), (dict(body_of("booked", 7)), head), ([body_of("new"), body_of("booked")], head)])
    before = (world.rows("SELECT * FROM v_deduction"), parked_rows(world), journal(world, 3), world.redis.dump("budget:{camp}"))
    answer = replay(world, "--dry-run")
    assert counts(answer) == (10, 0, 10, True)
    fates = [(letter["message_id"], letter["fate"]) for letter in answer["letters"]]
    assert (None, "duplicate") in fates and ("booked", "conflict") in fates
    assert {key: fate for key, fate in fates if key is not None and (key, fate) != ("booked", "conflict")} == {
        key: fate for key, fate in wanted.items() if key != "other"}
    assert (world.rows("SELECT * FROM v_deduction"), parked_rows(world), journal(world, 3), world.redis.dump("budget:{camp}")) == before
    assert world.ready() == 0 and world.ready(QUEUE) == 10
    lines = world.run("dlq", "replay", "--dry-run").splitlines()
    assert lines[0].split("\t")[:3] == ["new", "unprocessable", "would-settle"] and lines[-1] == "10\t0\t10\tyes"


def test_what_was_refunded_stays_refunded(world):
    worker = world.worker()
    message = deducted(world, "m1", 5)
    world.run("budget", "delete", "camp")
    world.publish(message)
    world.wait_settled(1)
    world.wait_quiet()
    assert world.rows("SELECT state, refund FROM v_deduction") == [{"state": "rejected", "refund": "done"}] and world.left("camp") == 1000
    plant(world, [(message, parked_headers("unprocessable"))] * 3)
    assert counts(replay(world)) == (3, 3, 0, False)
    world.wait_quiet()
    assert states(world) == {"m1": "rejected"} and world.left("camp") == 1000 and world.ready(QUEUE) == 0
    assert worker.terminate() == 0


def test_the_set_is_frozen_at_the_start(world):
    worker = world.worker()
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(60)])
    answer = replay(world, "--rate", "40", "--max-failures", "100")
    assert counts(answer) == (60, 60, 0, False) and answer["came_back"] > 0
    world.wait("all to come back", lambda: world.ready(QUEUE) == 60)
    assert {letter["replays"] for letter in shown(world)} == {1}
    assert worker.terminate() == 0


def test_it_stops_by_itself_when_too_much_comes_back(world):
    worker = world.worker()
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(600)])
    answer = replay(world, "--rate", "200", "--max-failures", "10", status=1)
    assert 0 < answer["done"] < 600 and "came back" in answer["stopped"] and answer["came_back"] >= 20
    world.wait("all to come back", lambda: world.ready(QUEUE) == 600)
    assert worker.terminate() == 0


def test_the_rate_is_kept(world):
    plant(world, [(body_of(f"m{i}"), parked_headers("unprocessable")) for i in range(100)])
    before = time.monotonic()
    assert counts(replay(world, "--rate", "50"))[:3] == (100, 100, 0)
    assert 1.4 < time.monotonic() - before < 8


def test_a_canary_that_lives_lets_the_others_follow(world):
    worker = world.worker()
    plant(world, [(body_of(f"m{i}"), parked_headers("unprocessable")) for i in range(200)])
    assert counts(replay(world, "--canary", "5")) == (200, 200, 0, False)
    world.wait_settled(200)
    assert worker.terminate() == 0


@pytest.mark.parametrize("case", ["parked", "rejected", "unheard"])
def test_a_canary_that_dies_keeps_the_others(world, case):
    worker = world.worker() if case != "unheard" else None
    canary = {"parked": ("no json", "was parked again: malformed"), "rejected": (body_of("m", budget="nobody"), "unknown-budget"),
              "unheard": (body_of("m"), "is a worker running")}[case]
    plant(world, [(canary[0], parked_headers("unprocessable"))] + [(body_of(f"m{i}"), parked_headers("unprocessable")) for i in range(50)])
    answer = replay(world, "--canary", "1", "--canary-wait", "20" if worker else "2", status=1)
    assert counts(answer) == (51, 1, 50, False) and canary[1] in answer["stopped"]
    if worker:
        assert worker.terminate() == 0
    assert [letter["message_id"] for letter in shown(world, "--reason", "unprocessable")] == [f"m{i}" for i in range(50)]


def test_a_canary_of_letters_that_are_all_left(world):
    plant(world, [(body_of(f"m{i}"), None) for i in range(5)] + [(body_of("often"), parked_headers("malformed", replays=3))])
    answer = replay(world, "--canary", "2", status=1)
    assert counts(answer) == (6, 0, 6, False) and answer["stopped"] is None
    assert [letter["fate"] for letter in answer["letters"]] == ["no-route"] * 5 + ["too-often"]


def test_a_canary_among_others(world):
    worker = world.worker()
    letters = [(body_of(f"m{i}"), parked_headers("unprocessable") if i % 2 else None) for i in range(20)]
    plant(world, letters + [(body_of("late"), parked_headers("malformed"))])
    answer = replay(world, "--canary", "3", "--reason", "unprocessable", "--limit", "8")
    assert counts(answer) == (8, 8, 0, False)
    assert [letter["message_id"] for letter in shown(world)] == [f"m{i}" for i in range(16) if i % 2 == 0] + [f"m{i}" for i in range(16, 20)] + ["late"]
    world.wait_settled(8)
    assert worker.terminate() == 0


def test_an_edit_mends_a_field_and_nothing_else(world):
    message = deducted(world, "m1", 3, user_id="u")
    body = json.dumps(message).replace('"amount": 3', '"amount" :  "3 pieces"')
    no_budget = '{"message_id": "m2", "amount": 2}'
    plant(world, [(body, parked_headers("invalid-amount")), (no_budget, parked_headers("invalid-budget-id")),
                  (body_of("fine"), parked_headers("id-conflict")), ([body_of("b1", "x")], parked_headers("delivery_limit")),
                  ("no json", parked_headers("malformed")), (body_of("m3", "x", budget="?"), parked_headers("invalid-budget-id"))])
    assert replay(world, "--id", "m1", "--edit", "amount=4", status=1)["letters"][0]["detail"] == "Redis deducted 3 for this id, not 4"
    dry = replay(world, "--edit", "amount=3", "--dry-run")
    assert {letter["message_id"]: letter["fate"] for letter in dry["letters"] if letter["message_id"]} == {
        "m1": "would-settle", "m2": "not-edited", "fine": "not-edited", "m3": "not-edited"}
    assert counts(replay(world, "--edit", "amount=3", status=1)) == (6, 1, 5, False)
    assert counts(replay(world, "--edit", "amount=3", "--edit", "budget_id=camp", status=1)) == (5, 2, 3, False)
    channel = world.channel()
    bodies = [channel.basic_get("bursar.deductions")[2].decode() for _ in range(3)]
    channel.connection.close()
    assert bodies == [body.replace('"3 pieces"', "3"), '{"budget_id":"camp", "message_id": "m2", "amount": 2}'.replace(":\"camp\", ", ":\"camp\","),
                      body_of_text("m3")]
    edits = [(entry["message_id"], entry["subject"], entry["value_before"], entry["value_after"]) for entry in journal(world, 4)]
    assert edits == [("m1", "amount", '"3 pieces"', "3"), ("m2", "budget_id", None, '"camp"'), ("m3", "budget_id", '"?"', '"camp"'),
                     ("m3", "amount", '"x"', "3")]
    worker = world.worker()
    world.wait_settled(3)
    world.wait_quiet()
    assert states(world) == {"m1": "settled", "m2": "settled", "m3": "settled"} and not world.pending("camp")
    assert worker.terminate() == 0


def body_of_text(message_id):
    return json.dumps(body_of(message_id, 3))


def test_one_at_a_time(world):
    plant(world, [(body_of(f"m{i}"), parked_headers("unprocessable")) for i in range(20)])
    process = subprocess.Popen([world.bursar, "dlq", "replay", "-c", world.config, "--rate", "4"], stdout=subprocess.DEVNULL)
    world.wait("it to begin", lambda: world.ready() > 0)
    done = world.run_all("dlq", "replay")
    assert done.returncode == 75 and str(process.pid) in done.stderr, done
    assert world.run_all("dlq", "discard", "--yes").returncode == 75
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 75
    assert 0 < world.ready() < 20 and world.ready() + world.ready(QUEUE) == 20


def begun(world, *words, **more):
    return subprocess.Popen([world.bursar, "dlq", *words, "-c", world.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def interrupt(process):
    """(exit status, the columns of the last line, standard error)."""
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    return process.returncode, out.splitlines()[-1].split("\t"), error


def test_a_signal_says_what_is_left_and_how_to_go_on(world):
    plant(world, [(body_of(f"m{i}"), parked_headers("unprocessable")) for i in range(60)])
    process = begun(world, "replay", "--rate", "4", "--limit", "40", "--since", "2000d")
    world.wait("it to begin", lambda: world.ready() > 2)
    status, (matched, done, left, _), error = interrupt(process)
    assert (status, matched, int(done) + int(left)) == (75, "40", 40) and int(done) == world.ready()
    said = re.fullmatch(rf"bursar: dlq replay: interrupted; {left} of 40 messages were not reached; run it again with --limit {left} --since (\S+)\n", error)
    assert said, error
    # Just so: the same ones, and none of the other twenty.
    world.run("dlq", "replay", "--limit", left, "--since", said[1])
    assert world.ready() == 40 and [letter["message_id"] for letter in shown(world)] == [f"m{i}" for i in range(40, 60)]
    process = begun(world, "replay", "--rate", "4")
    world.wait("it to begin", lambda: world.ready() > 40)
    status, (_, _, left, _), error = interrupt(process)
    assert status == 75 and error == f"bursar: dlq replay: interrupted; {left} of 20 messages were not reached; run it again\n"


@pytest.mark.parametrize("words, limit, status", [(["replay"], 20, 0), (["replay"], 22, 1), (["discard", "--yes"], 20, 0)])
def test_a_signal_behind_the_last_one_leaves_nothing(world, words, limit, status):
    """At its end it waits until the queue has what it held. Another consumer takes that meanwhile."""
    plant(world, [(body_of("other"), parked_headers("expired"))]
          + [(body_of(f"m{i}"), parked_headers("malformed", replays=0 if i < 20 else 3)) for i in range(22)])
    taken = []
    channel = world.channel()
    writer = sqlite3.connect(world.ledger, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    process = begun(world, *words, "--reason", "malformed", "--limit", str(limit))
    world.wait("it to hold the letters", lambda: world.ready(QUEUE) == 0)
    channel.basic_consume(QUEUE, lambda *delivery: taken.append(delivery))
    writer.execute("ROLLBACK")
    world.wait("the rest to be given back", lambda: channel.connection.process_data_events(0.1) or len(taken) == 3)
    assert process.poll() is None
    assert interrupt(process)[:2] == (status, [str(limit), "20", str(limit - 20), "no"])
    writer.close()
    channel.connection.close()


def test_services_that_are_away(world):
    plant(world, [(body_of("m1"), parked_headers("unprocessable"))])
    assert world.run_all("dlq", "replay", "--set", "ledger.url=sqlite:/nowhere/at/all").returncode in (69, 78)
    assert world.run_all("dlq", "replay", "--set", "amqp.url=amqp://127.0.0.1:1/").returncode == 69
    assert world.run_all("dlq", "list", "--set", "amqp.url=amqp://127.0.0.1:1/").returncode == 69
    assert world.run_all("dlq", "replay", "--set", "redis.url=redis://127.0.0.1:1/0").returncode == 0  # not needed


def test_killed_in_the_middle_of_2000_and_run_again(world):
    messages = [deducted(world, f"m{i}") for i in range(999)] + [body_of(f"m{i}", amount=0) for i in range(999, 2000)]
    random.Random(7).shuffle(messages)
    plant(world, [(message, parked_headers("unprocessable")) for message in messages])
    worker = world.worker()
    for _ in range(4):
        process = subprocess.Popen([world.bursar, "dlq", "replay", "-c", world.config, "--rate", "1500", "--max-failures", "100"],
                                   stdout=subprocess.DEVNULL)
        time.sleep(random.Random(process.pid).uniform(0.1, 0.5))
        process.kill()
        process.wait(20)
    world.wait("the broker to notice", lambda: world.ready(QUEUE) > 0)
    counts(replay(world, "--max-failures", "100", "--max-replays", "100"))
    world.wait("all to be booked", lambda: world.value("SELECT count(*) FROM v_deduction") == 999)
    world.wait_quiet()
    world.wait("the unreadable ones to come back",
               lambda: {letter["message_id"] for letter in shown(world)} == {f"m{i}" for i in range(999, 2000)})
    assert world.left("camp") == 1 and world.value("SELECT settled FROM v_budget") == 999 and not world.pending("camp")
    assert worker.terminate() == 0
