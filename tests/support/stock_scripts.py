"""The Lua scripts as a producer calls them: python3-redis and EVALSHA, nothing of Bursar in between.

A test module imports the fixtures `server`, `client` and `budget` from here.
"""
import os

import pytest
import redis

from servers import Redis

SCRIPTS = os.environ.get("BURSAR_SCRIPTS") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/redis")
NAMES = ["deduct", "settle", "release", "credit", "state", "query", "refund_untracked", "forget_guard", "levels", "audit",
         "amend"]
LEFT, PENDING, DONE_0, DONE_1, META, CREDITS = range(6)
WINDOW = 600
AMOUNT_MAX = 2**53 - 1


class Budget:
    """One budget, called by scripts."""

    def __init__(self, client, name="camp:42"):
        self.client = client
        self.names = [f"budget:{{{name}}}" + end for end in ("", ":pending", ":done:0", ":done:1", ":meta", ":credits")]
        self.sha = {}
        for script in NAMES:
            with open(os.path.join(SCRIPTS, script + ".lua")) as file:
                self.sha[script] = client.script_load(file.read())

    def call(self, script, *arguments):
        return self.client.evalsha(self.sha[script], 6, *self.names, *arguments)

    def deduct(self, message_id, amount):
        return self.call("deduct", message_id, amount)

    def take(self, message_id, amount):
        status, _, token = self.deduct(message_id, amount)
        assert status == 1
        return token

    def settle(self, *items, window=WINDOW):
        return self.call("settle", window, *items)

    def release(self, message_id, token, outcome, window=WINDOW):
        return self.call("release", window, message_id, token, outcome)

    def credit(self, credit_id, amount):
        return self.call("credit", credit_id, amount)

    def state(self, state):
        return self.call("state", state)

    def query(self, message_id):
        return self.call("query", message_id)

    def refund(self, message_id, amount, outcome="rejected", window=WINDOW):
        """Without a token."""
        return self.call("refund_untracked", window, message_id, amount, outcome)

    def forget_guard(self, *message_ids, window=WINDOW):
        return self.call("forget_guard", window, *message_ids)

    def audit(self):
        return self.call("audit")

    def amend(self, amendment_id, *restore, left=0, credited=0, deducted=0, settled=0, released=0):
        """`restore`: limited or unlimited, the state, then credit ids and amounts."""
        return self.call("amend", amendment_id, left, credited, deducted, settled, released, *(restore or ("none",)))

    def age(self, windows):
        """As if so many done windows had passed since the generations were last turned."""
        if self.client.hexists(self.names[META], "gen_started_us"):
            self.client.hincrby(self.names[META], "gen_started_us", -windows * WINDOW * 10**6)

    def keys(self):
        """What the six keys hold, whatever their type."""
        held = []
        for name in self.names:
            kind = self.client.type(name)
            if kind == "hash" or kind == "none" and name != self.names[LEFT]:
                held.append(self.client.hgetall(name))
            else:
                held.append(self.client.get(name) if kind in ("string", "none") else self.client.lrange(name, 0, -1))
        return held

    def totals(self):
        meta = self.client.hgetall(self.names[META])
        return [int(meta.get(name, 0)) for name in ("credited", "deducted", "settled", "released")]

    def check_balance(self):
        """The two equations that always hold."""
        credited, deducted, settled, released = self.totals()
        left = int(self.client.get(self.names[LEFT]))
        assert left == -1 or left == credited - deducted + released
        amounts = [int(value.split(":")[0]) for value in self.client.hvals(self.names[PENDING])]
        assert sum(amounts) == deducted - settled - released


def refused(budget, script, *arguments, keys=None):
    """The script answers BURSAR…, and all six keys are as before. The text."""
    before = budget.keys()
    with pytest.raises(redis.ResponseError) as caught:
        if keys is None:
            budget.call(script, *arguments)
        else:
            budget.client.evalsha(budget.sha[script], len(keys), *keys, *arguments)
    assert str(caught.value).startswith("BURSAR " + script + ": "), (script, arguments)
    assert budget.keys() == before
    return str(caught.value)


def busy(budget):
    """A budget with something in every key."""
    budget.credit("c", 1000)
    budget.settle("done", budget.take("done", 1))
    budget.age(1)
    budget.release("back", budget.take("back", 2), "voided")
    return budget.take("m", 10)


@pytest.fixture(scope="module")
def server():
    with Redis() as running:
        yield running


@pytest.fixture
def client(server):
    with redis.Redis("127.0.0.1", server.port, decode_responses=True) as connected:
        connected.flushall()
        connected.config_set("maxmemory", 0)
        yield connected
        connected.config_set("maxmemory", 0)


@pytest.fixture
def budget(client):
    return Budget(client)
