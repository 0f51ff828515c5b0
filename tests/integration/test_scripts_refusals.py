"""What the Lua scripts refuse: they check everything before their first write, so a refused call changes nothing."""
import itertools
import os
import sys

import pytest
import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from stock_scripts import AMOUNT_MAX, CREDITS, DONE_0, DONE_1, LEFT, META, NAMES, PENDING, WINDOW, Budget, budget, busy, client, refused, server

BAD_AMOUNTS = ["", "0", "-1", "+1", "01", "00", "1.0", "1.5", "1e3", "0x10", " 1", "1 ", "1\0", "nan", "inf", "one", "٣",
               str(2**53), str(2**53 + 1), str(10**16), str(2**63), "9" * 400]
BAD_IDS = ["", " ", "a b", "a\n", "a\0b", "caf\u00e9", "\x7f", "x" * 129]
BAD_DIFFERENCES = ["", "-", "-0", "+1", "--1", "- 1", "-01", "01", "1.0", "-1.5", "1e3", "-0x1", " 1", "1 ", "1\0", "nan", "-inf",
                   str(2**53), str(-2**53), "-" + "9" * 400]
AMENDMENT = [1, 1, 0, 0, 0, 0, "none"]  # one more is left
BAD_WINDOWS = ["", "0", "-1", "1.5", "01", "31536001", "forever"]


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
def test_bad_amounts(budget, amount):
    token = busy(budget)
    before = budget.keys()
    assert budget.deduct("n", amount) == [-5, "", ""]
    assert budget.deduct("m", amount) == [-5, "", ""]
    assert budget.keys() == before
    if amount != "0":
        refused(budget, "credit", "c2", amount)
    refused(budget, "settle", WINDOW, "m", amount)
    refused(budget, "settle", WINDOW, "m", token, "n", amount)
    refused(budget, "release", WINDOW, "m", amount, "voided")
    refused(budget, "refund_untracked", WINDOW, "m", amount, "voided")


@pytest.mark.parametrize("number", BAD_AMOUNTS)
def test_bad_amendment_ids_and_credits(budget, number):
    busy(budget)
    budget.client.delete(budget.names[LEFT])
    refused(budget, "amend", number, *AMENDMENT[1:])
    restore = [1, 0, 0, 0, 0, 0, "limited", "active"]
    if number != "0":
        assert "credit 2" in refused(budget, "amend", *restore, "good", 1, "new", number)
    assert "credit 1" in refused(budget, "amend", *restore, "new", "unlimited")
    restore[6] = "unlimited"
    assert "credit 1" in refused(budget, "amend", *restore, "new", number)


@pytest.mark.parametrize("bad", BAD_DIFFERENCES)
def test_bad_differences(budget, bad):
    busy(budget)
    for place, name in enumerate(["left", "credited", "deducted", "settled", "released"], 1):
        arguments = list(AMENDMENT)
        arguments[place] = bad
        assert f"the difference of {name} " in refused(budget, "amend", *arguments)


@pytest.mark.parametrize("bad", BAD_IDS)
def test_bad_ids(budget, bad):
    token = busy(budget)
    before = budget.keys()
    assert budget.deduct(bad, 1) == [-5, "", ""]
    assert budget.keys() == before
    refused(budget, "credit", bad, 1)
    refused(budget, "settle", WINDOW, "m", token, bad, token)
    refused(budget, "release", WINDOW, bad, token, "voided")
    refused(budget, "query", bad)
    refused(budget, "amend", 1, 0, 0, 0, 0, 0, "limited", "active", bad, 1)
    refused(budget, "refund_untracked", WINDOW, bad, 1, "voided")


@pytest.mark.parametrize("window", BAD_WINDOWS)
def test_bad_windows(budget, window):
    token = busy(budget)
    refused(budget, "settle", window, "m", token)
    refused(budget, "settle", window)
    refused(budget, "release", window, "m", token, "voided")
    refused(budget, "refund_untracked", window, "m", 10, "voided")
    refused(budget, "refund_untracked", window, "new", 1, "voided")
    refused(budget, "forget_guard", window, "m")
    refused(budget, "forget_guard", window)


def test_bad_words_and_numbers_of_arguments(budget):
    token = busy(budget)
    refused(budget, "release", WINDOW, "m", token, "settled")
    refused(budget, "release", WINDOW, "m", token, "")
    refused(budget, "state", "open")
    refused(budget, "state", "")
    refused(budget, "refund_untracked", WINDOW, "m", 1, "settled")
    refused(budget, "forget_guard")
    refused(budget, "amend", *AMENDMENT, "active")
    refused(budget, "amend", *AMENDMENT[:6], "limited")
    refused(budget, "amend", *AMENDMENT[:6], "limited", "open")
    refused(budget, "amend", *AMENDMENT[:6], "limited", "active", "credit without amount")
    refused(budget, "amend", *AMENDMENT[:6], "some")
    refused(budget, "amend", *AMENDMENT[:6], "")
    good = {"settle": [WINDOW, "m", token], "release": [WINDOW, "m", token, "voided"], "credit": ["x", 1],
            "state": ["closed"], "query": ["m"], "refund_untracked": [WINDOW, "m", 1, "voided"],
            "levels": [], "audit": [], "amend": AMENDMENT}
    before = budget.keys()
    for count in (0, 1, 3):
        assert budget.call("deduct", *["m", "10", "x"][:count]) == [-5, "", ""]
    for script, arguments in good.items():
        refused(budget, script, *arguments, "more")
        if arguments:
            refused(budget, script, *arguments[:-1])
    for keys in (budget.names[:5], budget.names + ["budget:{camp:42}:x"], []):
        assert budget.client.evalsha(budget.sha["deduct"], len(keys), *keys, "m", 1) == [-5, "", ""]
        for script, arguments in good.items():
            refused(budget, script, *arguments, keys=keys)
        refused(budget, "forget_guard", WINDOW, "m", keys=keys)
    assert budget.keys() == before


# What each script needs, so that a key of another type must stop it before the first write.
NEEDED = {"deduct": [LEFT, PENDING, DONE_0, DONE_1, META], "settle": [PENDING, DONE_0, DONE_1, META],
          "release": [LEFT, PENDING, DONE_0, DONE_1, META], "credit": [LEFT, META, CREDITS], "state": [META],
          "query": [PENDING, DONE_0, DONE_1, META], "refund_untracked": [LEFT, PENDING, DONE_0, DONE_1, META],
          "forget_guard": [DONE_0, DONE_1, META], "levels": [LEFT, META], "audit": [LEFT, PENDING, META, CREDITS], "amend": [LEFT, META]}


@pytest.mark.parametrize("script,number", [(s, n) for s in NAMES for n in NEEDED[s]])
def test_a_key_of_another_type_stops_a_script_before_its_first_write(budget, script, number):
    token = busy(budget)
    budget.refund("guarded", 1)
    arguments = {"deduct": ["new", 1], "settle": [WINDOW, "m", token], "release": [WINDOW, "m", token, "voided"],
                 "credit": ["new", 1], "state": ["closed"], "query": ["new"], "refund_untracked": [WINDOW, "new", 1, "voided"],
                 "forget_guard": [WINDOW, "guarded"], "levels": [], "audit": [], "amend": AMENDMENT}[script]
    budget.client.delete(budget.names[number])
    budget.client.rpush(budget.names[number], "something else")
    before = budget.keys()
    with pytest.raises(redis.ResponseError, match="^WRONGTYPE"):
        budget.call(script, *arguments)
    assert budget.keys() == before


@pytest.mark.parametrize("left", ["abc", "", "-2", "-0", "1.5", "007", " 5", "5 ", str(2**53), str(2**63)])
def test_a_stock_key_that_holds_no_number_stops_every_script(budget, left):
    token = busy(budget)
    budget.client.set(budget.names[LEFT], left)
    refused(budget, "deduct", "new", 1)
    refused(budget, "release", WINDOW, "m", token, "voided")
    refused(budget, "credit", "new", 1)
    refused(budget, "refund_untracked", WINDOW, "new", 1, "voided")
    refused(budget, "refund_untracked", WINDOW, "m", 10, "voided")
    refused(budget, "audit")
    refused(budget, "amend", *AMENDMENT)
    refused(budget, "amend", 1, 0, 1, 0, 0, 0, "none")
    assert budget.deduct("m", 10) == [0, left, token]
    assert budget.settle("m", token) == 1  # it does not look at the stock


@pytest.mark.parametrize("value", ["abc", "", "-1", "1.5", "007", str(2**53), str(2**63)])
def test_running_totals_that_are_no_numbers_stop_every_script(budget, value):
    token = busy(budget)
    for field, calls in {"deducted": [("deduct", "new", 1)], "settled": [("settle", WINDOW, "m", token)],
                         "released": [("release", WINDOW, "m", token, "voided"),
                                      ("refund_untracked", WINDOW, "m", 10, "voided")],
                         "credited": [("credit", "new", 1)]}.items():
        good = budget.client.hget(budget.names[META], field)
        budget.client.hset(budget.names[META], field, value)
        for call in calls:
            refused(budget, *call)
        for call in (("audit",), ("amend", *AMENDMENT)):
            assert f"`{field}`" in refused(budget, *call)
        budget.client.hset(budget.names[META], field, good)
    budget.client.hset(budget.names[META], "amended", value)
    for call in (("audit",), ("amend", *AMENDMENT)):
        assert "`amended`" in refused(budget, *call)


@pytest.mark.parametrize("state", ["", "open", "ACTIVE", "active "])
def test_a_state_that_no_script_wrote(budget, state):
    budget.credit("c", 5)
    budget.client.hset(budget.names[META], "state", state)
    assert "`state`" in refused(budget, "audit")
    assert budget.deduct("m", 1) == [-7, "5", ""]


def test_a_restore_needs_a_hash_of_credits(budget):
    """Seen before the first write, with credits to write and without."""
    busy(budget)
    budget.client.delete(budget.names[LEFT], budget.names[CREDITS])
    budget.client.rpush(budget.names[CREDITS], "something else")
    before = budget.keys()
    for credits in ([], ["new", 1]):
        with pytest.raises(redis.ResponseError, match="^WRONGTYPE"):
            budget.amend(1, "limited", "active", *credits)
        assert budget.keys() == before
    assert budget.amend(1, left=0, credited=1) == [1, ""]  # it does not look at them


def test_totals_never_pass_the_largest_amount(budget):
    token = busy(budget)
    for field, call in (("settled", ("settle", WINDOW, "m", token)), ("released", ("release", WINDOW, "m", token, "voided")),
                        ("released", ("refund_untracked", WINDOW, "m", 10, "voided"))):
        good = budget.client.hget(budget.names[META], field)
        budget.client.hset(budget.names[META], field, AMOUNT_MAX - 9)
        refused(budget, *call)
        budget.client.hset(budget.names[META], field, good)
    budget.client.set(budget.names[LEFT], AMOUNT_MAX - 9)
    refused(budget, "release", WINDOW, "m", token, "voided")
    refused(budget, "refund_untracked", WINDOW, "m", 10, "voided")
    refused(budget, "refund_untracked", WINDOW, "new", 10, "voided")
    refused(budget, "credit", "new", 10)
    budget.client.hset(budget.names[PENDING], mapping={"x": f"{AMOUNT_MAX}:1", "y": "1:1"})
    refused(budget, "settle", WINDOW, "x", 1, "y", 1)


@pytest.mark.parametrize("entry", ["", "5", "5:", ":5", "a:b", "0:5", "05:5", "5:5:5", "-5:5", f"{2**53}:5"])
def test_pending_entries_that_no_script_wrote(budget, entry):
    busy(budget)
    budget.client.hset(budget.names[PENDING], "odd", entry)
    before = budget.keys()
    for script, arguments in (("settle", (WINDOW, "odd", "5")), ("release", (WINDOW, "odd", "5", "voided"))):
        try:
            assert budget.call(script, *arguments) in (0, [0, "989"])
        except redis.ResponseError as error:
            assert str(error).startswith("BURSAR")
    assert budget.keys() == before
    assert budget.refund("odd", 5) == [1, "994"]  # that entry is no deduction, and stays
    assert budget.keys()[PENDING]["odd"] == entry


def test_a_full_redis_leaves_nothing_half_done(budget):
    """However far a call comes before the memory is used up."""
    budget.credit("c", 10**9)
    tokens = {f"m{i}": budget.take(f"m{i}", 3) for i in range(200)}
    budget.take("own", 3)
    budget.client.decrby(budget.names[LEFT], 3)
    budget.refund("older", 3)
    tight = budget.client.info("memory")["used_memory"] + 20000
    budget.client.config_set("maxmemory", tight)
    refusals = 0
    for i in range(3000):
        try:
            assert budget.deduct(f"n{i}-{'x' * 100}", 1)[0] == 1
        except redis.ResponseError as error:
            assert str(error).startswith("OOM")
            refusals += 1
    assert refusals > 0
    budget.check_balance()
    budget.client.config_set("maxmemory", 1)
    for call in (("deduct", "new", 1), ("credit", "new", 1), ("state", "closed"), ("refund_untracked", WINDOW, "m", 1, "voided"),
                 ("amend", 1, -1, 2, 3, 0, 0, "none")):
        before = budget.keys()
        with pytest.raises(redis.ResponseError, match="^OOM"):
            budget.call(*call)
        assert budget.keys() == before
    lost = Budget(budget.client, "lost")
    with pytest.raises(redis.ResponseError, match="^OOM"):
        lost.amend(1, "limited", "active", "c1", 5, credited=5)
    assert lost.keys() == [None, {}, {}, {}, {}, {}]
    assert int(budget.audit()[7]) == budget.client.hlen(budget.names[PENDING])  # reading needs no memory
    ids = list(tokens)
    assert budget.settle(*itertools.chain(*((i, tokens[i]) for i in ids[:100]))) == 100
    budget.client.config_set("maxmemory", 0)
    budget.age(1)
    budget.client.config_set("maxmemory", 1)
    for i in ids[100:]:
        assert budget.release(i, tokens[i], "voided")[0] == 1
    assert budget.refund("own", 3)[0] == 1
    assert budget.forget_guard("older", "own") == 2
    budget.check_balance()
    assert budget.deduct("m0", 3)[0] == 0  # what is known needs no memory
    assert budget.query("m100")[0] == "voided"
