"""bursar deduct, and the producer library under it: what is deducted, published and answered, also when a service goes away or it dies."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
from world import BURSAR, ROOT

from servers import RabbitMQ, Redis

NO_REDIS = ["--set", "redis.url=redis://127.0.0.1:1/0"]
NO_BROKER = ["--set", "amqp.url=amqp://guest:guest@127.0.0.1:1/%2f"]
KEYS = ["message_id", "budget_id", "amount", "status", "left", "deducted_at", "published"]


def messages(world):
    """Takes every message out of the queue: (properties, document)."""
    channel = world.channel()
    found = []
    while True:
        method, properties, body = channel.basic_get("bursar.deductions", auto_ack=True)
        if method is None:
            break
        found.append((properties, json.loads(body)))
    channel.connection.close()
    return found


def killed(world, point, *words, **more):
    done = world.run_all(*words, environment={"BURSAR_FAILPOINT": point}, **more)
    if done.returncode != -9:
        pytest.skip("built without failpoints") if done.returncode == 0 else pytest.fail(done.stderr)


def lines_of(world, text, status, *options):
    """deduct --from -: the answers, one a line."""
    done = world.run_all("deduct", "--from", "-", "--json", *options, input=text)
    assert done.returncode == status, (done.returncode, done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_deducted_and_published(world):
    before = int(time.time() * 1e6) - 5_000_000
    answer = world.json("deduct", "camp", "3", "--message-id", "m1", "--user", "Ünal")
    assert list(answer) == KEYS
    token = answer.pop("deducted_at")
    assert before < token < before + 60_000_000
    assert answer == {"message_id": "m1", "budget_id": "camp", "amount": 3, "status": "deducted", "left": 997, "published": True}
    assert world.pending("camp") == {"m1": f"3:{token}"}
    (properties, body), = messages(world)
    assert body == {"message_id": "m1", "budget_id": "camp", "amount": 3, "deducted_at": token, "user_id": "Ünal"}
    assert (properties.message_id, properties.content_type, properties.delivery_mode) == ("m1", "application/json", 2)


def test_a_generated_id_is_told_and_grows(world):
    ids = [world.json("deduct", "camp", "1")["message_id"] for _ in range(3)]
    assert ids == sorted(set(ids)) == [body["message_id"] for _, body in messages(world)]
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


def test_odd_ids_survive_the_way(world):
    odd = '"\\!~{}%s/' + "x" * 119
    world.run("deduct", "camp", "1", "--message-id", odd)
    (properties, body), = messages(world)
    assert body["message_id"] == properties.message_id == odd


def test_a_repeat_is_published_again_only_while_it_is_pending(world):
    first = world.json("deduct", "camp", "3", "--message-id", "m1")
    again = world.json("deduct", "camp", "3", "--message-id", "m1")
    assert again == dict(first, status="repeat")
    assert [body for _, body in messages(world)] == [{key: first[key] for key in ("message_id", "budget_id", "amount", "deducted_at")}] * 2
    assert world.script("settle")(keys=world.keys("camp"), args=[600, "m1", first["deducted_at"]]) == 1
    settled = world.json("deduct", "camp", "3", "--message-id", "m1")
    assert settled == dict(first, status="repeat", published=False)
    assert messages(world) == [] and world.left("camp") == 997


def test_every_refusal_is_1_and_changes_nothing(world):
    token = world.json("deduct", "camp", "3", "--message-id", "m1")["deducted_at"]
    world.json("deduct", "camp", "2", "--message-id", "m2")
    second = int(world.pending("camp")["m2"].split(":")[1])
    world.script("release")(keys=world.keys("camp"), args=[600, "m2", second, "voided"])
    world.run("budget", "create", "shut", "--total", "5")
    world.run("budget", "close", "shut")
    messages(world)
    for words, status, left, deducted_at in [(("camp", "5", "--message-id", "m1"), "conflict", 997, token),
                                             (("camp", "2", "--message-id", "m2"), "refunded", 997, second),
                                             (("camp", "998"), "insufficient", 997, None), (("none", "1"), "not-initialised", None, None),
                                             (("shut", "1"), "closed", 5, None)]:
        answer = world.json("deduct", *words, status=1)
        assert (answer["status"], answer["left"], answer["deducted_at"], answer["published"]) == (status, left, deducted_at, False)
    assert messages(world) == [] and world.left("camp") == 997


def test_an_unlimited_budget(world):
    world.run("budget", "create", "u", "--total", "unlimited")
    answer = world.json("deduct", "u", "9007199254740991")
    assert (answer["status"], answer["left"], answer["published"]) == ("deducted", -1, True)


def test_plain_columns(world):
    row = world.run("deduct", "camp", "3", "--message-id", "m1").rstrip("\n").split("\t")
    assert row[:5] + row[6:] == ["m1", "camp", "3", "deducted", "997", "yes"]
    assert world.run("deduct", "none", "1", "--message-id", "m2", status=1) == "m2\tnone\t1\tnot-initialised\t-\t-\tno\n"


@pytest.mark.parametrize("options", [NO_BROKER, NO_REDIS])
def test_without_a_service_nothing_is_deducted(world, options):
    done = world.run_all("deduct", "camp", "3", "--message-id", "m1", *options)
    assert (done.returncode, done.stdout) == (69, "")
    assert re.fullmatch(r"bursar: deduct: nothing was deducted: [^\n]+\n", done.stderr)
    assert world.left("camp") == 1000 and world.pending("camp") == {} and messages(world) == []
    answers = lines_of(world, '{"budget_id": "camp", "amount": 1, "message_id": "m1"}\n', 69, *options)
    assert [a["status"] for a in answers] == ["unavailable"] and world.left("camp") == 1000


def test_without_a_queue_nothing_is_deducted(world):
    channel = world.channel()
    channel.queue_delete("bursar.deductions")
    channel.connection.close()
    done = world.run_all("deduct", "camp", "3")
    assert done.returncode == 78 and "bursar.deductions" in done.stderr and world.left("camp") == 1000


def test_what_the_broker_does_not_take_is_75_and_can_be_repeated(world):
    channel = world.channel()
    channel.queue_unbind("bursar.deductions", "bursar", "deduction")
    done = world.run_all("deduct", "camp", "3", "--message-id", "m1", "--json")
    assert done.returncode == 75
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["published"]) == ("deducted", False) and world.left("camp") == 997
    assert "--message-id 'm1'" in done.stderr and "no queue is bound" in done.stderr
    channel.queue_bind("bursar.deductions", "bursar", "deduction")
    channel.connection.close()
    again = world.json("deduct", "camp", "3", "--message-id", "m1")
    assert (again["status"], again["published"], again["left"]) == ("repeat", True, 997)


@pytest.mark.parametrize("point, queued", [("deduct-done", 0), ("deduct-published", 1)])
def test_a_producer_that_dies_is_healed_by_the_same_again(world, point, queued):
    killed(world, point, "deduct", "camp", "3", "--message-id", "m1")
    assert world.left("camp") == 997 and len(messages(world)) == queued
    again = world.json("deduct", "camp", "3", "--message-id", "m1")
    assert (again["status"], again["published"]) == ("repeat", True)
    assert world.left("camp") == 997 and len(messages(world)) == 1


def test_a_file_that_dies_in_its_second_chunk_is_run_again(world):
    world.run("budget", "add", "camp", "9000")
    text = "".join(f'{{"message_id": "m{i}", "budget_id": "camp", "amount": 1}}\n' for i in range(2500))
    path = os.path.join(world.folder, "lines")
    with open(path, "w") as file:
        file.write(text)
    killed(world, "deduct-done:2", "deduct", "--from", path)
    assert world.left("camp") == 8000 and world.ready() <= 1000
    answers = [json.loads(line) for line in world.run("deduct", "--from", path, "--json").splitlines()]
    assert [a["message_id"] for a in answers] == [f"m{i}" for i in range(2500)]
    assert [a["status"] for a in answers] == ["repeat"] * 2000 + ["deducted"] * 500
    assert all(a["published"] for a in answers) and world.left("camp") == 7500
    assert {body["message_id"] for _, body in messages(world)} == {f"m{i}" for i in range(2500)}


def test_lines_in_lines_out(world):
    text = "\n".join([
        '{"message_id": "m1", "budget_id": "camp", "amount": 3, "user_id": "u", "more": [1]}',
        "", "   \t\r",
        '{"message_id": "m1", "budget_id": "camp", "amount": "3"}\r',
        '{"message_id": "m1", "budget_id": "camp", "amount": 4}',
        "{no json",
        "[1]",
        '{"budget_id": "camp", "amount": 1.0, "message_id": "m2"}',
        '{"budget_id": "camp", "amount": 99999999999999999999}',
        '{"budget_id": "camp", "amount": 1, "amount": 2}',
        '{"budget_id": "a b", "amount": 1}',
        '{"message_id": "", "budget_id": "camp", "amount": 1}',
        '{"message_id": 7, "budget_id": "camp", "amount": 1}',
        '{"budget_id": "camp", "amount": 1, "user_id": "' + "u" * 129 + '"}',
        '{"budget_id": "camp", "amount": 1, "meta": "' + "m" * (1 << 20) + '"}',
        '{"budget_id": "none", "amount": 1}',
        '{"budget_id": "camp", "amount": 5}'])
    answers = lines_of(world, text, 65)
    bad = [answer for answer in answers if answer["status"] == "invalid"]
    assert [answer["line"] for answer in bad] == list(range(6, 16))
    assert all(list(answer) == ["line", "status", "error"] and answer["error"] for answer in bad)
    assert lines_of(world, '{"budget_id": "a\\u0000"}', 65)[0]["error"].startswith(r"no JSON: \u0000 is not allowed near")
    assert [answer["status"] for answer in answers] == ["deducted", "repeat", "conflict"] + ["invalid"] * 10 + ["not-initialised", "deducted"]
    assert all(list(answer)[:7] == KEYS for answer in answers if "line" not in answer)
    assert world.left("camp") == 992
    queued = [body["message_id"] for _, body in messages(world)]
    assert queued == ["m1", "m1", answers[-1]["message_id"]]
    done = world.run_all("deduct", "--from", "-", input='x\n{"budget_id": "camp", "amount": 1, "message_id": "m9"}')
    assert done.returncode == 65 and re.fullmatch(r"bursar: deduct: line 1: [^\n]+\n", done.stderr)
    assert [line.split("\t")[3] for line in done.stdout.splitlines()] == ["invalid", "deducted"]


def test_a_budget_with_a_key_of_a_wrong_type_stops_no_other(world):
    world.run("budget", "add", "camp", "1000")
    for budget in ("list", "word"):
        world.run("budget", "create", budget, "--total", "9")
    world.redis.delete(world.keys("list")[4])
    world.redis.rpush(world.keys("list")[4], "x")
    world.redis.set(world.keys("word")[0], "many")
    line = '{{"message_id": "{}", "budget_id": "{}", "amount": 1}}\n'
    text = "".join(line.format(f"m{i}", budget) for i, budget in enumerate(["camp", "list", "camp", "word"] + ["camp"] * 1000 + ["list", "camp"]))
    answers = lines_of(world, text, 69)
    refused = {answer["message_id"]: answer for answer in answers if answer["status"] != "deducted"}
    assert len(answers) == 1006 and world.left("camp") == 997
    assert sorted(refused) == ["m1", "m1004", "m3"] and all(answer["status"] == "unavailable" for answer in refused.values())
    assert "WRONGTYPE" in refused["m1"]["error"] and "WRONGTYPE" in refused["m1004"]["error"] and "stock key" in refused["m3"]["error"]
    assert all(list(answer) == KEYS + ["error"] and answer["published"] is False for answer in refused.values())
    assert all(answer["published"] for answer in answers if answer["status"] == "deducted")
    done = world.run_all("deduct", "--from", "-", input=line.format("m1", "list") + line.format("m0", "camp"))
    assert done.returncode == 69 and re.fullmatch(r"bursar: deduct: line 1: [^\n]*WRONGTYPE[^\n]*\n", done.stderr)
    assert [row.split("\t")[3] for row in done.stdout.splitlines()] == ["unavailable", "repeat"]
    done = world.run_all("deduct", "list", "1")
    assert (done.returncode, done.stdout) == (69, "") and re.fullmatch(r"bursar: deduct: nothing was deducted: [^\n]*WRONGTYPE[^\n]*\n", done.stderr)


def test_refused_lines_are_1_and_an_empty_file_is_0(world):
    assert lines_of(world, '{"budget_id": "none", "amount": 1}', 1)[0]["status"] == "not-initialised"
    assert lines_of(world, "\n\n", 0, *NO_BROKER, *NO_REDIS) == []
    assert world.run_all("deduct", "--from", "/nowhere/file").returncode == 65
    assert world.run_all("deduct", "--from", world.folder).returncode == 65


def test_a_slow_writer_is_answered_line_by_line(world):
    process = subprocess.Popen([BURSAR, "deduct", "--from", "-", "--json", "-c", world.config], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    for number in range(3):
        process.stdin.write(json.dumps({"message_id": f"m{number}", "budget_id": "camp", "amount": 1}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["message_id"] == f"m{number}"
    process.stdin.close()
    assert process.wait(20) == 0


def test_connections_lost_while_idle_are_made_anew(world):
    process = subprocess.Popen([BURSAR, "deduct", "--from", "-", "--json", "-c", world.config], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def deduct(number):
        process.stdin.write(json.dumps({"message_id": f"m{number}", "budget_id": "camp", "amount": 1}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert (answer["status"], answer["published"]) == ("deducted", True)

    deduct(1)
    world.redis.client_kill_filter(_type="normal", skipme=True)
    deduct(2)
    world.rabbit.ctl("close_all_connections", "test")
    deduct(3)
    process.stdin.close()
    assert process.wait(20) == 0 and world.left("camp") == 997 and len(messages(world)) == 3


def test_answers_that_nobody_reads_stop_the_run(world):
    text = "".join(f'{{"message_id": "m{i}", "budget_id": "camp", "amount": 1}}\n' for i in range(900)) * 20
    with open("/dev/full", "w") as full:
        done = subprocess.run([BURSAR, "deduct", "--from", "-", "-c", world.config], input=text, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 75 and world.ready() <= 1000
    assert re.fullmatch(r"bursar: deduct: stopped at line \d+: standard output could not be written: No space left on device; run the rest again, "
                        r"with the ids that were printed; answers from line 1 on may be missing\n", done.stderr)


def test_a_reader_that_goes_away_stops_the_run(world):
    path = os.path.join(world.folder, "lines")
    with open(path, "w") as file:
        file.write("".join(f'{{"message_id": "m{i}", "budget_id": "camp", "amount": 1}}\n' for i in range(900)) * 20)
    process = subprocess.Popen([BURSAR, "deduct", "--from", path, "-c", world.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("m0\tcamp\t1\tdeducted\t999\t")
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) == 75 and re.search(r"^bursar: deduct: stopped at line \d+000: [^\n]*Broken pipe; run the rest again", said), said
    assert said.count("\n") == 1


def test_redis_lost_between_two_chunks(world):
    with Redis() as other:
        options = ["--set", f"redis.url={other.url}"]
        world.run("budget", "create", "b", "--total", "9", *options)
        process = subprocess.Popen([BURSAR, "deduct", "--from", "-", "--json", "-c", world.config, *options], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = '{{"message_id": "m{}", "budget_id": "b", "amount": 1}}\n'
        process.stdin.write(line.format(1))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["status"] == "deducted"
        other.kill()
        out, error = process.communicate(line.format(2) + line.format(3), timeout=60)
    statuses = {json.loads(answer)["status"] for answer in out.splitlines()}
    assert process.returncode == (75 if "unknown" in statuses else 69)
    assert statuses <= {"unavailable", "unknown"} and "stopped at line" in error


def test_a_blocked_broker_is_waited_for_until_a_signal_or_the_timeout():
    """A broker short of memory takes nothing: what was deducted is told when the waiting is ended."""
    from world import World
    with Redis() as redis, RabbitMQ() as rabbit, World(redis, rabbit) as world:
        world.run("init")
        world.run("budget", "create", "camp", "--total", "9")
        rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        command = [BURSAR, "deduct", "camp", "1", "--message-id", "m1", "--json", "-c", world.config]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            world.wait("the deduction or a refusal", lambda: world.pending("camp") or process.poll() is not None)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode == 75 and json.loads(out)["published"] is False and "--message-id 'm1'" in error
        began = time.monotonic()
        done = world.run_all("deduct", "camp", "1", "--message-id", "m1", "--json", "--set", "amqp.confirm_timeout=1")
        assert done.returncode == 75 and json.loads(done.stdout)["status"] == "repeat"
        assert time.monotonic() - began < 20
        rabbit.ctl("set_vm_memory_high_watermark", "0.4")
        world.wait("the alarm to end", lambda: world.run_all("deduct", "camp", "1", "--message-id", "m1").returncode == 0)
        assert world.left("camp") == 8


PROGRAM = """
#include <bursar/producer.h>
#include <stdio.h>
#include <signal.h>
int main(int argc, char **argv)
{
    struct bursar_producer_options options = {.amqp_url = argv[1], .redis_url = argv[2]}, wrong = {.amqp_url = "http://u:secret@h"};
    struct bursar_producer *producer;
    char error[BURSAR_ERROR_SIZE];
    signal(SIGPIPE, SIG_IGN);
    if (argc != 3 || bursar_producer_open(&wrong, &producer, error) != BURSAR_BAD_SETUP || producer != NULL) return 2;
    fprintf(stderr, "%s\\n", error);
    if (bursar_producer_open(&options, &producer, error) != BURSAR_OK) return 3;
    struct bursar_request requests[3] = {{.budget_id = "camp", .amount = 2}, {.budget_id = "no budget", .amount = 1}, {"m2", "camp", 5000, 0}};
    struct bursar_result results[3];
    enum bursar_code code = bursar_producer_deduct(producer, requests, 3, results);
    for (int i = 0; i < 3; i++) printf("%s %d %s\\n", bursar_status_name(results[i].status), results[i].published, results[i].error);
    bursar_producer_close(producer);
    return code;
}
"""


def test_a_program_of_ones_own_links_the_library(world):
    library = os.path.join(os.path.dirname(os.path.dirname(BURSAR)), "producer")
    source, program = os.path.join(world.folder, "own.c"), os.path.join(world.folder, "own")
    with open(source, "w") as file:
        file.write(PROGRAM)
    symbols = subprocess.run(["nm", "-D", os.path.join(library, "libbursar.so")], capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1].split("@")[0] for line in symbols.splitlines() if " T " in line} == {
        "bursar_message_id_generate", "bursar_status_name", *(f"bursar_producer_{verb}" for verb in ("open", "deduct", "error", "cancel", "close"))}
    sanitizers = ["-fsanitize=address,undefined"] if "__asan_init" in symbols else ["-fsanitize=thread"] if "__tsan_init" in symbols else []
    subprocess.run(["cc", "-Wall", "-Werror", *sanitizers, "-I", os.path.join(ROOT, "include"), source, "-L", library, "-lbursar",
                    f"-Wl,-rpath,{library}", "-o", program], check=True)
    done = subprocess.run([program, world.rabbit.url, world.redis_server.url], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[0] == "deducted 1 " and rows[1].startswith("invalid 0 budget_id") and rows[2] == "insufficient 0 "
    assert done.stderr and "secret" not in done.stderr
    assert world.left("camp") == 998 and [body["amount"] for _, body in messages(world)] == [2]
