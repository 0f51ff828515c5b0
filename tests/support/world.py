"""Bursar on throwaway servers: configuration, commands, the worker as a process, and a look from outside that uses none of its code."""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pika
import redis as redis_client
from servers import RabbitMQ, Redis, free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BURSAR = os.environ.get("BURSAR_BIN", os.path.join(ROOT, "build", "debug", "src", "cli", "bursar"))
SCRIPTS = os.path.join(ROOT, "scripts", "redis")


class Worker:
    """One `bursar run`."""

    def __init__(self, world, *options, environment=None):
        self.world = world
        self.log_path = os.path.join(world.folder, f"worker-{world.next_worker}.log")
        world.next_worker += 1
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*world.worker_prefix, world.bursar, "run", "-c", world.config, *options], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=dict(os.environ, **(environment or {})),
                                            start_new_session=True)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        return self.process.wait(30)

    def terminate(self, seconds=40):
        """SIGTERM, once it listens to signals; the exit status."""
        wait_for("the worker to start", 10, lambda: "started" in self.log() or not self.running())
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def wait_log(self, pattern, seconds=30):
        """The first line that matches; raises with the log's end."""
        def found():
            match = re.search(pattern, self.log())
            if not match and not self.running():
                raise RuntimeError(f"the worker ended ({self.process.returncode}): {self.log()[-3000:]}")
            return match
        try:
            return wait_for(pattern, seconds, found)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log ends: {self.log()[-3000:]}") from None

    def wait_died(self, seconds=60):
        return self.process.wait(seconds)


class World:
    """Servers, a folder, a configuration. Use as a context."""

    def __init__(self, redis=None, rabbit=None, bursar=BURSAR, settings=None):
        self.bursar = bursar
        self.own = []
        self.redis_server = redis or self._own(Redis())
        self.rabbit = rabbit or self._own(RabbitMQ())
        self.folder = tempfile.mkdtemp(prefix="bursar-world-")
        self.ledger = os.path.join(self.folder, "ledger.db")
        self.config = os.path.join(self.folder, "bursar.conf")
        self.http_port = free_port()
        self.settings = dict(settings or {})
        self.worker_prefix = []  # words before the worker's command, to run it elsewhere
        self.next_worker = 1
        self.workers = []

    def _own(self, server):
        self.own.append(server)
        return server

    def __enter__(self):
        try:
            for server in self.own:
                server.start()
        except BaseException:
            self.close()
            raise
        self.write_config()
        self.redis = redis_client.Redis(host="127.0.0.1", port=self.redis_server.port, decode_responses=True)
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for worker in self.workers:
            if worker.running():
                worker.kill()
        for server in self.own:
            server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_config(self):
        values = {"amqp.url": self.rabbit.url, "redis.url": self.redis_server.url, "ledger.url": f"sqlite:{self.ledger}",
                  "http.listen": f"127.0.0.1:{self.http_port}", "worker.retry_max": 2}
        values.update(self.settings)
        sections = {}
        for key, value in values.items():
            section, name = key.split(".")
            text = json.dumps(value) if not isinstance(value, bool) else str(value).lower()
            sections.setdefault(section, []).append(f"  {name} = {text};")
        with open(self.config + ".new", "w") as file:
            for section, lines in sections.items():
                file.write(f"{section}: {{\n" + "\n".join(lines) + "\n};\n")
        os.replace(self.config + ".new", self.config)  # whoever reads it meanwhile never sees half of it

    def run(self, *words, status=0, input=None, environment=None):
        """A bursar command; its standard output. `status` None: any."""
        done = self.run_all(*words, input=input, environment=environment)
        if status is not None and done.returncode != status:
            raise AssertionError(f"bursar {' '.join(words)}: exit {done.returncode}, expected {status}\n"
                                 f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def run_all(self, *words, input=None, environment=None):
        return subprocess.run([self.bursar, words[0], "-c", self.config, *words[1:]], input=input, text=True,
                              capture_output=True, timeout=300, env=dict(os.environ, **(environment or {})))

    def json(self, *words, status=0):
        return json.loads(self.run(*words, "--json", status=status))

    def worker(self, *options, environment=None):
        worker = Worker(self, *options, environment=environment)
        self.workers.append(worker)
        return worker

    def http(self, path):
        """(status, body) of the running worker."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.rsplit(" ", 1)[0] == name:
                return float(line.rsplit(" ", 1)[1])
        return None

    # The broker, from outside.
    def channel(self):
        """A channel whose publishes wait for their confirm: what is only sent may be lost when its connection closes."""
        channel = pika.BlockingConnection(pika.URLParameters(self.rabbit.url)).channel()
        channel.confirm_delivery()
        return channel

    def publish(self, body, message_id=None, headers=None, channel=None, persistent=True):
        """As an older or foreign producer would."""
        own = channel is None
        channel = channel or self.channel()
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        channel.basic_publish("bursar", "deduction", body, pika.BasicProperties(
            message_id=message_id, content_type="application/json", delivery_mode=2 if persistent else 1, headers=headers))
        if own:
            channel.connection.close()

    def ready(self, queue="bursar.deductions"):
        channel = self.channel()
        try:
            return channel.queue_declare(queue, passive=True).method.message_count
        finally:
            channel.connection.close()

    def dead_letters(self):
        """Every parked message, left where it is: (properties, body)."""
        channel = self.channel()
        found = []
        while True:
            method, properties, body = channel.basic_get("bursar.deductions.dlq")
            if method is None:
                break
            found.append((properties, body))
        channel.connection.close()
        return found

    # The ledger, from outside.
    def rows(self, query, *parameters):
        link = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=30)
        link.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in link.execute(query, parameters)]
        finally:
            link.close()

    def value(self, query, *parameters):
        return list(self.rows(query, *parameters)[0].values())[0]

    # Redis, from outside.
    def keys(self, budget):
        base = f"budget:{{{budget}}}"
        return [base, base + ":pending", base + ":done:0", base + ":done:1", base + ":meta", base + ":credits"]

    def script(self, name):
        with open(os.path.join(SCRIPTS, name + ".lua")) as file:
            return self.redis.register_script(file.read())

    def deduct(self, budget, message_id, amount):
        """deduct.lua as a client in another language calls it: [status, left, token]."""
        return self.script("deduct")(keys=self.keys(budget), args=[message_id, amount])

    def pending(self, budget):
        return self.redis.hgetall(self.keys(budget)[1])

    def left(self, budget):
        value = self.redis.get(self.keys(budget)[0])
        return None if value is None else int(value)

    def meta(self, budget):
        return self.redis.hgetall(self.keys(budget)[4])

    def wait(self, what, condition, seconds=30):
        return wait_for(what, seconds, condition)

    def wait_settled(self, count, seconds=60):
        """Until the ledger has this many rows."""
        return wait_for(f"{count} rows", seconds, lambda: self.value("SELECT count(*) FROM v_deduction") >= count)

    def wait_quiet(self, seconds=60):
        """Until the queue is empty, no pending is left whose message was booked, and no refund is due."""
        def quiet():
            return (self.ready() == 0 and self.value("SELECT count(*) FROM v_deduction WHERE refund = 'due'") == 0
                    and not any(self.redis.hlen(key) for key in self.redis.scan_iter("budget:*:pending", count=1000)))
        return wait_for("the queue, the pendings and the refunds to be worked off", seconds, quiet, 0.2)
