"""What the scripts in scripts/redis/ promise, in plain Python: one budget, six keys, no Redis.

Time is not modelled but told: a deduction is told its token, and age() says that done windows have passed. Each method answers as the
script of its name replies; Refused stands for an error reply.
"""
import re

AMOUNT_MAX = 2**53 - 1


class Refused(Exception):
    """The script answers with an error and changes nothing."""


def is_amount(text, least=1):
    return re.fullmatch("0|[1-9][0-9]{0,15}", text) is not None and least <= int(text) <= AMOUNT_MAX


def is_id(text):
    return re.fullmatch("[!-~]{1,128}", text) is not None


class StockModel:
    def __init__(self):
        self.left = None  # an int; -1: unlimited; None: no key
        self.pending = {}  # id: (amount, token)
        self.done = ({}, {})  # id: (outcome, amount, token)
        self.credits = {}
        self.guards = {}  # id: (outcome, amount)
        self.credited = None
        self.deducted = self.settled = self.released = 0
        self.state = None
        self.unlimited = False
        self.generation = 0
        self.windows = None  # how many done windows old the current generation is; None: it never began

    def _left(self):
        return "" if self.left is None else str(self.left)

    def _find_done(self, message_id):
        return self.done[self.generation].get(message_id) or self.done[1 - self.generation].get(message_id)

    def deduct(self, message_id, amount, token):
        """`token` is what Redis will say, where it takes the amount."""
        if not is_id(message_id) or not is_amount(amount):
            return [-5, "", ""]
        if message_id in self.pending:
            first, at = self.pending[message_id]
            return [0 if first == int(amount) else -4, self._left(), at]
        known = self._find_done(message_id)
        if known:
            outcome, first, at = known
            status = -6 if outcome != "settled" else 0 if first == int(amount) else -4
            return [status, self._left(), at]
        if self.left is None:
            return [-3, "", ""]
        if self.state not in (None, "active"):
            return [-7, self._left(), ""]
        if self.deducted + int(amount) > AMOUNT_MAX or -1 != self.left < int(amount):
            return [-2, self._left(), ""]
        self.pending[message_id] = (int(amount), token)
        self.deducted += int(amount)
        if self.left != -1:
            self.left -= int(amount)
        return [1, self._left(), token]

    def age(self, windows):
        if self.windows is not None:
            self.windows += windows

    def _remember(self, name, entry):
        """Puts an entry into the current generation of `done`, which is turned when it is time."""
        if self.windows is None:
            self.windows = 0
        elif self.windows >= 1:
            if self.windows >= 2:
                self.done[self.generation].clear()
            self.generation = 1 - self.generation
            self.done[self.generation].clear()
            self.windows = 0
        self.done[self.generation][name] = entry

    def _finish(self, message_id, outcome):
        amount, token = self.pending.pop(message_id)
        self._remember(message_id, (outcome, amount, token))
        return amount

    def settle(self, *items):
        """`items`: message_id, token, message_id, token…"""
        if len(items) % 2 == 1 or not all(is_id(i) for i in items[::2]) or not all(is_amount(t) for t in items[1::2]):
            raise Refused
        cleared = 0
        for message_id, token in zip(items[::2], items[1::2]):
            if self.pending.get(message_id, (0, ""))[1] == token:
                self.settled += self._finish(message_id, "settled")
                cleared += 1
        return cleared

    def release(self, message_id, token, outcome):
        if not is_id(message_id) or not is_amount(token) or outcome not in ("rejected", "voided", "extra"):
            raise Refused
        if self.pending.get(message_id, (0, ""))[1] != token:
            return [0, self._left()]
        return self._give_back(message_id, outcome)

    def _give_back(self, message_id, outcome):
        amount = self._finish(message_id, "settled" if outcome == "extra" else outcome)
        self.released += amount
        if self.left not in (None, -1):
            self.left += amount
        return [1, self._left()]

    def credit(self, credit_id, amount):
        unlimited = amount == "unlimited"
        if not is_id(credit_id) or not unlimited and not is_amount(amount, 0):
            raise Refused
        if credit_id in self.credits:
            if self.credits[credit_id] != amount:
                raise Refused
            return [0, self._left()]
        number = 0 if unlimited else int(amount)
        is_new = self.left is None and self.credited is None
        is_unlimited = self.unlimited if self.left is None else self.left == -1
        if not is_new and unlimited != is_unlimited:
            raise Refused
        if (self.credited or 0) + number > AMOUNT_MAX or (self.left or 0) + number > AMOUNT_MAX:
            raise Refused
        self.credits[credit_id] = amount
        self.credited = (self.credited or 0) + number
        self.unlimited = self.unlimited or unlimited
        if is_new:
            self.left = -1 if unlimited else number
        elif self.left is not None and not unlimited:
            self.left += number
        return [1, self._left()]

    def set_state(self, state):
        if state not in ("active", "closed", "deleted"):
            raise Refused
        self.state = state

    def query(self, message_id):
        if not is_id(message_id):
            raise Refused
        if message_id in self.pending:
            amount, token = self.pending[message_id]
            return ["pending", str(amount), token]
        outcome, amount, token = self._find_done(message_id) or ("unknown", "", "")
        return [outcome, str(amount), token]

    def refund_untracked(self, message_id, amount, outcome):
        if not is_id(message_id) or not is_amount(amount) or outcome not in ("rejected", "voided", "extra"):
            raise Refused
        guard = "refund " + message_id
        given_back = [(o, int(amount)) for o in ("rejected", "voided")]
        for done in self.done:
            if guard in done or done.get(message_id, ("", 0, ""))[:2] in given_back:
                return [0, self._left()]
        tracked = self.pending.get(message_id, (0, ""))[0] == int(amount)
        if message_id in self.guards or self.left is None and not tracked:
            return [0, self._left()]
        if self.left not in (None, -1) and self.left + int(amount) > AMOUNT_MAX:
            raise Refused
        self.guards[message_id] = (outcome, int(amount))
        if tracked:
            return self._give_back(message_id, outcome)
        if self.left != -1:
            self.left += int(amount)
        return [1, self._left()]

    def forget_guard(self, *message_ids):
        moved = {i: self.guards.pop(i) for i in message_ids if i in self.guards}
        for message_id, (outcome, amount) in moved.items():
            self._remember("refund " + message_id, (outcome, amount, "0"))
        return len(moved)

    def levels(self):
        return [self._left(), str(self.deducted - self.settled - self.released)]

    def keys(self):
        """What the six keys hold, as strings; `gen_started_us` is left out, for it is Redis's time."""
        meta = {name: str(value) for name, value in (("deducted", self.deducted), ("settled", self.settled),
                                                     ("released", self.released)) if value}
        if self.credited is not None:
            meta["credited"] = str(self.credited)
        if self.unlimited:
            meta["unlimited"] = "1"
        if self.state:
            meta["state"] = self.state
        if self.windows is not None:
            meta["gen"] = str(self.generation)
        meta.update(("refund " + i, f"{o}:{a}") for i, (o, a) in self.guards.items())
        done = [{i: f"{o}:{a}:{t}" for i, (o, a, t) in generation.items()} for generation in self.done]
        pending = {i: f"{a}:{t}" for i, (a, t) in self.pending.items()}
        return [None if self.left is None else str(self.left), pending, done[0], done[1], meta, dict(self.credits)]
