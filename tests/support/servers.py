#!/usr/bin/python3
"""Throwaway Redis and RabbitMQ servers on free loopback ports, for tests, benchmarks and the quickstart.

As a module:   with Redis() as redis, RabbitMQ() as rabbit: ... redis.url, rabbit.url
As a command:  servers.py [--redis] [--redis-module FILE] [--rabbitmq] -- COMMAND ARG...
               runs COMMAND with BURSAR_TEST_REDIS_URL and BURSAR_TEST_AMQP_URL set and exits with its status.

Only processes started here are ever ended, by pid. Nothing is left behind: data lives in a temporary folder.
"""
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds, condition, pause=0.05):
    """Polls `condition` until it is true; raises with `what` when the time is up."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)


def port_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Server:
    """A process with a folder and a port. start() and stop() may alternate; the data and the port stay."""

    name = "server"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix=f"bursar-{self.name}-")
        self.port = free_port()
        self.environment = None  # of the process; None: this one's
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.close()

    def kill(self):
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def pause(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def _end(self, number):
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(os.path.join(self.folder, "out"), errors="replace") as file:
            return file.read()

    def _spawn(self, command, environment=None):
        out = open(os.path.join(self.folder, "out"), "ab")
        self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=out, stderr=out, start_new_session=True)
        out.close()


class Redis(Server):
    name = "redis"

    def __init__(self, *options, address=None):
        """`address`: listens there too."""
        super().__init__()
        self.options = list(options)
        self.addresses = ["127.0.0.1"]
        if address is not None:
            self.addresses.append(address)
            self.options += ["--protected-mode", "no"]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self._spawn(["redis-server", "--port", str(self.port), "--bind", *self.addresses, "--save", "",
                     "--appendonly", "yes", "--appendfsync", "everysec", "--dir", self.folder,
                     "--maxmemory-policy", "noeviction"] + self.options, self.environment)
        wait_for("Redis", 30, self._ready)

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("redis-server ended: " + self.log()[-2000:])
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def command(self, *words):
        """One command over a fresh connection; the first line of the reply (for simple replies)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            payload = f"*{len(words)}\r\n" + "".join(f"${len(str(w))}\r\n{w}\r\n" for w in words)
            link.sendall(payload.encode())
            return link.makefile("rb").readline().decode().rstrip()


class RabbitMQ(Server):
    name = "rabbitmq"

    def __init__(self, address=None):
        """`address`: listens there too."""
        super().__init__()
        self.dist_port = free_port()
        self.epmd_port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"
        self.node = f"bursar{self.port}@127.0.0.1"  # a name that needs no resolver
        self.epmd = None
        base = self.folder
        with open(f"{base}/rabbitmq.conf", "w") as file:
            file.write("loopback_users = none\ndisk_free_limit.absolute = 1MB\nlog.console.level = error\n")
            for number, listener in enumerate(["127.0.0.1"] + ([address] if address else []), 1):
                file.write(f"listeners.tcp.{number} = {listener}:{self.port}\n")
        with open(f"{base}/plugins", "w") as file:
            file.write("[].\n")
        self.environment = dict(
            os.environ, HOME=base, RABBITMQ_NODENAME=self.node, RABBITMQ_USE_LONGNAME="true",
            RABBITMQ_DIST_PORT=str(self.dist_port),
            RABBITMQ_MNESIA_BASE=f"{base}/db", RABBITMQ_LOG_BASE=f"{base}/log", RABBITMQ_PID_FILE=f"{base}/pid",
            RABBITMQ_CONFIG_FILE=f"{base}/rabbitmq", RABBITMQ_ENABLED_PLUGINS_FILE=f"{base}/plugins",
            RABBITMQ_CONF_ENV_FILE="/dev/null", RABBITMQ_FEATURE_FLAGS_FILE=f"{base}/feature_flags",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
            ERL_EPMD_PORT=str(self.epmd_port), ERL_EPMD_ADDRESS="127.0.0.1")

    def start(self):
        if self.epmd is None:
            self.epmd = subprocess.Popen(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, start_new_session=True)
            wait_for("epmd", 10, lambda: port_answers(self.epmd_port))
        self._spawn(["/usr/lib/rabbitmq/bin/rabbitmq-server"], self.environment)
        wait_for("RabbitMQ", 120, self._ready, 0.2)

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("rabbitmq-server ended: " + self.log()[-2000:])
        return " completed with " in self.log()[self._log_mark:] and port_answers(self.port)

    _log_mark = 0

    def _end(self, number):
        super()._end(number)
        try:
            self._log_mark = len(self.log())
        except FileNotFoundError:
            pass

    def ctl(self, *words, tool="rabbitmqctl", check=True):
        """rabbitmqctl on this node; its standard output."""
        done = subprocess.run([f"/usr/lib/rabbitmq/bin/{tool}", "-q", *words], env=self.environment, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"{tool} {' '.join(words)}: {done.stdout}")
        return done.stdout

    def crash(self):
        """SIGKILL, once it has written down which queues there are: it does that seconds late, and then has lost a new one for good."""
        self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")
        self.kill()

    def close(self):
        self.stop()
        if self.epmd is not None:
            self.epmd.terminate()
            self.epmd.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--redis-module", metavar="FILE", help="a Redis that loads this module")
    parser.add_argument("--rabbitmq", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers = []
    environment = dict(os.environ)
    try:
        if options.redis or options.redis_module:
            servers.append(Redis(*(["--loadmodule", options.redis_module] if options.redis_module else [])))
            servers[-1].start()
            environment["BURSAR_TEST_REDIS_URL"] = servers[-1].url
        if options.rabbitmq:
            servers.append(RabbitMQ())
            servers[-1].start()
            environment["BURSAR_TEST_AMQP_URL"] = servers[-1].url
            environment["BURSAR_TEST_RABBITMQ_NODE"] = servers[-1].node
        return subprocess.run(command, env=environment).returncode
    finally:
        for server in reversed(servers):
            server.close()


if __name__ == "__main__":
    sys.exit(main())
