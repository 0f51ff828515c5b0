"""A TCP proxy on loopback that does to a connection what networks do: cut it after a given byte, hold it, slow it down, refuse it.

    with Proxy(server.port) as proxy:      # clients go to proxy.port
        cut = proxy.cut(TO_SERVER, after=1000)
        cut.wait()

What is not cut arrives byte for byte. A cut is exact: the bytes before it arrive, then the end of the stream, on both sides."""
import socket
import threading
import time

from servers import wait_for

TO_SERVER, TO_CLIENT = "to the server", "to the client"


class Cut:
    """Ends one connection once `after` bytes have passed in a direction: counted from the rule's making, or from where `pattern` begins."""

    def __init__(self, towards, after, pattern, of):
        self.towards, self.after, self.pattern, self.of = towards, after, pattern, of
        self.seen = b""        # where a pattern can still begin
        self.connection = None
        self.happened = threading.Event()

    def applies(self, connection, towards):
        if self.happened.is_set() or towards != self.towards or not self.of(connection):
            return False
        return self.connection in (None, connection)

    def split(self, connection, data):
        """How many bytes of `data` still pass; None: all of them, and no cut yet."""
        if self.pattern is not None:
            if self.connection is not None and self.connection is not connection:
                return None
            place = (self.seen + data).find(self.pattern)
            if place < 0:
                self.seen = (self.seen + data)[-len(self.pattern) + 1:] if len(self.pattern) > 1 else b""
                return None
            self.after += place - len(self.seen)
            self.pattern = None
        self.connection = connection
        if self.after > len(data):
            self.after -= len(data)
            return None
        return max(self.after, 0)

    def wait(self, seconds=30):
        if not self.happened.wait(seconds):
            raise TimeoutError(f"waited {seconds} s for a connection to be cut {self.towards} after {self.after} bytes")
        return self.connection


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.ends = {TO_CLIENT: client, TO_SERVER: server}
        self.opening = b""     # the first bytes from the client: who it is
        self.passed = {TO_CLIENT: 0, TO_SERVER: 0}
        self.times = {TO_CLIENT: [], TO_SERVER: []}   # when bytes were passed on
        self.ended_by = None
        self.ended_at = None
        for towards in (TO_CLIENT, TO_SERVER):
            threading.Thread(target=self._pump, args=(towards,), daemon=True).start()

    def _pump(self, towards):
        source = self.ends[TO_SERVER if towards == TO_CLIENT else TO_CLIENT]
        try:
            while self.ended_by is None:
                data = source.recv(self.proxy.crumb or 65536)
                if not data:
                    break
                if towards == TO_SERVER and len(self.opening) < 4096:
                    self.opening += data
                if self.proxy.delay:
                    time.sleep(self.proxy.delay)
                self.proxy.gate[towards].wait()
                if not self._forward(towards, data):
                    return
        except OSError:
            pass
        self.end("server" if towards == TO_CLIENT else "client")

    def _forward(self, towards, data):
        for rule in list(self.proxy.cuts):
            if not rule.applies(self, towards):
                continue
            passing = rule.split(self, data)
            if passing is None:
                continue
            self.ends[towards].sendall(data[:passing])
            self.passed[towards] += passing
            self.end("proxy")
            rule.happened.set()
            return False
        self.times[towards].append(time.monotonic())
        self.ends[towards].sendall(data)
        self.passed[towards] += len(data)
        return True

    def end(self, by):
        """Both ends see the end of the stream, after what passed."""
        if self.ended_by is None:
            self.ended_by, self.ended_at = by, time.monotonic()
        for end in self.ends.values():
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Proxy:
    def __init__(self, server_port, address="127.0.0.1"):
        self.server_port = server_port
        self.connections = []
        self.cuts = []
        self.delay = 0.0       # seconds that every piece is later
        self.crumb = 0         # the most bytes carried at a time; 0: as they come
        self.refusing = False
        self.gate = {TO_CLIENT: threading.Event(), TO_SERVER: threading.Event()}
        self.release()
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self.server_port), timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(Connection(self, client, server))

    def cut(self, towards, after=0, pattern=None, of=lambda connection: True):
        rule = Cut(towards, after, pattern, of)
        self.cuts.append(rule)
        return rule

    def cut_all(self):
        """Every connection, now."""
        for connection in self.open():
            connection.end("proxy")

    def hold(self, towards):
        """From now on nothing passes in this direction, until release()."""
        self.gate[towards].clear()

    def release(self):
        for gate in self.gate.values():
            gate.set()

    def open(self):
        return [connection for connection in self.connections if connection.ended_by is None]

    def wait_open(self, count=1, seconds=30):
        wait_for(f"{count} connections through the proxy", seconds, lambda: len(self.open()) >= count)

    def close(self):
        self.listener.close()
        self.cut_all()
        self.release()
