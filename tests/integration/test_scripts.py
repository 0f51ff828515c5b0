"""What each Lua script does: every answer, every id's fate, every sum."""
import itertools
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from stock_scripts import AMOUNT_MAX, DONE_0, DONE_1, LEFT, META, PENDING, WINDOW, Budget, budget, busy, client, refused, server


def test_each_status_of_a_deduction(budget):
    assert budget.deduct("m", 1) == [-3, "", ""]
    assert budget.credit("c", 10) == [1, "10"]
    before = time.time_ns() // 1000
    status, left, token = budget.deduct("m", 4)
    assert (status, left) == (1, "6")
    assert isinstance(token, str) and before - 10**6 < int(token) < before + 10**7
    assert budget.keys()[PENDING] == {"m": "4:" + token}
    assert budget.deduct("m", 4) == [0, "6", token]
    assert budget.deduct("m", 5) == [-4, "6", token]
    assert budget.deduct("n", 7) == [-2, "6", ""]
    assert budget.deduct("n", 0) == [-5, "", ""]
    assert budget.state("closed")[0] == 1
    assert budget.deduct("n", 7) == [-7, "6", ""]
    assert budget.deduct("m", 4) == [0, "6", token]
    assert budget.deduct("m", 5) == [-4, "6", token]
    assert budget.release("m", token, "voided") == [1, "10"]
    assert budget.deduct("m", 4) == [-6, "10", token]
    assert budget.deduct("m", 5) == [-6, "10", token]
    budget.state("active")
    assert budget.deduct("n", 10)[:2] == [1, "0"]
    budget.check_balance()


def test_the_largest_amounts(budget):
    most = str(AMOUNT_MAX)
    assert budget.credit("c", most) == [1, most]
    refused(budget, "credit", "c2", 1)
    assert budget.credit("c2", 0) == [1, most]
    status, left, token = budget.deduct("m", most)
    assert (status, left) == (1, "0")
    refused(budget, "credit", "c3", 1)  # the stock has room, the running total has none
    assert budget.release("m", token, "rejected") == [1, most]
    assert budget.deduct("n", 1) == [-2, most, ""]  # `deducted` is full
    budget.check_balance()
    refused(budget, "refund_untracked", WINDOW, "x", 1, "voided")

    settled = Budget(budget.client, "settled")
    settled.credit("c", most)
    assert settled.settle("m", settled.take("m", most)) == 1
    assert settled.totals() == [AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, 0]
    exact = Budget(budget.client, "exact")  # the ends of what a double holds exactly
    exact.credit("c", AMOUNT_MAX - 1)
    assert exact.credit("d", 1) == [1, most]
    assert exact.deduct("m", AMOUNT_MAX - 1)[1] == "1"
    assert exact.deduct("n", 1)[1] == "0"
    assert exact.call("levels") == ["0", most]


def test_an_id_keeps_its_answer(budget):
    budget.credit("c", 2)
    tokens = {name: budget.take(name, 1) for name in ("a", "b")}
    assert budget.deduct("c", 1) == [-2, "0", ""]
    assert budget.deduct("a", 1) == [0, "0", tokens["a"]]  # sold out
    assert budget.settle("a", tokens["a"]) == 1
    assert budget.deduct("a", 1) == [0, "0", tokens["a"]]
    assert budget.deduct("a", 2) == [-4, "0", tokens["a"]]
    assert budget.release("b", tokens["b"], "rejected") == [1, "1"]
    assert budget.deduct("b", 1) == [-6, "1", tokens["b"]]
    assert budget.query("b") == ["rejected", "1", tokens["b"]]
    budget.client.delete(budget.names[LEFT])
    assert budget.deduct("a", 1) == [0, "", tokens["a"]]
    assert budget.deduct("b", 1) == [-6, "", tokens["b"]]


def test_an_id_is_forgotten_only_after_a_whole_window(budget):
    """On Redis's own clock, with a window of one second."""
    budget.credit("c", 100)
    first = budget.take("m", 1)
    assert budget.settle("m", first, window=1) == 1
    time.sleep(1.1)
    assert budget.settle("x", budget.take("x", 1), window=1) == 1
    assert budget.deduct("m", 1)[0] == 0
    time.sleep(1.1)
    assert budget.settle("y", budget.take("y", 1), window=1) == 1
    second = budget.take("m", 1)
    assert int(second) > int(first)
    assert budget.settle("m", first) == 0
    assert budget.release("m", first, "voided") == [0, "96"]
    assert budget.release("m", second, "extra") == [1, "97"]
    assert budget.query("m") == ["settled", "1", second]
    budget.check_balance()


def test_generations_when_nothing_happened_for_long_or_the_clock_went_back(budget):
    budget.credit("c", 100)
    for name in ("a", "b"):
        assert budget.settle(name, budget.take(name, 1)) == 1
        budget.age(1)
    budget.age(1)
    assert budget.settle("c", budget.take("c", 1)) == 1
    assert [budget.query(name)[0] for name in "abc"] == ["unknown", "unknown", "settled"]
    budget.client.hincrby(budget.names[META], "gen_started_us", 10**15)
    assert budget.settle("d", budget.take("d", 1)) == 1
    assert [budget.query(name)[0] for name in "cd"] == ["settled", "settled"]
    started = int(budget.client.hget(budget.names[META], "gen_started_us"))
    assert started < time.time_ns() // 1000 + 10**7  # it counts from now on, or nothing would ever be dropped


def test_done_memory_is_bounded(budget):
    """However much passes through, only two generations are kept."""
    budget.credit("c", AMOUNT_MAX)
    sizes = []
    for turn in range(20):
        items = []
        for i in range(500):
            items += [f"{turn}-{i}", budget.take(f"{turn}-{i}", 1)]
        assert budget.settle(*items) == 500
        assert budget.client.hlen(budget.names[DONE_0]) + budget.client.hlen(budget.names[DONE_1]) <= 1000
        sizes.append(sum(budget.client.memory_usage(name) or 0 for name in budget.names))
        budget.age(1)
    assert max(sizes[3:]) < 1.5 * sizes[2]
    assert budget.client.hlen(budget.names[PENDING]) == 0
    budget.check_balance()


def test_settle_takes_ten_thousand_at_once(budget):
    budget.credit("c", 20000)
    pipeline = budget.client.pipeline(transaction=False)
    for i in range(10000):
        pipeline.evalsha(budget.sha["deduct"], 6, *budget.names, f"m{i}", i % 3 + 1)
    replies = pipeline.execute()
    assert all(reply[0] == 1 for reply in replies)
    items = list(itertools.chain(*((f"m{i}", replies[i][2]) for i in range(10000))))
    began = time.monotonic()
    assert budget.settle(*items) == 10000
    assert time.monotonic() - began < 2
    assert budget.settle(*items) == 0
    assert budget.client.hlen(budget.names[DONE_0]) == 10000
    budget.check_balance()


def test_settle_counts_an_id_once_and_only_with_its_token(budget):
    budget.credit("c", 100)
    token, other = budget.take("m", 5), budget.take("n", 7)
    assert budget.settle() == 0
    assert budget.settle("m", other, "n", token, "nobody", token) == 0
    assert budget.settle("m", token, "m", token, "n", token, "m", other, "n", other, "m", token) == 2
    assert budget.totals() == [100, 12, 12, 0]
    far = [f"x{i}" for i in range(1500)]  # the second one lies in another chunk of the call
    again = budget.take("again", 1)
    items = ["again", again] + list(itertools.chain(*((i, again) for i in far))) + ["again", again]
    assert budget.settle(*items) == 1
    budget.check_balance()


def test_a_wrong_token_changes_nothing(budget):
    token = busy(budget)
    before = budget.keys()
    wrong = str(int(token) + 1)
    assert budget.settle("m", wrong) == 0
    assert budget.release("m", wrong, "voided") == [0, "989"]
    assert budget.release("done", token, "voided") == [0, "989"]
    assert budget.keys() == before


def test_credit(budget):
    assert budget.credit("c", 0) == [1, "0"]
    assert budget.credit("c", 0) == [0, "0"]
    refused(budget, "credit", "c", 1)
    refused(budget, "credit", "c", "unlimited")
    refused(budget, "credit", "d", "unlimited")
    refused(budget, "credit", "d", "Unlimited")
    refused(budget, "credit", "d", "-1")
    assert budget.credit("d", 5) == [1, "5"]
    budget.client.delete(budget.names[LEFT])
    assert budget.credit("e", 3) == [1, ""]
    assert budget.credit("e", 3) == [0, ""]
    refused(budget, "credit", "f", "unlimited")
    assert budget.keys()[LEFT] is None
    assert budget.totals()[0] == 8

    free = Budget(budget.client, "free")
    assert free.credit("c", "unlimited") == [1, "-1"]
    assert free.credit("c", "unlimited") == [0, "-1"]
    assert free.credit("d", "unlimited") == [1, "-1"]
    refused(free, "credit", "e", 1)
    refused(free, "credit", "e", 0)
    free.client.delete(free.names[LEFT])
    refused(free, "credit", "e", 1)
    assert free.credit("e", "unlimited") == [1, ""]

    made_by_hand = Budget(budget.client, "hand")
    budget.client.set(made_by_hand.names[LEFT], 7)
    refused(made_by_hand, "credit", "c", "unlimited")
    assert made_by_hand.credit("c", 3) == [1, "10"]


def test_a_lost_stock_key_is_not_made_again(budget):
    budget.credit("c", 10)
    token, other = budget.take("m", 4), budget.take("n", 1)
    budget.client.delete(budget.names[LEFT])
    assert budget.release("m", token, "rejected") == [1, ""]
    assert budget.release("m", token, "rejected") == [0, ""]
    assert budget.settle("n", other) == 1
    assert budget.keys()[LEFT] is None
    assert budget.totals() == [10, 5, 1, 4]
    assert budget.query("m") == ["rejected", "4", token]


def test_an_unlimited_budget(budget):
    budget.credit("c", "unlimited")
    status, left, token = budget.deduct("m", AMOUNT_MAX)
    assert (status, left) == (1, "-1")
    assert budget.deduct("n", 1) == [-2, "-1", ""]
    assert budget.release("m", token, "extra") == [1, "-1"]
    assert budget.totals() == [0, AMOUNT_MAX, 0, AMOUNT_MAX]
    assert budget.call("levels") == ["-1", "0"]
    budget.check_balance()


def test_state_works_before_there_is_a_budget(budget):
    before = time.time_ns() // 1000
    status, now = budget.state("closed")
    assert status == 1 and isinstance(now, str) and before - 10**6 < int(now) < before + 10**7
    assert budget.deduct("m", 1) == [-3, "", ""]
    assert budget.credit("c", 5) == [1, "5"]
    assert budget.deduct("m", 1) == [-7, "5", ""]
    budget.state("deleted")
    assert budget.deduct("m", 1) == [-7, "5", ""]
    budget.state("active")
    assert budget.deduct("m", 1)[:2] == [1, "4"]


def test_query_runs_where_nothing_may_be_written(budget):
    token = busy(budget)
    ask = lambda name: budget.client.execute_command("EVALSHA_RO", budget.sha["query"], 6, *budget.names, name)
    assert ask("m") == ["pending", "10", token]
    assert ask("done")[:2] == ["settled", "1"]
    assert ask("back")[:2] == ["voided", "2"]
    assert ask("nobody") == ["unknown", "", ""]
    assert budget.client.execute_command("EVALSHA_RO", budget.sha["levels"], 6, *budget.names) == ["989", "10"]
    audit = budget.client.execute_command("EVALSHA_RO", budget.sha["audit"], 6, *budget.names)
    assert audit[:9] == ["989", 1, "1000", "13", "1", "2", "active", 1, 1]


def test_refunds_without_token(budget):
    assert budget.refund("m", 3) == [0, ""]
    assert budget.keys() == [None, {}, {}, {}, {}, {}]
    budget.credit("c", 10)
    token = budget.take("m", 4)
    assert budget.refund("m", 3) == [1, "9"]
    assert budget.refund("m", 3) == [0, "9"]
    assert budget.totals() == [10, 4, 0, 0]
    assert budget.query("m") == ["pending", "4", token]
    assert budget.forget_guard() == 0
    assert budget.forget_guard(*(f"m{i}" for i in range(9000))) == 0
    assert budget.forget_guard("n", "m", "m") == 1
    assert budget.forget_guard("m") == 0
    assert budget.keys()[DONE_0] == {"refund m": "rejected:3:0"}
    assert budget.refund("m", 3) == [0, "9"]  # a late request


def test_a_refund_without_token_moves_its_own_pending_entry(budget):
    """Or the amount would be given back a second time, by whoever finds the entry."""
    budget.credit("c", 100)
    for number, outcome in enumerate(("rejected", "voided", "extra")):
        message_id = "m-" + outcome
        token = budget.take(message_id, 5)
        assert budget.refund(message_id, 5, outcome) == [1, "100"]
        done = ("settled" if outcome == "extra" else outcome) + ":5:" + token
        assert budget.keys()[PENDING] == {}
        assert budget.keys()[DONE_0 + number % 2][message_id] == done
        assert budget.client.hget(budget.names[META], "refund " + message_id) == outcome + ":5"
        assert budget.totals() == [100, 5 * (number + 1), 0, 5 * (number + 1)]
        assert budget.release(message_id, token, "rejected") == [0, "100"]
        assert budget.refund(message_id, 5, outcome) == [0, "100"]
        budget.check_balance()
        budget.age(1)
    token = budget.take("late", 5)
    budget.client.delete(budget.names[LEFT])
    assert budget.refund("late", 5) == [1, ""]
    assert budget.refund("late", 5) == [0, ""]
    assert budget.keys()[LEFT] is None


def test_what_was_released_is_not_refunded_without_token(budget):
    """The clean-up finds the entry first, and the refund that the ledger owes comes after it."""
    budget.credit("c", 100)
    assert budget.release("m", budget.take("m", 5), "rejected") == [1, "100"]
    assert budget.refund("m", 5) == [0, "100"]
    budget.age(1)
    assert budget.release("n", budget.take("n", 5), "voided") == [1, "100"]
    assert budget.refund("m", 5) == [0, "100"]
    assert budget.refund("n", 5) == [0, "100"]
    assert budget.refund("n", 6) == [1, "106"]
    assert budget.settle("o", budget.take("o", 5)) == 1
    assert budget.refund("o", 5) == [1, "106"]  # settled then, and given back now


def test_a_guard_is_forgotten_only_after_a_whole_window(budget):
    """On Redis's own clock, with a window of one second."""
    budget.credit("c", 100)
    assert budget.refund("m", 3, window=1) == [1, "103"]
    assert budget.forget_guard("m", window=1) == 1
    time.sleep(1.1)
    assert budget.refund("x", 1, window=1) == [1, "104"]
    assert budget.forget_guard("x", window=1) == 1
    assert budget.refund("m", 3, window=1) == [0, "104"]
    time.sleep(1.1)
    budget.take("y", 1)
    assert budget.refund("y", 1, window=1) == [1, "104"]
    assert budget.refund("x", 1, window=1) == [0, "104"]
    assert budget.refund("m", 3, window=1) == [1, "107"]


def test_memory_of_guards_is_bounded(budget):
    budget.credit("c", 100)
    for turn in range(5):
        ids = [f"{turn}-{i}" for i in range(5000)]
        pipeline = budget.client.pipeline(transaction=False)
        for message_id in ids:
            pipeline.evalsha(budget.sha["refund_untracked"], 6, *budget.names, WINDOW, message_id, 1, "rejected")
        assert all(reply[0] == 1 for reply in pipeline.execute())
        assert budget.forget_guard(*ids) == 5000
        assert budget.client.hlen(budget.names[DONE_0]) + budget.client.hlen(budget.names[DONE_1]) <= 10000
        assert budget.client.hlen(budget.names[META]) == 3  # credited, gen, gen_started_us
        assert budget.refund(ids[0], 1)[0] == budget.refund(ids[-1], 1)[0] == 0
        budget.age(1)
