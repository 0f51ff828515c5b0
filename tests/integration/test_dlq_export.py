"""`bursar dlq export` and `import` on real servers: everything, byte for byte, and nothing lost when either is cut off."""
import base64
import glob
import json
import os
import signal
import subprocess
import time

import pytest
from letters import QUEUE, body_of, give_up, listed, parked_headers, plant, shown
from test_dlq_replay import counts, journal


def path_of(world, name="letters.jsonl"):
    return os.path.join(world.folder, name)


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def empty(world):
    channel = world.channel()
    channel.queue_purge(QUEUE)
    channel.connection.close()


def raw(world):
    """(properties but for what the broker counts, body) of each letter."""
    found = []
    for properties, body in world.dead_letters():
        headers = {key: value for key, value in (properties.headers or {}).items() if key != "x-delivery-count"}
        found.append((dict(vars(properties), headers=headers), body))
    return found


def strange(world):
    plant(world, [(body_of("m1", "x"), parked_headers("invalid-amount", replays=2)), (b"\xff\x00\xfe" * 999, None, "binary"), ("", {"mine": [1, {"a": b"b"}]}),
                  ("\u00fc\u2028\u0000", None), ([body_of("b1"), body_of("b2")], parked_headers("delivery_limit")),
                  (json.dumps(body_of("m2")) + " " * 300000, parked_headers("too-large"))])


def test_there_and_back_again(world):
    strange(world)
    before = raw(world)
    path = path_of(world)
    assert world.json("dlq", "export", path) == {"exported": 6}
    assert world.ready(QUEUE) == 6 and os.stat(path).st_mode & 0o777 == 0o600
    assert base64.b64decode(lines_of(path)[1]["body_base64"]) == b"\xff\x00\xfe" * 999
    assert [name for name in os.listdir(world.folder) if name.startswith("letters")] == ["letters.jsonl"]
    empty(world)
    assert counts(world.json("dlq", "import", path)) == (6, 6, 0, False)
    assert raw(world) == before
    assert [entry["message_id"] for entry in journal(world, 6)] == ["m1", "binary", None, None, "b1", "b2", None]
    assert {entry["state"] for entry in journal(world, 6)} == {1}
    assert world.ready() == 0


def test_through_a_pipe_and_with_filters(world):
    strange(world)
    text = world.run("dlq", "export", "-", "--reason", "invalid-amount")
    assert [json.loads(line)["message_id"] for line in text.splitlines()] == ["m1"]
    done = world.run_all("dlq", "import", "-", "--to", "bursar:deduction", input="\n" + text)
    assert done.returncode == 0, done
    assert world.ready() == 1


def test_what_the_broker_gave_up_keeps_its_origin(world):
    world.settings["amqp.delivery_limit"] = 1
    world.write_config()
    world.channel().queue_delete("bursar.deductions")
    world.run("init")
    give_up(world, [body_of("m1")])
    before, = shown(world)
    path = path_of(world)
    world.run("dlq", "export", path)
    empty(world)
    world.run("dlq", "import", path)
    after, = shown(world)
    for key in ("message_id", "reason", "parked_at", "exchange", "routing_key", "body"):
        assert after[key] == before[key], key
    assert after["headers"]["x-bursar-reason"] == "delivery_limit"
    assert counts(world.json("dlq", "replay")) == (1, 1, 0, False)


def test_a_bad_line_is_named_and_the_rest_goes_on(world):
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(3)])
    path = path_of(world)
    world.run("dlq", "export", path)
    good = open(path).read().splitlines()
    bad = ["no json", "[]", '{"body": "x"}', '{"properties_base64": "AAA"}', '{"properties_base64": "AA=="}', '{"properties_base64": "AAA=", "body": 1}',
           '{"properties_base64": "AAA=", "body_base64": "?"}']
    with open(path, "w") as file:
        file.write("\n".join([good[0], *bad, "", *good[1:]]))
    done = world.run_all("dlq", "import", path, "--json")
    assert done.returncode == 65 and counts(json.loads(done.stdout)) == (10, 3, 7, False)
    assert [line.split(":")[2] for line in done.stderr.splitlines()] == [f" line {number}" for number in range(2, 9)]
    assert world.ready(QUEUE) == 6


@pytest.mark.parametrize("content, lines, status, said", [
    (b"", 0, 0, ""), (b"\0" * 1000, 1, 65, "line 1: no JSON"), (b"\n\0\n\0", 2, 65, "line 2: no JSON"), (b" \t\r\n\n", 0, 65, "no line of it says anything"),
    ("{}".encode("utf-16"), 1, 65, "line 1: no JSON")], ids=["empty", "zeros", "zeros and newlines", "blank", "utf-16"])
def test_a_file_that_no_export_wrote(world, content, lines, status, said):
    with open(path_of(world), "wb") as file:
        file.write(content)
    done = world.run_all("dlq", "import", path_of(world), "--json")
    assert done.returncode == status and counts(json.loads(done.stdout)) == (lines, 0, lines, False), done
    assert said in done.stderr and (status != 0 or done.stderr == "")


def test_an_import_that_is_interrupted(world):
    plant(world, [(body_of(f"m{i}"), parked_headers("malformed")) for i in range(30)])
    path = path_of(world)
    world.run("dlq", "export", path)

    def interrupted(when, *words):
        empty(world)
        process = subprocess.Popen([world.bursar, "dlq", "import", path, "--json", "-c", world.config, *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        world.wait("so many", lambda: world.ready(QUEUE) == when)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
        return process.returncode, counts(json.loads(out))[1], error
    status, done, error = interrupted(8, "--rate", "16")
    assert status == 75 and 8 <= done == world.ready(QUEUE) < 30
    assert error == f"bursar: dlq import: interrupted after line {done}; run it again: what is published twice is booked once\n"
    with open(path) as file:
        lines = file.readlines()
    with open(path, "w") as file:
        file.writelines(lines[:2])
    assert interrupted(2, "--rate", "1") == (0, 2, "")  # nothing is left


def test_where_nothing_is_bound(world):
    plant(world, [(body_of("m1"), parked_headers("malformed"))])
    path = path_of(world)
    world.run("dlq", "export", path)
    done = world.run_all("dlq", "import", path, "--to", "bursar:nowhere")
    assert done.returncode == 1 and "line 1: no queue is bound" in done.stderr
    assert journal(world, 6)[0]["state"] == 2
    done = world.run_all("dlq", "import", path, "--to", "nope:x", "--json")
    assert done.returncode == 1 and counts(json.loads(done.stdout)) == (1, 0, 1, False)
    assert done.stderr == "bursar: dlq import: stopped at line 1: there is no exchange 'nope'; run bursar init, or say where to with --to EXCHANGE:KEY\n"
    assert [entry["state"] for entry in journal(world, 6)] == [2, 2] and world.ready(QUEUE) == 1
    assert world.run_all("dlq", "import", path_of(world, "none")).returncode == 65
    assert world.run_all("dlq", "export", "/nowhere/at/all").returncode == 65


@pytest.mark.parametrize("words", ["export -", "show", "show --json", "replay --dry-run", "replay --dry-run --json", "discard --dry-run --json", "list"])
@pytest.mark.parametrize("count", [3, 300])
def test_an_answer_that_cannot_be_written_is_said_once_and_why(world, words, count):
    warned_of = ("no json", {"x-delivery-count": 12})  # the warning comes behind the answer, and flushes it
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(count)] + [warned_of])
    with open("/dev/full", "w") as full:
        done = subprocess.run([world.bursar, "dlq", *words.split(), "-c", world.config], stdout=full, stderr=subprocess.PIPE, text=True)
    said = [line for line in done.stderr.splitlines() if "came back 12 times" not in line]
    assert (done.returncode, said) == (70, ["bursar: standard output could not be written: No space left on device; what was done stays done"])
    assert world.ready(QUEUE) == count + 1


def test_an_export_that_fails_leaves_the_old_file(world):
    plant(world, [(body_of(f"m{i}", "x"), parked_headers("invalid-amount")) for i in range(3000)])
    path = path_of(world)
    with open(path, "w") as file:
        file.write("the old one\n")
    link = path_of(world, "link")
    os.symlink(path, link)
    for number in (signal.SIGKILL, signal.SIGINT):
        for left in glob.glob(path + ".*"):
            os.unlink(left)
        process = subprocess.Popen([world.bursar, "dlq", "export", path, "-c", world.config])
        while not glob.glob(path + ".*") and process.poll() is None:
            time.sleep(0.0005)
        process.send_signal(number)
        assert process.wait(30) in (-9, 75, 0)
        if process.returncode != 0:
            assert open(path).read() == "the old one\n"
    assert not glob.glob(path + ".*")  # what was interrupted tidied up
    world.wait("the letters to come back", lambda: world.ready(QUEUE) == 3000)
    world.run("dlq", "export", link)
    assert os.path.islink(link) and len(lines_of(path)) == 3000
    full = world.run_all("dlq", "export", "/dev/full")
    assert full.returncode == 65 and "No space left" in full.stderr
    assert world.ready(QUEUE) == 3000
