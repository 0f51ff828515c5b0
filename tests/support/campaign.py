"""A campaign: real traffic of every kind through a World, and a reckoning from outside that shares nothing with Bursar.

What goes in is written down as it goes in: which id was deducted in Redis and with which amount, which was only forged, which cannot be
read. The reckoning is that of Books."""
import collections
import json
import os
import random
import subprocess
import time
import uuid

from books import Books

UNREADABLE = [  # body, property id, the reason it must be parked for
    (b"{", "u%d", "malformed"),
    (b"not json at all", "u%d", "malformed"),
    (b"[]", "u%d", "malformed"),
    (b'{"budget_id":"b","amount":1,"amount":2}', "u%d", "malformed"),
    (b'\xff\xfe{"budget_id":"b","amount":1}', "u%d", "malformed"),
    (b'{"budget_id":"b","amount":1}', None, "missing-id"),
    (b'{"message_id":17,"budget_id":"b","amount":1}', None, "invalid-id"),
    (b'{"message_id":"with space","budget_id":"b","amount":1}', None, "invalid-id"),
    (b'{"message_id":"x","budget_id":"b","amount":1}', "u%d", "malformed"),
    (b'{"budget_id":"not ok","amount":1}', "u%d", "invalid-budget-id"),
    (b'{"amount":1}', "u%d", "invalid-budget-id"),
    (b'{"budget_id":"b","amount":2.5}', "u%d", "invalid-amount"),
    (b'{"budget_id":"b","amount":0}', "u%d", "invalid-amount"),
    (b'{"budget_id":"b","amount":99999999999999999999}', "u%d", "invalid-amount"),
    (b'{"budget_id":"b","amount":1,"user_id":"' + b"u" * 129 + b'"}', "u%d", "too-large"),
    (b'{"budget_id":"b","amount":1,"x":"' + b"x" * 65536 + b'"}', "u%d", "too-large"),
]


class Campaign(Books):
    def __init__(self, world, deductions, budgets=50, producers=4, seed=None):
        super().__init__(world)
        self.seed = seed if seed is not None else random.randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.deductions = deductions
        self.budgets = [f"camp:{i:02d}" for i in range(budgets)]
        self.producers = producers
        self.refused = collections.Counter()  # answers of deduct that are no deduction
        self.repeats = 0
        self.duplicates = 0       # messages published once more
        self.processes = []
        self.began = time.monotonic()

    # What goes in

    def create_budgets(self):
        """Popularity falls like 1/rank; every fifth budget is too small for its demand, one has no limit."""
        weights = [1 / (i + 1) for i in range(len(self.budgets))]
        self.weights = weights
        for i, budget in enumerate(self.budgets):
            demand = self.deductions * 3 * weights[i] / sum(weights)
            total = "unlimited" if i == 7 else str(int(demand * (0.5 if i % 5 == 2 else 2)) + 10)
            self.world.run("budget", "create", budget, "--total", total, "--name", f"Campaign {i}")
            self.total[budget] = -1 if total == "unlimited" else int(total)

    def write_files(self):
        """Each producer's lines: new deductions, retries of another's (same id, same amount), misuse of an id with another amount."""
        lines = []
        for budget in self.random.choices(self.budgets, self.weights, k=self.deductions):
            lines.append({"message_id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)), "budget_id": budget,
                          "amount": self.random.randint(1, 5), "user_id": f"user-{self.random.randrange(10000)}"})
        files = [[] for _ in range(self.producers)]
        for i, line in enumerate(lines):
            files[i % self.producers].append(line)
            chance = self.random.random()
            if chance < 0.03:
                files[(i + 1) % self.producers].append(line)
            elif chance < 0.04:
                files[i % self.producers].append(dict(line, amount=line["amount"] + 1))
        self.files = []
        self.by_id = {line["message_id"]: (line["budget_id"], line["amount"]) for line in lines}
        for i, content in enumerate(files):
            path = os.path.join(self.world.folder, f"producer-{i}.jsonl")
            with open(path, "w") as file:
                file.writelines(json.dumps(line) + "\n" for line in content)
            self.files.append(path)
        self.lines = sum(map(len, files))

    def start_producers(self):
        """`bursar deduct --from` on every file at once."""
        for path in self.files:
            out = open(path + ".out", "wb")
            err = open(path + ".err", "wb")
            self.processes.append(subprocess.Popen(
                [self.world.bursar, "deduct", "-c", self.world.config, "--json", "--from", path], stdout=out, stderr=err))

    def producers_running(self):
        return any(process.poll() is None for process in self.processes)

    def finish_producers(self, timeout=300):
        for process, path in zip(self.processes, self.files):
            code = process.wait(timeout)
            if code not in (0, 1):
                with open(path + ".err") as file:
                    raise AssertionError(f"a producer ended with {code}: {file.read()[-1000:]}")
            with open(path + ".out") as file:
                for line in file:
                    self._answer(json.loads(line))
        self.processes = []

    def _answer(self, answer):
        status, message_id = answer["status"], answer["message_id"]
        if status in ("deducted", "repeat"):
            amount = self.by_id[message_id]
            # A misuse that came first is the deduction; the right line is then the conflict.
            if (answer["budget_id"], answer["amount"]) != amount:
                self.by_id[message_id] = (answer["budget_id"], answer["amount"])
            self.deducted[message_id] = (answer["budget_id"], answer["amount"])
            if status == "repeat":
                self.repeats += 1
                self.duplicates += bool(answer["published"])
        else:
            self.refused[status] += 1

    def publish_foreign(self, scale=1):
        """A client in another language, older producers, batch messages, forgeries and garbage; a part of it with scale < 1."""
        channel = self.world.channel()
        self._foreign_client(channel, round(200 * scale))
        self._older_producers(channel, round(200 * scale))
        self._batches(channel, round(10 * scale))
        self._forged(channel, round(100 * scale))
        self._unreadable(channel, round(5 * scale))
        channel.connection.close()

    def _id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _foreign_client(self, channel, count):
        for _ in range(count):
            budget, message_id, amount = self.random.choice(self.budgets), self._id(), self.random.randint(1, 3)
            status, _, token = self.world.deduct(budget, message_id, amount)
            if status != 1:
                self.refused["foreign " + str(status)] += 1
                continue
            self.deducted[message_id] = (budget, amount)
            body = {"budget_id": budget, "amount": str(amount), "deducted_at": int(token), "unknown": {"kept": False}}
            for _ in range(1 + (self.random.random() < 0.2)):
                self.world.publish(body, message_id, channel=channel)

    def _older_producers(self, channel, count):
        """With a script of their own: atomic, for a stock that passes through -1 would be unlimited for a moment."""
        take = self.world.redis.register_script("if tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then return 0 end "
                                                "redis.call('DECRBY', KEYS[1], ARGV[1]) return 1")
        for _ in range(count):
            budget, message_id, amount = self.random.choice(self.budgets[:5]), self._id(), 1
            if self.total[budget] != -1 and not take(keys=self.world.keys(budget)[:1], args=[amount]):
                continue
            self.older[message_id] = (budget, amount)
            self.world.publish({"message_id": message_id, "budget_id": budget, "amount": amount}, channel=channel)

    def _batches(self, channel, count):
        for _ in range(count):
            items = []
            for _ in range(20):
                budget, message_id = self.random.choice(self.budgets), self._id()
                status, _, token = self.world.deduct(budget, message_id, 1)
                if status == 1:
                    self.deducted[message_id] = (budget, 1)
                    items.append({"message_id": message_id, "budget_id": budget, "amount": 1, "deducted_at": int(token)})
            bad = self._id()
            items.insert(len(items) // 2, {"message_id": bad, "budget_id": "b", "amount": -1})
            self.expected_parked["invalid-amount", bad] += 1
            self.world.publish(items, "the batch's own id means nothing", channel=channel)

    def _forged(self, channel, count):
        for i in range(count):
            message_id = self._id()
            budget, amount = [("camp:00", 9007199254740991), ("no-such-budget", 5), ("camp:07", 3)][i % 3]
            self.forged[message_id] = (budget, amount)
            # Without a token its refund would be believed: an older producer's word is all there is.
            token = {"deducted_at": 1234567890123456} if i % 2 or i % 3 == 0 else {}
            self.world.publish(dict({"budget_id": budget, "amount": amount}, **token), message_id, channel=channel)
            if i % 3 == 2 and i % 2 == 0:
                self.world.publish({"message_id": message_id, "budget_id": budget, "amount": amount + 1}, message_id, channel=channel)
                self.expected_parked["id-conflict", message_id] += 1

    def _unreadable(self, channel, count):
        for i in range(count):
            for j, (body, property_id, reason) in enumerate(UNREADABLE):
                message_id = property_id % (i * 100 + j) if property_id else None
                self.world.publish(body, message_id, channel=channel)
                self.expected_parked[reason, message_id] += 1

    # What came out

    def figures(self):
        """(what, count, units) for the table."""
        world = self.world
        result = [("lines read by producers", self.lines, None),
                  ("deducted in Redis", len(self.deducted), sum(a for _, a in self.deducted.values())),
                  ("  repeats of a known id", self.repeats, None)]
        result += [(f"  refused: {status}", count, None) for status, count in sorted(self.refused.items())]
        result += [("by older producers, without token", len(self.older), sum(a for _, a in self.older.values())),
                   ("forged messages", len(self.forged), None),
                   ("unreadable or conflicting", sum(self.expected_parked.values()), None)]
        for state in ("settled", "rejected"):
            row = world.rows("SELECT count(*) n, coalesce(sum(CAST(amount AS REAL)), 0) s FROM v_deduction WHERE state = ?", state)[0]
            result.append((f"booked as {state}", row["n"], int(row["s"]) if state == "settled" else None))
        result.append(("  of those refunded", world.value("SELECT count(*) FROM v_deduction WHERE refund = 'done'"), None))
        result.append(("parked", world.value("SELECT count(*) FROM v_parked"), None))
        return result
