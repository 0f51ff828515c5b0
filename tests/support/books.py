"""The books of a test: what went in is written down as it goes in, what came out is read from outside, and both must agree to the unit.

Nothing here uses Bursar's code: what came out is read from the ledger's views, from Redis's keys and from the queues."""
import collections


class Books:
    def __init__(self, world):
        self.world = world
        self.total = {}           # budget -> units credited by commands; -1: unlimited
        self.gift = collections.Counter()  # budget -> units put into the stock behind the ledger's back
        self.deducted = {}        # id -> (budget, amount): taken from the stock in Redis, and published
        self.older = {}           # id -> (budget, amount): taken by a script of their own, without a token
        self.forged = {}          # id -> (budget, amount): published, but never taken from any stock
        self.expected_parked = collections.Counter()  # (reason, message id or None) -> how many

    def went_in(self):
        return {**self.deducted, **self.older, **self.forged}

    def everything_arrived(self):
        booked = self.world.value("SELECT count(*) FROM v_deduction")
        parked = self.world.value("SELECT count(*) FROM v_parked")
        return booked >= len(self.went_in()) and parked >= sum(self.expected_parked.values())

    def wait_finished(self, seconds=120):
        """Until everything that went in is booked or parked, and nothing is pending, due or queued."""
        try:
            self.world.wait("every message to be booked or parked", self.everything_arrived, seconds)
            self.world.wait_quiet(seconds)
        except TimeoutError as error:
            raise AssertionError(f"not finished ({error}): " + "; ".join(self.check()[:20])) from None

    def check(self, dead_letters=None, copies=1, stock=True):
        """Every disagreement, in words; an empty list is the proof.

        dead_letters  what was in the dead-letter queue; None: not looked at
        copies        how often one letter may be there: once, and once more for every crash or lost connection
        stock         False: Redis lost data, so only the ledger is held to account"""
        wrong = []
        rows = self._rows(wrong)
        self._check_ids(rows, wrong)
        self._check_ledger(rows, wrong)
        if stock:
            for budget in self.total:
                self._check_stock(budget, rows, wrong)
        if dead_letters is not None:
            self._check_parked(dead_letters, copies, wrong)
        if self.world.ready() != 0:
            wrong.append(f"{self.world.ready()} messages are still in the queue")
        return wrong

    def drift(self, budget):
        """Units in Redis and booked out of it beyond what was put in; 0 unless Redis lost something."""
        rows = self._rows([])
        return self._accounted(budget, rows) - self.total[budget] - self.gift[budget]

    def _rows(self, wrong):
        rows = {}
        for row in self.world.rows("SELECT * FROM v_deduction"):
            if row["message_id"] in rows:
                wrong.append(f"{row['message_id']} is booked twice")
            rows[row["message_id"]] = row
        return rows

    def _check_ids(self, rows, wrong):
        went_in = self.went_in()
        for message_id in went_in.keys() - rows.keys():
            wrong.append(f"{message_id} was published and is booked nowhere")
        for message_id in rows.keys() - went_in.keys():
            wrong.append(f"{message_id} is booked and was never published")
        for message_id, row in rows.items():
            budget, amount = went_in.get(message_id, (None, None))
            conflicting = message_id in self.forged and row["amount"] == (amount or 0) + 1
            if budget is not None and not conflicting and (row["budget_id"], row["amount"]) != (budget, amount):
                wrong.append(f"{message_id} is booked as {row['amount']} of {row['budget_id']}, not {amount} of {budget}")
            if row["state"] == "rejected" and row["refund"] != "done":
                wrong.append(f"{message_id} was rejected and its refund is {row['refund']}")
            if row["state"] == "settled" and row["refund"] != "none":
                wrong.append(f"{message_id} is settled and its refund is {row['refund']}")

    def _check_ledger(self, rows, wrong):
        settled = collections.Counter()
        for row in rows.values():
            if row["state"] == "settled":
                settled[row["budget_id"]] += row["amount"]
        budgets = {row["id"]: row for row in self.world.rows("SELECT * FROM v_budget")}
        if budgets.keys() != self.total.keys():
            wrong.append(f"the ledger has the budgets {sorted(budgets)}, created were {sorted(self.total)}")
        for budget, row in budgets.items():
            if row["total"] != self.total.get(budget):
                wrong.append(f"{budget}: v_budget says total {row['total']}, credited were {self.total.get(budget)}")
            if row["settled"] != settled[budget]:
                wrong.append(f"{budget}: v_budget says settled {row['settled']}, its rows add up to {settled[budget]}")
            if row["total"] != -1 and row["settled"] > row["total"]:
                wrong.append(f"{budget}: settled {row['settled']} of {row['total']}: over-issued")

    def _accounted(self, budget, rows):
        """left + pending + what settled out of the stock."""
        taken = sum(row["amount"] for message_id, row in rows.items() if row["state"] == "settled" and row["budget_id"] == budget
                    and (message_id in self.deducted or message_id in self.older))
        return (self.world.left(budget) or 0) + sum(self._pendings(budget)) + taken

    def _pendings(self, budget):
        return [int(entry.split(":")[0]) for entry in self.world.pending(budget).values()]

    def _check_stock(self, budget, rows, wrong):
        put_in = self.total[budget] + self.gift[budget]
        if self.total[budget] == -1:
            if self.world.left(budget) != -1:
                wrong.append(f"{budget}: is unlimited, and Redis has {self.world.left(budget)} left")
        elif self._accounted(budget, rows) != put_in:
            wrong.append(f"{budget}: left {self.world.left(budget)} + pending {sum(self._pendings(budget))} + settled is "
                         f"{self._accounted(budget, rows)}, not the {put_in} put in")
        if self._pendings(budget):
            wrong.append(f"{budget}: {len(self._pendings(budget))} pendings are left")
        meta = self.world.meta(budget)
        credited, deducted, settled, released = (int(meta.get(key, 0)) for key in ("credited", "deducted", "settled", "released"))
        if deducted - settled - released != sum(self._pendings(budget)):
            wrong.append(f"{budget}: totals do not balance: {meta}")
        if credited != max(self.total[budget], 0):
            wrong.append(f"{budget}: Redis was credited {credited}, the ledger {self.total[budget]}")

    def _check_parked(self, dead_letters, copies, wrong):
        found = collections.Counter((properties.headers.get("x-bursar-reason", "none"), properties.message_id)
                                    for properties, _ in dead_letters)
        recorded = collections.Counter((row["reason"], row["message_id"])
                                       for row in self.world.rows("SELECT reason, message_id FROM v_parked"))
        self._compare("the dead-letter queue", found, self.expected_parked, copies, wrong)
        # The ledger keeps no id that could not be one.
        named = collections.Counter()
        for (reason, message_id), count in self.expected_parked.items():
            named[reason, message_id if (reason, message_id) in recorded else None] += count
        self._compare("v_parked", recorded, named, copies, wrong)

    @staticmethod
    def _compare(place, found, expected, copies, wrong):
        for key in found.keys() | expected.keys():
            if not expected[key] <= found[key] <= expected[key] * copies:
                most = f" to {expected[key] * copies}" if copies > 1 else ""
                wrong.append(f"{place} has {found[key]} of {key}, expected {expected[key]}{most}")
