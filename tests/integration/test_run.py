"""`bursar run` as a service: signals, reloads, endpoints, refusals."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest


def publish(world, count, prefix="m"):
    channel = world.channel()
    for i in range(count):
        world.publish({"message_id": f"{prefix}{i}", "budget_id": "camp", "amount": 1}, channel=channel)
    channel.connection.close()


def test_sigterm_drains(world):
    publish(world, 900)
    worker = world.worker()
    worker.wait_log("event=consuming")
    assert worker.terminate() == 0
    booked = world.value("SELECT count(*) FROM v_deduction")
    assert booked + world.ready() == 900, "what is not booked is back in the queue, and nothing twice"
    assert "event=draining" in worker.log() and "event=stopped" in worker.log()


def test_second_sigterm_ends_at_once(world):
    worker = world.worker()
    worker.wait_log("event=consuming")
    link = sqlite3.connect(world.ledger, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    publish(world, 1)
    time.sleep(0.5)
    worker.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert worker.running()
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_died(5)
    assert time.monotonic() - began < 2
    link.execute("ROLLBACK")
    world.wait("the message to be back", lambda: world.ready() == 1)


def test_drain_timeout_is_kept(world):
    worker = world.worker("--set", "worker.drain_timeout=2")
    worker.wait_log("event=consuming")
    link = sqlite3.connect(world.ledger, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    publish(world, 1)
    time.sleep(0.5)
    began = time.monotonic()
    worker.terminate(20)
    assert time.monotonic() - began < 10
    assert "event=drain-timeout" in worker.log()
    link.execute("ROLLBACK")
    world.wait("the message to be back", lambda: world.ready() == 1)


def test_drain_timeout_is_kept_when_the_broker_hangs(world):
    world.rabbit.pause()
    try:
        worker = world.worker("--set", "worker.drain_timeout=1", "--set", "amqp.connect_timeout=20")
        worker.wait_log("event=started")
        time.sleep(1)  # it is now inside the login
        began = time.monotonic()
        assert worker.terminate(20) == 0
        assert time.monotonic() - began < 6
    finally:
        world.rabbit.resume()


def test_sighup_reloads_what_it_can(world):
    worker = world.worker()
    worker.wait_log("event=consuming")
    world.settings["log.level"] = "debug"
    world.write_config()
    worker.process.send_signal(signal.SIGHUP)
    worker.wait_log("event=reloaded")
    world.settings.update({"worker.prefetch": 77, "redis.done_window": 77, "worker.batch_max": 77, "http.listen": "off"})
    world.write_config()
    worker.process.send_signal(signal.SIGHUP)
    world.wait("the reload", lambda: worker.log().count("event=reloaded") == 2)
    assert re.findall("level=warn event=restart-needed key=([^ ]+)", worker.log()) == ["redis.done_window", "http.listen", "worker.prefetch"]
    with open(world.config, "a") as file:
        file.write("nonsense = 1;\n")
    worker.process.send_signal(signal.SIGHUP)
    worker.wait_log("event=reload-refused.*nonsense")
    publish(world, 5)
    world.wait_settled(5)
    assert worker.terminate() == 0


def test_a_second_worker_is_refused(world):
    first = world.worker()
    first.wait_log("event=consuming")
    second = world.run_all("run", "--set", "http.listen=off")
    assert second.returncode == 75
    assert "another worker" in second.stderr and world.ledger in second.stderr
    assert first.terminate() == 0
    third = world.worker()
    third.wait_log("event=consuming")
    assert third.terminate() == 0


def test_endpoints(world):
    worker = world.worker()
    worker.wait_log("event=consuming")
    publish(world, 10)
    world.publish("unreadable")
    world.publish({"message_id": "m0", "budget_id": "camp", "amount": 1})
    world.publish({"message_id": "r", "budget_id": "nowhere", "amount": 1})
    name = 'bursar_deductions_total{outcome="%s"}'
    world.wait("the counters", lambda: [world.metric(name % o) for o in ("settled", "duplicate", "rejected", "parked")] == [10, 1, 1, 1])
    world.wait("the refund", lambda: world.metric("bursar_refunds_total") == 1)
    assert world.http("/livez")[0] == 200
    world.wait("readyz", lambda: world.http("/readyz")[0] == 200)
    assert world.http("/nothing")[0] == 404
    for component in ("broker", "ledger", "redis"):
        assert world.metric('bursar_component_up{component="%s"}' % component) == 1
    text = world.http("/metrics")[1]
    for metric in ("bursar_batches_total", "bursar_batch_size_bucket", "bursar_commit_seconds_count",
                   "bursar_settle_lag_seconds_sum", "bursar_redeliveries_total", "bursar_build_info"):
        assert metric in text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert done.returncode == 0 and done.stderr.strip() == "", done.stderr
    assert worker.terminate() == 0


def test_status_tells_the_age_of_the_backlog(world):
    assert world.json("status")["backlog_age_seconds"] == 0
    token = int(world.deduct("camp", "first", 1)[2])
    world.publish({"message_id": "first", "budget_id": "camp", "amount": 1, "deducted_at": token})
    worker = world.worker()
    world.wait_settled(1)
    assert worker.terminate() == 0
    publish(world, 3)
    time.sleep(2)
    status = world.json("status")
    assert status["queue"]["messages"] == 3 and 2 <= status["backlog_age_seconds"] <= 20
    assert "backlog age" in world.run("status")


def test_status_counts_what_the_worker_holds(world):
    worker = world.worker()
    world.run("deduct", "camp", "1")
    world.wait_settled(1)
    link = sqlite3.connect(world.ledger, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    publish(world, 50)
    world.wait("the worker to hold all", lambda: world.metric("bursar_deliveries_held") == 50)
    time.sleep(2)
    status = world.json("status")
    assert (status["queue"]["messages"], status["held"]) == (0, 50) and 2 <= status["backlog_age_seconds"] <= 60
    plain = dict(line.split("\t", 1) for line in world.run("status").splitlines() if "\t" in line)
    assert plain["held by the worker"] == "50" and re.fullmatch(r"at most \d+ s", plain["backlog age"])
    assert world.json("status", "--set", "http.listen=off")["backlog_age_seconds"] is None
    link.execute("ROLLBACK")
    link.close()
    world.wait_settled(51)
    world.wait("the acknowledgements", lambda: world.metric("bursar_deliveries_held") == 0)
    assert world.json("status")["backlog_age_seconds"] == 0
    assert worker.terminate() == 0


def test_a_redis_that_lets_nobody_in_is_an_outage_like_any_other(world):
    right = world.deduct("camp", "m0", 1)
    world.publish({"message_id": "m0", "budget_id": "camp", "amount": 1, "deducted_at": int(right[2])})
    worker = world.worker("--set", "redis.url=" + world.redis_server.url.replace("//", "//:secret@"))
    worker.wait_log("event=redis-unavailable.*AUTH")
    world.wait_settled(1)
    assert world.http("/readyz")[0] == 503 and world.http("/livez")[0] == 200
    assert world.pending("camp") and world.metric('bursar_component_up{component="redis"}') == 0
    try:
        world.redis.config_set("requirepass", "secret")
        worker.wait_log("event=redis-up")
        world.redis.auth("secret")
        world.wait("the clean-up", lambda: not world.pending("camp"))
    finally:
        world.redis.config_set("requirepass", "")
    assert worker.terminate() == 0 and "secret" not in worker.log()


def test_busy_port(world):
    done = world.run_all("run", "--set", f"http.listen=127.0.0.1:{world.redis_server.port}")
    assert done.returncode == 78
    assert str(world.redis_server.port) in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_json_log(world):
    worker = world.worker("--set", "log.format=json", "--set", "http.listen=off")
    world.wait("consuming", lambda: '"consuming"' in worker.log())
    for line in worker.log().splitlines():
        assert {"time", "level", "event"} <= set(json.loads(line))
    assert worker.terminate() == 0


def test_no_secret_anywhere(world):
    secret = "s3cret-passw0rd"
    environment = {"BURSAR_AMQP_URL": world.rabbit.url.replace("guest:guest", f"guest:{secret}"),
                   "BURSAR_REDIS_URL": world.redis_server.url.replace("redis://", f"redis://:{secret}@")}
    worker = world.worker(environment=environment)
    worker.wait_log("event=broker-unreachable")
    time.sleep(1)
    assert secret not in worker.log()
    with open(f"/proc/{worker.process.pid}/cmdline") as file:
        assert secret not in file.read()
    worker.terminate()
    for words in (["check"], ["status"], ["--help"]):
        done = world.run_all(*words, environment=environment) if words != ["--help"] else subprocess.run(
            [world.bursar, "--help"], text=True, capture_output=True, env=dict(os.environ, **environment))
        assert secret not in done.stdout + done.stderr
