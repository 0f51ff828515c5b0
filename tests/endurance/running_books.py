"""What went in, written down as it goes in, and the reckoning at the end that shares nothing with Bursar.

An id tells which deduction it is: its last twelve digits are the slice (a round of one producer) and the place in it. So a deduction takes three
bytes here, and an hour of them fits into memory."""
import random
import sqlite3
import threading

BUDGETS = 50
TIGHT = 2                # the last budgets: Redis has far more stock than the ledger's total, so that the ledger rejects and refunds
TOTAL, TIGHT_TOTAL = 10**12, 100
PLACES = 1 << 16         # deductions in a slice, at most
UNKNOWN, WENT_IN, REFUSED = 0, 1, 2


def budget_name(index):
    return f"steady:{index:02d}"


class Slice:
    """Deductions of one round: which budget, which amount, what is known of each."""

    def __init__(self, number, count, in_order, dice):
        self.number = number
        self.in_order = in_order
        self.budgets = bytes(dice.choices(range(BUDGETS), k=count))
        self.amounts = bytes(dice.choices(range(1, 6), k=count))
        self.state = bytearray(count)
        self.booked = bytearray(count)

    def id(self, place):
        """36 characters that rise with time, or that jump about."""
        mark = self.number * PLACES + place
        front = self.number if self.in_order else mark * 2654435761 % (1 << 32)
        return f"{front:08x}-{place:04x}-7000-8000-{mark:012x}"

    def request(self, place):
        return {"message_id": self.id(place), "budget_id": budget_name(self.budgets[place]), "amount": self.amounts[place]}


class Books:
    def __init__(self, seed):
        self.lock = threading.Lock()
        self.dice = random.Random(seed)
        self.slices = []
        self.to_park = {}        # mark -> the reason it must be parked for

    def slice(self, count, in_order):
        with self.lock:
            made = Slice(len(self.slices), min(count, PLACES), in_order, self.dice)
            self.slices.append(made)
            return made

    def expect_parked(self, mark, reason):
        with self.lock:
            self.to_park[mark] = reason

    def create_budgets(self, world):
        for index in range(BUDGETS):
            tight = index >= BUDGETS - TIGHT
            world.run("budget", "create", budget_name(index), "--total", str(TIGHT_TOTAL if tight else TOTAL))
            if tight:
                world.redis.incrby(world.keys(budget_name(index))[0], TOTAL)

    # The reckoning

    def check(self, world, dead_letters):
        """(every disagreement in words, figures)"""
        wrong = []
        for made in self.slices:
            made.booked = bytearray(len(made.state))
        sums, figures = self._check_rows(world, wrong)
        for made in self.slices:
            for place in range(len(made.state)):
                state, booked = made.state[place], made.booked[place]
                if state == UNKNOWN or booked != (state == WENT_IN):
                    wrong.append(f"{made.id(place)}: its producer knows {('nothing', 'of a deduction', 'of a refusal')[state]}, "
                                 f"and it is {'' if booked else 'not '}booked")
        figures["deducted"] = sum(made.state.count(WENT_IN) for made in self.slices)
        self._check_budgets(world, sums, wrong)
        self._check_parked(world, dead_letters, wrong, figures)
        return wrong, figures

    def _find(self, message_id):
        """The slice and the place of an id that was made here; (None, 0) for another."""
        try:
            number, place = divmod(int(message_id[-12:], 16), PLACES)
        except ValueError:
            return None, 0
        if number >= len(self.slices) or place >= len(self.slices[number].state) or self.slices[number].id(place) != message_id:
            return None, 0
        return self.slices[number], place

    def _check_rows(self, world, wrong):
        sums, counts = [0] * BUDGETS, {"settled": 0, "rejected": 0}
        link = sqlite3.connect(f"file:{world.ledger}?mode=ro", uri=True, timeout=30)
        for message_id, budget, amount, state, reason, refund in link.execute(
                "SELECT message_id, budget_id, amount, state, reason, refund FROM v_deduction"):
            made, place = self._find(message_id)
            if made is None:
                wrong.append(f"{message_id} is booked and was never published")
                continue
            made.booked[place] += 1
            index = made.budgets[place]
            if (budget, amount) != (budget_name(index), made.amounts[place]):
                wrong.append(f"{message_id} is booked as {amount} of {budget}, not {made.amounts[place]} of {budget_name(index)}")
            if state == "settled" and refund == "none":
                sums[index] += amount
            elif (state, reason, refund) != ("rejected", "over-total", "done") or index < BUDGETS - TIGHT:
                wrong.append(f"{message_id} of {budget} is booked as {state}, {reason}, refund {refund}")
            counts[state] = counts.get(state, 0) + 1
        link.close()
        return sums, counts

    def _check_budgets(self, world, sums, wrong):
        for index, settled in enumerate(sums):
            budget = budget_name(index)
            row = world.rows("SELECT total, settled FROM v_budget WHERE id = ?", budget)[0]
            if row["settled"] != settled or settled > row["total"]:
                wrong.append(f"{budget}: v_budget says {row['settled']} of {row['total']}, its settled rows add up to {settled}")
            stock = row["total"] + (TOTAL if index >= BUDGETS - TIGHT else 0)
            if world.left(budget) != stock - settled:
                wrong.append(f"{budget}: {world.left(budget)} are left in Redis, stock minus settled is {stock - settled}")
            if world.pending(budget):
                wrong.append(f"{budget}: {len(world.pending(budget))} are pending still")
            meta = {key: int(value) for key, value in world.meta(budget).items() if key in ("deducted", "settled", "released")}
            if meta["deducted"] != meta["settled"] + meta.get("released", 0) or meta["settled"] != settled:
                wrong.append(f"{budget}: its totals in Redis are {meta}, the ledger has settled {settled}")

    def _check_parked(self, world, dead_letters, wrong, figures):
        """A message may be parked twice (killed between the confirm and the acknowledgement), but never for another reason."""
        found = {}
        for properties, _ in dead_letters:
            mark = properties.message_id if str(properties.message_id).startswith("bad-") else properties.headers.get("x-mark")
            found.setdefault(mark, set()).add(properties.headers["x-bursar-reason"])
        for mark in found.keys() | self.to_park.keys():
            if found.get(mark) != {self.to_park.get(mark)}:
                wrong.append(f"unreadable message {mark}: parked for {found.get(mark)}, expected {self.to_park.get(mark)}")
        figures["unreadable"] = len(self.to_park)
        figures["parked"] = len(dead_letters)
        if world.value("SELECT count(*) FROM v_parked") < len(self.to_park):
            wrong.append("v_parked has fewer rows than there were unreadable messages")
