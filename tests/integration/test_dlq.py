"""`bursar dlq list` and `show` on real servers: what is seen, and that seeing changes nothing."""
import json
import signal
import subprocess
import time
from decimal import Decimal

import pytest
from letters import EPOCH, QUEUE, body_of, give_up, listed, parked_headers, plant, shown


def test_what_is_listed(world):
    assert world.json("dlq", "list") == []
    assert world.run("dlq", "list") == ""
    plant(world, [(body_of(f"a{i}", "x"), parked_headers("invalid-amount", at=f"2026-01-02T03:04:0{i}.5Z")) for i in range(3)])
    plant(world, [("no json", parked_headers("malformed", at="garbage")), (b"\xff\xfe", None), ("", {"x-bursar-reason": 7})])
    groups = {group["reason"]: group for group in world.json("dlq", "list")}
    assert groups == {
        "invalid-amount": {"reason": "invalid-amount", "count": 3, "oldest": "2026-01-02T03:04:00.500000Z", "newest": "2026-01-02T03:04:02.500000Z"},
        "malformed": {"reason": "malformed", "count": 1, "oldest": None, "newest": None},
        "unknown": {"reason": "unknown", "count": 2, "oldest": None, "newest": None}}
    assert world.run("dlq", "list").splitlines()[0].split("\t")[:2] == ["invalid-amount", "3"]
    assert world.ready(QUEUE) == 6


def test_what_is_shown(world):
    plant(world, [(body_of("m1", "x"), parked_headers("invalid-amount", replays=2, detail="amount: \"x\"")),
                  (b'{"\xff', {"mine": {"deep": [1, Decimal("2.5"), None, True, {"er": "x"}]}, "x-bursar-parked-at": "?"}, "prop-id")])
    first, second = shown(world)
    assert {key: first[key] for key in ("message_id", "reason", "detail", "parked_at", "replays", "exchange", "routing_key")} == {
        "message_id": "m1", "reason": "invalid-amount", "detail": 'amount: "x"', "parked_at": EPOCH, "replays": 2,
        "exchange": "bursar", "routing_key": "deduction"}
    assert first["body"] == '{"message_id": "m1", "budget_id": "camp", "amount": "x"}'
    assert first["properties"] == {"content_type": "application/json", "delivery_mode": 2}
    assert (second["message_id"], second["reason"], second["parked_at"], second["body"], second["body_base64"]) == (
        "prop-id", "unknown", None, '{"?', "eyL/")
    assert second["headers"]["mine"] == {"deep": [1, "25e-1", None, True, {"er": "x"}]}
    assert second["exchange"] is None
    text = world.run("dlq", "show", "--limit", "1")
    assert "body\t" in text and "reason\tinvalid-amount" in text


def test_what_the_broker_gave_up(world):
    world.settings["amqp.delivery_limit"] = 2
    world.write_config()
    world.channel().queue_delete("bursar.deductions")
    world.run("init")
    give_up(world, [body_of("m1")])
    assert listed(world) == {"delivery_limit": 1}
    letter, = shown(world)
    assert (letter["message_id"], letter["exchange"], letter["routing_key"], letter["detail"]) == ("m1", "bursar", "deduction", None)
    assert letter["parked_at"].startswith("20") and letter["headers"]["x-death"][0]["reason"] == "delivery_limit"


def test_the_filters(world):
    batch = [body_of("b1", budget="camp"), body_of("b2", budget="other")]
    plant(world, [(body_of("a1", "x"), parked_headers("invalid-amount", at="2026-01-02T03:04:05Z")),
                  (body_of("a2", 1, budget="other"), parked_headers("id-conflict", at="2026-01-02T03:04:06Z")),
                  (batch, parked_headers("delivery_limit", at="2026-01-02T03:04:07Z")),
                  ("no json", None, "a4")])

    def ids(*words):
        return [letter["message_id"] for letter in shown(world, *words)]
    assert ids() == ["a1", "a2", None, "a4"]
    assert ids("--reason", "invalid-amount") == ["a1"]
    assert ids("--reason", "unknown") == ["a4"]
    assert ids("--budget", "camp") == ["a1", None]
    assert ids("--budget", "other") == ["a2", None]
    assert ids("--id", "a1", "--id", "a4", "--id", "nobody") == ["a1", "a4"]
    assert ids("--id", "b2") == [None]
    assert ids("--since", "2026-01-02T03:04:06Z") == ["a2", None]
    assert ids("--until", "2026-01-02T04:04:06+01:00") == ["a1"]
    assert ids("--since", "1s") == []
    # The first instant there is, and one before it, are times like others.
    assert ids("--until", "1970-01-01T00:00:00Z") == []
    assert ids("--since", "1970-01-01T00:00:00Z") == ids("--since", "999999999d") == ["a1", "a2", None]
    assert ids("--match", "no json") == ["a4"]
    assert ids("--match", '"budget_id": "other"') == ["a2", None]
    assert ids("--limit", "2") == ["a1", "a2"]
    assert ids("--limit", "1", "--budget", "other") == ["a2"]
    assert listed(world, "--budget", "other") == {"id-conflict": 1, "delivery_limit": 1}


@pytest.mark.parametrize("verb", ["list", "show", "replay", "discard --yes", "export -"])
def test_a_reason_that_nobody_gives(world, verb):
    plant(world, [(body_of("a"), parked_headers("id-conflict")), (body_of("b"), parked_headers("of_another_tool"))])

    def said(reason):
        done = world.run_all("dlq", *verb.split(), "--reason", reason)
        assert done.returncode == 0, done
        return done.stderr
    known = "malformed, missing-id, invalid-id, invalid-budget-id, invalid-amount, too-large, id-conflict, unprocessable, delivery_limit, "
    assert said("nosuch") == (f"bursar: dlq {verb.split()[0]}: nothing matches, and 'nosuch' is none of the usual reasons: "
                              f"{known}expired, maxlen, rejected, unknown\n")
    for reason in ("delivery-limit", "malformed", "unknown", "id_conflict", "of-another-tool"):
        assert said(reason) == ""
    assert world.ready(QUEUE) == (0 if verb in ("replay", "discard --yes") else 2)


def test_a_look_keeps_every_message_in_its_order(world):
    count = 5000
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(count)])
    wanted = [f"m{i}" for i in range(count)]
    for _ in range(3):
        assert [letter["message_id"] for letter in shown(world)] == wanted
        assert world.ready(QUEUE) == count
    assert [letter["message_id"] for letter in shown(world, "--limit", "7")] == wanted[:7]
    process = subprocess.Popen([world.bursar, "dlq", "show", "--json", "-c", world.config], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(30) == 75
    assert world.ready(QUEUE) == count
    assert [letter["message_id"] for letter in shown(world)] == wanted


def test_a_look_that_is_killed_loses_nothing(world):
    count = 3000
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(count)])
    for _ in range(3):
        process = subprocess.Popen([world.bursar, "dlq", "show", "--json", "-c", world.config], stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        process.stdout.close()
        process.wait(30)
        world.wait("the letters to come back", lambda: world.ready(QUEUE) == count)
        assert sorted(letter["message_id"] for letter in shown(world)) == sorted(f"m{i}" for i in range(count))


def memory_peak(pid):
    """KiB; 0 once the process is over."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def list_and_measure(world, count):
    """(seconds, KiB at most) of listing so many."""
    before = time.monotonic()
    process = subprocess.Popen([world.bursar, "dlq", "list", "--json", "-c", world.config], stdout=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory_peak(process.pid))
        time.sleep(0.002)
    assert process.returncode == 0 and json.loads(process.stdout.read())[0]["count"] == count
    return time.monotonic() - before, peak


def test_many_are_listed_in_seconds_and_bounded_memory(world):
    few, many = 2000, 100000
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(few)])
    _, peak_of_few = list_and_measure(world, few)
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(few, many)])
    seconds, peak_of_many = list_and_measure(world, many)
    print(f"{many} listed in {seconds:.2f} s, {peak_of_many} KiB; {few} in {peak_of_few} KiB")
    # A sanitizer keeps what is freed for a while: up to its quarantine of 256 MiB.
    with open(world.bursar, "rb") as program:
        more = 64 * 1024 if b"__asan_init" not in program.read() else 320 * 1024
    assert seconds < 30 and 0 < peak_of_many < peak_of_few + more
    assert world.ready(QUEUE) == many
    assert listed(world) == {"invalid-amount": many}


def test_two_looks_at_once_say_what_they_do_not_see(world):
    plant(world, [(body_of("m1", "x"), parked_headers("invalid-amount"))])
    channel = world.channel()
    held, _, _ = channel.basic_get(QUEUE)
    assert world.json("dlq", "list") == []
    channel.basic_nack(held.delivery_tag)
    assert listed(world) == {"invalid-amount": 1}
    channel.basic_consume(QUEUE, lambda *_: None)
    done = world.run_all("dlq", "list", "--json")
    assert done.returncode == 0 and "1 other consumer(s)" in done.stderr
    channel.connection.close()


@pytest.mark.parametrize("words", [
    ("list", "x"), ("list", "--yes"), ("show", "--dry-run"), ("export",), ("import", "f", "--reason", "x"), ("list", "--limit", "0"),
    ("list", "--limit", "1x"), ("show", "--since", "yesterday"), ("show", "--since", "2026-02-30T00:00:00Z"), ("show", "--id", ""),
    ("show", "--match", ""), ("discard", "--match", ""),
    ("show", "--budget", "a b"), ("replay", "--to", "bursar"), ("replay", "--to", "bursar:"), ("replay", "--edit", "user_id=x"),
    ("replay", "--edit", "amount=0"), ("replay", "--edit", "budget_id="), ("replay", "--rate", "0"), ("replay", "--max-failures", "101"),
    ("replay", "--canary-wait", "5"), ("nothing",), (), ("export", ""), ("import", "")])
def test_wrong_words(bare, words):
    done = bare.run_all("dlq", *words)
    assert done.returncode == 64 and done.stderr.startswith("bursar: dlq"), done
    assert done.stdout == ""


def test_no_queue_is_said_so(bare):
    for verb in ("list", "show"):
        done = bare.run_all("dlq", verb)
        assert done.returncode == 78 and "bursar init" in done.stderr, done
