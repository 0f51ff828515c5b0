"""A network of two machines on one: two network namespaces that only this process has, with a link between them that can be slow, lossy or cut.

    with Link() as link:
        with link.near(): start servers on link.near_address, connect to them
        link.far_command(words): the command as it runs on the other machine
        link.loss, link.delay, link.jitter, link.duplicates, link.cut

Nothing of the machine's own network is touched, and nothing is left behind: namespaces and devices end with their last process. The link is
made of two TUN devices with this process between them, so every packet passes through here. Needs root, /dev/net/tun and iproute2."""
import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def unavailable():
    """Why there can be no link here; None: there can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        return "needs ip (package iproute2) and nsenter"
    try:
        os.close(_new_namespace())
    except OSError as error:
        return f"no network namespaces here: {error.strerror}"
    return None


def _enter(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _here():
    """This thread's namespace."""
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def _new_namespace():
    """A descriptor of it; the caller stays where it is."""
    home = _here()
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        made = _here()
        _enter(home)
        return made
    finally:
        os.close(home)


@contextlib.contextmanager
def inside(namespace):
    """This thread, its sockets and its children are in the namespace while the block runs."""
    home = _here()
    _enter(namespace)
    try:
        yield
    finally:
        _enter(home)
        os.close(home)


class Link:
    near_address, far_address = "198.18.0.1", "198.18.0.2"  # the range for tests of networks, RFC 2544

    def __init__(self, seed=None):
        self.random = random.Random(seed)
        self.loss = 0.0        # the share of packets that vanish
        self.duplicates = 0.0  # the share that comes twice
        self.delay = 0.0       # seconds, each way
        self.jitter = 0.0      # seconds on top, at most: packets overtake each other
        self.cut = False       # nothing passes, and nobody is told
        self.lost = self.passed = 0
        self.namespaces = {}
        self.devices = {}
        self.closing = threading.Event()

    def __enter__(self):
        for side, address, peer in (("near", self.near_address, self.far_address), ("far", self.far_address, self.near_address)):
            self.namespaces[side] = _new_namespace()
            os.set_inheritable(self.namespaces[side], True)
            with inside(self.namespaces[side]):
                self.devices[side] = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(self.devices[side], TUNSETIFF, struct.pack("16sH22x", b"link0", IFF_TUN | IFF_NO_PI))
                for words in (["link", "set", "lo", "up"], ["addr", "add", address, "peer", peer, "dev", "link0"],
                              ["link", "set", "link0", "up"]):
                    subprocess.run(["ip", *words], check=True)
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.closing.set()
        self.thread.join()
        for descriptor in (*self.devices.values(), *self.namespaces.values()):
            os.close(descriptor)

    def near(self):
        return inside(self.namespaces["near"])

    def far_command(self, words):
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.namespaces['far']}", "--", *words]

    def _carry(self):
        near, far = self.devices["near"], self.devices["far"]
        other, due, order = {near: far, far: near}, [], 0
        while not self.closing.is_set():
            wait = min(0.1, max(0.0, due[0][0] - time.monotonic())) if due else 0.1
            for device in select.select([near, far], [], [], wait)[0]:
                with contextlib.suppress(BlockingIOError):
                    for _ in range(64):
                        packet = os.read(device, 65536)
                        for _ in range(self._copies()):
                            at = time.monotonic() + self.delay + self.random.random() * self.jitter
                            heapq.heappush(due, (at, order, other[device], packet))
                            order += 1
            while due and due[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(due)
                with contextlib.suppress(OSError):  # full, or down: lost, as on any network
                    os.write(device, packet)

    def _copies(self):
        if self.cut or self.random.random() < self.loss:
            self.lost += 1
            return 0
        self.passed += 1
        return 2 if self.random.random() < self.duplicates else 1
