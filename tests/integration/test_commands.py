"""init, check, budget and status: what they answer, with which exit status, also while a service is away and after a crash half-way."""
import json
import os
import pty
import re
import sqlite3
import subprocess

import pytest
from world import BURSAR

AWAY = {"redis.url": "redis://127.0.0.1:1/0", "amqp.url": "amqp://guest:guest@127.0.0.1:1/%2f", "ledger.url": "sqlite:/nowhere/ledger.db"}


UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def away(*keys):
    return [word for key in keys for word in ("--set", f"{key}={AWAY[key]}")]


def failed(world, *words, status):
    """Runs a command that must fail with one line on stderr; (stdout, that line)."""
    done = world.run_all(*words)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    assert re.fullmatch(r"bursar: [^\n]+\n", done.stderr), done.stderr
    return done.stdout, done.stderr


def killed(world, point, *words):
    """Runs a command that dies at a failpoint. Skips where the failpoints are not compiled in."""
    done = world.run_all(*words, environment={"BURSAR_FAILPOINT": point})
    if done.returncode != -9:
        pytest.skip("built without failpoints") if done.returncode == 0 else pytest.fail(done.stderr)


def test_a_mistake_in_the_configuration_is_78(bare):
    with open(bare.config, "a") as file:
        file.write("log: { level = \"loud\"; };\n")
    line = open(bare.config).read().count("\n")
    for words in (["init"], ["check"], ["status"], ["budget", "list"], ["deduct", "b", "1"]):
        _, error = failed(bare, *words, status=78)
        assert error == f"bursar: {bare.config}:{line}: log.level: must be one of debug, info, warn, error\n"


@pytest.mark.parametrize("key, url", [
    ("amqp.url", "amqp://h:port/"), ("amqp.url", "amqp://guest:hunter2@127.0.0.1:99999/%2f"), ("amqp.url", "amqp://u:hunter2%@h"),
    ("redis.url", "redis://127.0.0.1:6379/x"), ("redis.url", "redis://:hunter2@127.0.0.1:99999/0"), ("redis.url", "redis://h?db=1")])
def test_a_mistake_in_a_url_is_78_with_file_line_and_key(bare, key, url):
    section, name = key.split(".")
    with open(bare.config, "w") as file:
        file.write(f'{section}:\n{{\n  {name} = "{url}";\n}};\n')
    for words in (["check"], ["run"], ["budget", "list"]):
        _, error = failed(bare, *words, status=78)
        assert error.startswith(f"bursar: {bare.config}:3: {key}: ") and error.count(key) == 1 and "hunter2" not in error


def test_what_only_the_adapter_knows_names_the_key_once(bare):
    _, error = failed(bare, "budget", "list", "--set", "amqp.url=amqp://h?verify=no", "--set", "redis.url=rediss://h", status=78)
    assert error.count("redis.url: ") == 1
    _, error = failed(bare, "check", "--set", "amqp.url=amqp://h?verify=no", status=78)
    assert error.count("amqp.url") == 1


def test_mysql_is_said_to_be_missing(bare):
    _, error = failed(bare, "budget", "list", "--set", "ledger.url=mysql://u:secret@h/d", status=78)
    assert "ledger.url" in error and "MariaDB" in error and "secret" not in error


@pytest.mark.parametrize("closed", [False, True])
def test_output_that_cannot_be_written_is_noticed(world, closed):
    command = [BURSAR, "budget", "list", "-c", world.config]
    if closed:
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
    else:
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 70
    assert done.stderr.startswith("bursar: standard output could not be written: ")


def on_terminal(world, *words, **environment):
    """What a command prints on a terminal."""
    leader, follower = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    done = subprocess.run([BURSAR, *words, "-c", world.config], stdout=follower, env=dict(variables, TERM="xterm", **environment))
    os.close(follower)
    assert done.returncode == 0
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    return shown.replace("\r\n", "\n")


def test_a_terminal_gets_a_table_and_a_pipe_gets_columns(world):
    heading, row = "BUDGET  NAME  STATE   TOTAL  SETTLED  LEFT  PENDING\n", "camp    -     active  1000   0        1000  0\n"
    assert on_terminal(world, "budget", "list") == f"\033[1m{heading.rstrip()}\033[0m\n{row}"
    assert on_terminal(world, "budget", "list", NO_COLOR="1") == heading + row
    assert on_terminal(world, "budget", "list", NO_COLOR="").startswith("\033[1m")
    assert on_terminal(world, "budget", "list", "--json").startswith("[\n  {")
    assert world.run("budget", "list") == "camp\t-\tactive\t1000\t0\t1000\t0\n"


# init and check

def test_init_reports_each_and_can_be_repeated(bare):
    for _ in range(2):
        answer = bare.json("init")
        assert answer["well"] is True
        assert [(c["component"], c["state"]) for c in answer["components"]] == [("ledger", "well"), ("broker", "well"), ("redis", "well")]
    columns = [line.split("\t") for line in bare.run("init").splitlines()]
    assert [row[0] for row in columns] == ["ledger", "broker", "redis"] and all(len(row) == 4 for row in columns)


def test_init_does_what_it_can_and_says_what_is_away(bare):
    answer, error = failed(bare, "init", "--json", *away("redis.url"), status=69)
    states = {c["component"]: c["state"] for c in json.loads(answer)["components"]}
    assert states == {"ledger": "well", "broker": "well", "redis": "away"} and error.startswith("bursar: init: redis: ")
    assert bare.ready() == 0 and bare.rows("SELECT * FROM v_budget") == []


def test_a_queue_with_other_arguments_is_78(bare):
    bare.run("init")
    for command in ("init", "check"):
        _, error = failed(bare, command, "--set", "amqp.delivery_limit=7", status=78)
        assert "bursar.deductions" in error and "broker" in error


def test_check_creates_nothing_and_says_what_is_missing(bare):
    done = bare.run_all("check", "--json")
    assert done.returncode == 78
    states = {c["component"]: c["state"] for c in json.loads(done.stdout)["components"]}
    assert states == {"configuration": "well", "ledger": "wrong", "broker": "wrong", "redis": "well"}
    assert "bursar init" in done.stderr
    assert not os.path.exists(bare.ledger)
    assert bare.run_all("check", "--set", "amqp.declare=false").returncode == 78
    bare.run("init")
    assert bare.json("check")["well"] is True
    assert bare.json("check", "--set", "amqp.declare=false")["well"] is True


def test_check_shows_no_password(world):
    done = world.run_all("check", "--set", "redis.url=redis://:hunter2@127.0.0.1:1/0", "--set", "amqp.url=amqp://me:hunter2@127.0.0.1:1/v")
    assert done.returncode == 69
    assert "redis://:***@127.0.0.1:1/0" in done.stdout and "amqp://me:***@127.0.0.1:1/v" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


# budget

def test_create_then_show(bare):
    bare.run("init")
    created = bare.json("budget", "create", "b:1", "--total", "500", "--name", "Frühling", "--description", "a\tb\nc", "--ext", '{"n": [1, 0.5]}')
    assert re.fullmatch(f"create:{UUID7}", created["credit_id"])
    assert created == {"id": "b:1", "total": 500, "credit_id": created["credit_id"], "applied": True, "left": 500}
    shown = bare.json("budget", "show", "b:1")
    assert list(shown) == ["id", "name", "description", "total", "settled", "state", "ext_params", "created_at", "updated_at", "left", "pending"]
    row = bare.rows("SELECT * FROM v_budget WHERE id = 'b:1'")[0]
    assert shown["created_at"] == row["created_at"] and shown["updated_at"] == row["updated_at"]
    assert {key: shown[key] for key in ("name", "description", "total", "settled", "state", "ext_params", "left", "pending")} == {
        "name": "Frühling", "description": "a\tb\nc", "total": 500, "settled": 0, "state": "active", "ext_params": row["ext_params"],
        "left": 500, "pending": 0}
    assert json.loads(shown["ext_params"]) == {"n": [1, 0.5]} and bare.json("budget", "list") == [shown]
    assert bare.rows("SELECT credit_id, amount, applied FROM v_credit") == [
        {"credit_id": created["credit_id"], "amount": 500, "applied": 1}]
    assert bare.meta("b:1")["credited"] == "500"
    plain = dict(line.split("\t") for line in bare.run("budget", "show", "b:1").splitlines())
    assert plain["description"] == "a\\tb\\nc" and plain["left"] == "500"


def test_unlimited_and_empty_budgets(bare):
    bare.run("init")
    assert bare.json("budget", "create", "u", "--total", "unlimited")["left"] == -1
    assert bare.json("budget", "create", "z", "--total", "0")["left"] == 0
    assert bare.left("u") == -1 and bare.left("z") == 0
    listed = bare.json("budget", "list")
    assert [(b["id"], b["total"], b["left"]) for b in listed] == [("u", -1, -1), ("z", 0, 0)]
    assert bare.run("budget", "list").splitlines()[0].split("\t") == ["u", "-", "active", "unlimited", "0", "unlimited", "0"]
    failed(bare, "budget", "add", "u", "5", status=65)


def test_more_budgets_than_a_page(bare):
    bare.run("init")
    ids = [f"b{i:04}" for i in range(1001)]
    bare.run("budget", "create", ids[0], "--total", "1")
    link = sqlite3.connect(bare.ledger)
    link.executemany("INSERT INTO budget (id, total, created_at_us, updated_at_us) VALUES (?, 1, 1, 1)", [(budget,) for budget in ids[1:]])
    link.commit()
    link.close()
    listed = bare.json("budget", "list")
    assert [b["id"] for b in listed] == ids
    assert [b["left"] for b in listed] == [1] + [None] * 1000


def test_existing_and_unknown_budgets_are_65(world):
    failed(world, "budget", "create", "camp", "--total", "5", status=65)
    for words in (["add", "none", "5"], ["show", "none"], ["close", "none"], ["reopen", "none"], ["delete", "none"]):
        failed(world, "budget", *words, status=65)
    assert world.left("camp") == 1000 and world.left("none") is None and world.meta("none") == {}


def test_add_once_a_credit_id(world):
    first = world.json("budget", "add", "camp", "50", "--credit-id", "c1")
    assert first == {"id": "camp", "amount": 50, "credit_id": "c1", "applied": True, "left": 1050}
    assert world.json("budget", "add", "camp", "50", "--credit-id", "c1") == first
    failed(world, "budget", "add", "camp", "51", "--credit-id", "c1", status=65)
    one, two = (world.json("budget", "add", "camp", "1")["credit_id"] for _ in range(2))
    assert one < two and re.fullmatch(UUID7, one)
    assert world.left("camp") == 1052 and world.value("SELECT total FROM v_budget") == 1052


def test_every_id_is_free_for_a_credit(world):
    first = world.value("SELECT credit_id FROM v_credit")
    assert first.startswith("create:") and world.redis.hgetall(world.keys("camp")[5]) == {first: "1000"}
    assert world.json("budget", "add", "camp", "50", "--credit-id", "create")["left"] == 1050
    assert world.json("budget", "add", "camp", "1000", "--credit-id", first)["left"] == 1050
    failed(world, "budget", "add", "camp", "5", "--credit-id", first, status=65)
    assert world.json("budget", "show", "camp")["ext_params"] is None


def test_a_redis_that_lets_nobody_in_is_78(world):
    url = world.redis_server.url
    world.redis.acl_setuser("ann", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"])
    refused = [url.replace("//", "//ann:hunter2@"), url.replace("//", "//nobody:hunter2@"), url.replace("//", "//:hunter2@"), url.rsplit("/", 1)[0] + "/999"]
    for wrong in refused:
        options = ["--set", f"redis.url={wrong}"]
        for words in (["check"], ["init"], ["status"], ["budget", "list"], ["budget", "show", "camp"], ["budget", "close", "camp"],
                      ["budget", "add", "camp", "5"], ["budget", "create", "new", "--total", "5"], ["deduct", "camp", "1"]):
            _, error = failed(world, *words, *options, status=78)
            assert "hunter2" not in error and "redis.url" in error, error
    assert world.rows("SELECT id, total, state FROM v_budget") == [{"id": "camp", "total": 1000, "state": "active"}]
    options = ["--set", "redis.url=" + url.replace("//", "//ann:right@")]
    world.run("budget", "list", *options)
    world.redis.execute_command("ACL", "SETUSER", "ann", "-evalsha")
    _, error = failed(world, "budget", "list", *options, status=69)
    assert "NOPERM" in error
    world.redis.acl_deluser("ann")


def test_a_credit_without_redis_is_booked_and_75(world):
    answer, error = failed(world, "budget", "add", "camp", "50", "--credit-id", "c1", "--json", *away("redis.url"), status=75)
    assert json.loads(answer) == {"id": "camp", "amount": 50, "credit_id": "c1", "applied": False, "left": None}
    assert "booked; applied later by the worker" in error
    assert world.value("SELECT total FROM v_budget") == 1050 and world.left("camp") == 1000
    assert world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 0
    assert world.json("budget", "add", "camp", "50", "--credit-id", "c1")["left"] == 1050
    assert world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 1
    failed(world, "budget", "create", "late", "--total", "7", *away("redis.url"), status=75)
    failed(world, "budget", "create", "late", "--total", "7", status=65)
    assert world.value("SELECT applied FROM v_credit WHERE budget_id = 'late'") == 0


@pytest.mark.parametrize("point", ["credit-booked", "credit-applied"])
def test_a_credit_that_dies_half_way_is_finished_by_the_same_again(world, point):
    killed(world, point, "budget", "add", "camp", "50", "--credit-id", "c1")
    assert world.value("SELECT total FROM v_budget") == 1050
    assert world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 0
    assert world.left("camp") == (1000 if point == "credit-booked" else 1050)
    assert world.json("budget", "add", "camp", "50", "--credit-id", "c1")["left"] == 1050
    assert world.left("camp") == 1050 and world.value("SELECT applied FROM v_credit WHERE credit_id = 'c1'") == 1


def test_close_reopen_delete(world):
    assert world.json("budget", "close", "camp") == {"id": "camp", "state": "closed"}
    assert world.meta("camp")["state"] == "closed" and world.deduct("camp", "m1", 1)[0] in (-7, "-7")
    assert world.json("budget", "close", "camp")["state"] == "closed"
    assert world.json("budget", "reopen", "camp") == {"id": "camp", "state": "active"}
    assert world.deduct("camp", "m1", 1)[0] in (1, "1")
    assert world.json("budget", "delete", "camp") == {"id": "camp", "state": "deleted"}
    shown = world.json("budget", "show", "camp")
    assert (shown["state"], shown["left"], shown["pending"]) == ("deleted", 999, 1)
    for verb in ("close", "reopen"):
        _, error = failed(world, "budget", verb, "camp", status=65)
        assert "deleted" in error
    failed(world, "budget", "add", "camp", "5", status=65)
    assert world.json("budget", "delete", "camp")["state"] == "deleted"


@pytest.mark.parametrize("verb", ["close", "delete", "reopen"])
def test_a_state_without_redis_is_69_and_nothing_changes(world, verb):
    failed(world, "budget", verb, "camp", *away("redis.url"), status=69)
    assert world.value("SELECT state FROM v_budget") == "active"
    assert world.meta("camp").get("state", "active") == "active"


def test_a_closing_that_dies_half_way_is_finished_by_the_same_again(world):
    killed(world, "close-redis", "budget", "close", "camp")
    assert world.meta("camp")["state"] == "closed" and world.value("SELECT state FROM v_budget") == "active"
    world.run("budget", "close", "camp")
    assert world.value("SELECT state FROM v_budget") == "closed"
    killed(world, "reopen-ledger", "budget", "reopen", "camp")
    assert world.meta("camp")["state"] == "closed" and world.value("SELECT state FROM v_budget") == "active"
    world.run("budget", "reopen", "camp")
    assert world.meta("camp")["state"] == "active"


def test_show_and_list_without_redis_print_what_is_known(world):
    for words in (["show", "camp"], ["list"]):
        answer, error = failed(world, "budget", *words, "--json", *away("redis.url"), status=69)
        budget = json.loads(answer) if words[0] == "show" else json.loads(answer)[0]
        assert (budget["total"], budget["left"], budget["pending"]) == (1000, None, None)
        assert "left and pending are not known" in error


def test_show_and_list_name_a_spoilt_stock(world):
    world.redis.set(world.keys("camp")[0], "abc")
    for words in (["show", "camp"], ["list"]):
        _, error = failed(world, "budget", *words, status=69)
        assert "budget:{camp} holds no integer" in error and "reconcile --repair" in error


def test_without_a_schema_the_text_names_init(bare):
    for words in (["create", "b", "--total", "5"], ["add", "b", "5"], ["list"], ["show", "b"], ["close", "b"]):
        _, error = failed(bare, "budget", *words, status=78)
        assert "bursar init" in error
    assert not os.path.exists(bare.ledger)


# status

def test_status_shows_everything(world):
    world.publish({"message_id": "m1", "budget_id": "camp", "amount": 1})
    world.deduct("camp", "m2", 5)
    world.wait("the message", lambda: world.ready() == 1)
    status = world.json("status")
    assert status["reachable"] == {"broker": True, "ledger": True, "redis": True} and status["worker"] == "away"
    assert status["queue"] == {"name": "bursar.deductions", "messages": 1, "consumers": 0}
    assert status["dead_letters"] == {"name": "bursar.deductions.dlq", "messages": 0, "consumers": 0}
    assert (status["refunds_due"], status["credits_due"], status["parked"]) == (0, 0, 0)
    budget = status["budgets"][0]
    assert (budget["id"], budget["total"], budget["settled"], budget["left"], budget["pending"]) == ("camp", 1000, 0, 995, 5)
    assert status["held"] is None
    assert world.json("status", "--set", "http.listen=off")["worker"] == "unknown"
    assert "camp\tactive\t1000\t0\t995\t5" in world.run("status").splitlines()


def test_status_sees_the_worker(world):
    world.worker().wait_log("event=consuming")
    world.wait("the consumer", lambda: world.json("status")["queue"]["consumers"] == 1 and world.metric("bursar_deliveries_held") is not None)
    status = world.json("status")
    assert (status["worker"], status["held"], status["backlog_age_seconds"]) == ("well", 0, 0)
    assert "held by the worker\t0" in world.run("status").splitlines()
    status = world.json("status", "--set", "http.listen=off")
    assert (status["worker"], status["held"], status["backlog_age_seconds"]) == ("unknown", None, None)
    plain = dict(line.split("\t", 1) for line in world.run("status", "--set", "http.listen=off").splitlines() if "\t" in line)
    assert plain["held by the worker"] == plain["backlog age"] == "not known"


@pytest.mark.parametrize("key, lost", [("redis.url", "redis"), ("amqp.url", "broker"), ("ledger.url", "ledger")])
def test_status_works_while_a_service_is_away(world, key, lost):
    expected = 78 if key == "ledger.url" else 69
    done = world.run_all("status", "--json", *away(key))
    assert done.returncode in (69, expected), done.stderr
    status = json.loads(done.stdout)
    assert status["reachable"] == {name: name != lost for name in ("broker", "ledger", "redis")}
    assert f"bursar: status: {lost}: " in done.stderr
    assert (status["budgets"] is None) == (lost == "ledger")
    assert (status["queue"]["messages"] is None) == (lost == "broker")
