"""What goes wrong every few seconds. One thread does them one after the other; each leaves everything running again."""
import random
import signal
import sqlite3
import threading
import time
import traceback

from verdict import FLAT_SECONDS_MIN

PAUSE_S = (2, 8)         # between two faults
HOLD_S = (1.0, 3.0)      # how long something stays paused or locked
KILLS_AT = (1 / 12, 2 / 12, 3 / 12)  # of the whole time: early, so that the last life of the worker is a long one
LAGS_AFTER_S = 45            # after a life began
LAG_MAX_S = 45               # below what costs a connection its heartbeats
BROKER_RESTART_EVERY_S = 300
REDIS_RESTART_EVERY_S = 240


class Faults(threading.Thread):
    """`marks`: (began, ended, name). `worker` is the life that runs now."""

    def __init__(self, world, seconds, seed):
        super().__init__(daemon=True)
        self.world = world
        self.seconds = seconds
        self.dice = random.Random(seed)
        self.stopping = threading.Event()
        self.marks = []
        self.error = None
        self.worker = None
        self.drawn = {
            "Redis cuts connections": (4, self.redis_cuts), "Redis forgets scripts": (2, self.redis_forgets),
            "Redis paused": (3, self.redis_paused), "broker cuts connections": (2, self.broker_cuts),
            "broker paused": (2, self.broker_paused), "broker's memory alarm": (1, self.broker_alarm),
            "ledger locked": (4, self.ledger_locked), "worker paused": (3, self.worker_paused), "worker reloads": (3, self.worker_reloads),
        }

    def start_worker(self):
        self.worker = self.world.worker()
        self.worker.wait_log("event=consuming", 120)

    def scheduled(self):
        """(second, name, what to do) of what happens at a time of its own."""
        plan = [(share * self.seconds, "worker killed", self.worker_killed) for share in KILLS_AT]
        if self.seconds >= FLAT_SECONDS_MIN:
            plan += [(share * self.seconds + LAGS_AFTER_S, "worker far behind", self.worker_far_behind) for share in (0, *KILLS_AT)]
        for name, act, every in (("broker restarted", self.broker_restarted, BROKER_RESTART_EVERY_S),
                                 ("Redis restarted", self.redis_restarted, REDIS_RESTART_EVERY_S)):
            count = max(1, int(self.seconds / every))
            plan += [((i + 0.5) * self.seconds / count, name, act) for i in range(count)]
        return sorted(plan, key=lambda entry: entry[0])

    def run(self):
        began = time.monotonic()
        plan = self.scheduled()
        names = list(self.drawn)
        weights = [weight for weight, _ in self.drawn.values()]
        try:
            while not self.stopping.wait(self.dice.uniform(*PAUSE_S)):
                if plan and time.monotonic() - began >= plan[0][0]:
                    _, name, act = plan.pop(0)
                else:
                    name = self.dice.choices(names, weights)[0]
                    act = self.drawn[name][1]
                start = time.monotonic()
                act()
                self.marks.append((start, time.monotonic(), name))
        except Exception:  # pylint: disable=broad-except
            self.error = traceback.format_exc()

    def hold(self):
        time.sleep(self.dice.uniform(*HOLD_S))

    # The worker

    def worker_killed(self):
        self.worker.kill()
        self.start_worker()

    def worker_paused(self):
        self.worker.process.send_signal(signal.SIGSTOP)
        self.hold()
        self.worker.process.send_signal(signal.SIGCONT)

    def worker_far_behind(self):
        """For so long that it is given all that it may hold at once. Its rooms for that then have their largest size, and whatever grows
        afterwards is a leak."""
        self.worker.process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + LAG_MAX_S
        while self.world.ready() < 1000 and time.monotonic() < end:
            time.sleep(0.5)
        self.worker.process.send_signal(signal.SIGCONT)

    def worker_reloads(self):
        self.world.settings["worker.batch_max"] = self.dice.randrange(1000, 5000)
        self.world.write_config()
        self.worker.process.send_signal(signal.SIGHUP)

    # What it needs

    def ledger_locked(self):
        link = sqlite3.connect(self.world.ledger, isolation_level=None, timeout=30)
        try:
            link.execute("PRAGMA wal_autocheckpoint = 0")  # checkpoints are the worker's alone
            link.execute("BEGIN IMMEDIATE")
            self.hold()
            link.execute("ROLLBACK")
        finally:
            link.close()

    def redis_cuts(self):
        self.world.redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def redis_forgets(self):
        self.world.redis_server.command("SCRIPT", "FLUSH")

    def redis_paused(self):
        self.world.redis_server.pause()
        self.hold()
        self.world.redis_server.resume()

    def redis_restarted(self):
        self.world.redis_server.stop()
        self.world.redis_server.start()

    def broker_cuts(self):
        self.world.rabbit.ctl("close_all_connections", "cut")

    def broker_paused(self):
        self.world.rabbit.pause()
        self.hold()
        self.world.rabbit.resume()

    def broker_alarm(self):
        self.world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1kB")
        self.hold()
        self.world.rabbit.ctl("set_vm_memory_high_watermark", "0.4")

    def broker_restarted(self):
        self.world.rabbit.stop()
        self.world.rabbit.start()
