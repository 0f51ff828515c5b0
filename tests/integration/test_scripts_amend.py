"""audit.lua and amend.lua: what reconciling sees of a budget, and how it changes it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from stock_scripts import AMOUNT_MAX, CREDITS, LEFT, META, PENDING, Budget, budget, busy, client, refused, server


def test_an_audit_shows_one_instant(budget):
    reply = budget.audit()
    assert reply[:9] == ["", 0, "0", "0", "0", "0", "active", 0, 0] and reply[10] == "0"
    assert budget.keys() == [None, {}, {}, {}, {}, {}]
    token = busy(budget)
    reply = budget.audit()
    assert reply[:9] == ["989", 1, "1000", "13", "1", "2", "active", 1, 1] and reply[10] == "0"
    assert int(token) <= int(reply[9]) <= int(budget.take("n", 1))
    budget.state("closed")
    assert budget.audit()[6] == "closed"
    budget.client.hset(budget.names[META], mapping={"credited": AMOUNT_MAX, "amended": AMOUNT_MAX})
    assert budget.audit()[2] == budget.audit()[10] == str(AMOUNT_MAX)
    unlimited = Budget(budget.client, "free")
    unlimited.credit("c", "unlimited")
    assert unlimited.audit()[:9] == ["-1", 1, "0", "0", "0", "0", "active", 0, 1]


def test_an_amendment_adds_differences_once(budget):
    busy(budget)
    assert budget.amend(5, left=11, credited=0, deducted=-10, settled=4, released=1) == [1, "1000"]
    assert budget.totals() == [1000, 3, 5, 3]
    before = budget.keys()
    assert before[META]["amended"] == "5"
    for late in (5, 4, 1):
        assert budget.amend(late, left=-1, credited=5) == [0, "1000"]
        assert budget.amend(late, "limited", "active", "c9", 5) == [0, "1000"]
    assert budget.keys() == before
    assert budget.amend(6, left=-1000) == [1, "0"]
    assert budget.amend(AMOUNT_MAX, left=AMOUNT_MAX) == [1, str(AMOUNT_MAX)]
    assert budget.amend(AMOUNT_MAX, left=-1) == [0, str(AMOUNT_MAX)]


def test_an_amendment_touches_only_what_it_changes(budget):
    busy(budget)
    budget.client.hset(budget.names[META], "other", "stays")
    before = budget.keys()
    assert budget.amend(1, settled=1) == [1, "989"]
    after = budget.keys()
    assert after[META] == {**before[META], "settled": "2", "amended": "1"}
    assert after[:META] + after[META + 1:] == before[:META] + before[META + 1:]
    fresh = Budget(budget.client, "fresh")
    assert fresh.amend(1) == [1, ""]
    assert fresh.keys() == [None, {}, {}, {}, {"amended": "1"}, {}]
    assert fresh.credit("c", 5) == [1, "5"]  # it is still one that never was


def test_numbers_stay_in_their_range(budget):
    busy(budget)
    for change in ({"left": -990}, {"left": AMOUNT_MAX - 988}, {"credited": -1001}, {"credited": AMOUNT_MAX - 999},
                   {"deducted": -14}, {"deducted": AMOUNT_MAX}, {"settled": -2}, {"settled": AMOUNT_MAX}, {"released": -3},
                   {"released": -AMOUNT_MAX}):
        arguments = {"left": 0, "credited": 0, "deducted": 0, "settled": 0, "released": 0, **change}
        why = refused(budget, "amend", 1, *arguments.values(), "none")
        assert ("the stock" if "left" in change else f"`{next(iter(change))}`") in why
    assert budget.amend(1, left=-989, credited=-1000, deducted=-13, settled=-1, released=-2) == [1, "0"]
    assert budget.totals() == [0, 0, 0, 0]


def test_a_lost_key_comes_back_with_its_credits(budget):
    token = busy(budget)
    budget.state("closed")
    budget.client.delete(budget.names[LEFT], budget.names[CREDITS])
    assert "no stock key" in refused(budget, "amend", 1, 5, 0, 0, 0, 0, "none")
    assert budget.amend(1, "limited", "deleted", "c", 1000, "c2", 500, "c3", 0, credited=500) == [1, "1489"]
    held = budget.keys()
    assert held[CREDITS] == {"c": "1000", "c2": "500", "c3": "0"}
    assert held[META]["state"] == "deleted"
    budget.check_balance()
    assert budget.credit("c2", 500) == [0, "1489"]  # not a second time
    assert budget.release("m", token, "voided") == [1, "1499"]
    assert "there is a stock key" in refused(budget, "amend", 2, 0, 0, 0, 0, 0, "limited", "active")


def test_credits_come_with_an_amendment(budget):
    busy(budget)
    assert "credit 2 is applied already" in refused(budget, "amend", 1, 5, 5, 0, 0, 0, "none", "n", 5, "c", 1000)
    assert "credit 1 does not fit" in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "none", "n", "unlimited")
    assert "twice" in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "none", "n", 5, "n", 6)
    assert budget.amend(1, "none", "n", 5, "o", 0, left=5, credited=5) == [1, "994"]
    assert budget.keys()[CREDITS] == {"c": "1000", "n": "5", "o": "0"}
    assert budget.credit("n", 5) == [0, "994"]
    budget.check_balance()
    budget.client.delete(budget.names[LEFT])
    assert "no stock key" in refused(budget, "amend", 2, 0, 5, 0, 0, 0, "none", "p", 5)


def test_a_restore_is_refused_where_it_cannot_be_right(budget):
    busy(budget)
    budget.client.delete(budget.names[LEFT])
    assert "below 0" in refused(budget, "amend", 1, 0, -990, 0, 0, 0, "limited", "active")
    assert "2^53-1" in refused(budget, "amend", 1, 0, AMOUNT_MAX - 1000, 0, 0, 20, "limited", "active")
    assert "not unlimited" in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "unlimited", "active")
    assert "credit 2 " in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "limited", "active", "n", 5, "c", 999)
    assert "twice" in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "limited", "active", "n", 5, "n", 6)
    assert budget.amend(1, "limited", "active", "n", 5, "n", 5) == [1, "989"]
    budget.check_balance()


def test_an_unlimited_budget_is_restored_as_one(budget):
    budget.credit("c", "unlimited")
    budget.take("m", 5)
    assert "no differences" in refused(budget, "amend", 1, 1, 0, 0, 0, 0, "none")
    budget.client.delete(budget.names[LEFT])
    assert "is unlimited" in refused(budget, "amend", 1, 0, 0, 0, 0, 0, "limited", "active")
    assert "applied already" in refused(budget, "amend", 1, 0, 0, 0, 1, 0, "unlimited", "active", "c", "unlimited")
    assert budget.amend(1, "unlimited", "active", "c2", "unlimited", settled=1) == [1, "-1"]
    assert budget.client.hget(budget.names[META], "unlimited") == "1"
    assert budget.totals() == [0, 5, 1, 0]
    new = Budget(budget.client, "new")
    assert new.amend(1, "unlimited", "active", "c", "unlimited", deducted=3) == [1, "-1"]
    assert new.keys() == ["-1", {}, {}, {}, {"amended": "1", "credited": "0", "deducted": "3", "state": "active", "unlimited": "1"},
                          {"c": "unlimited"}]
    assert new.deduct("m", 1)[:2] == [1, "-1"]


def test_more_credits_than_lua_can_unpack(budget):
    credits = [word for i in range(20000) for word in (f"c{i}", i % 7)]
    total = sum(credits[1::2])
    assert budget.amend(1, "limited", "active", *credits, credited=total) == [1, str(total)]
    assert budget.client.hlen(budget.names[CREDITS]) == 20000
    assert budget.client.hget(budget.names[CREDITS], "c19999") == str(19999 % 7)
    budget.client.delete(budget.names[LEFT], budget.names[CREDITS])
    budget.client.hset(budget.names[CREDITS], "c19999", 1)
    assert "credit 20000 " in refused(budget, "amend", 2, 0, 0, 0, 0, 0, "limited", "active", *credits)


def test_amendments_commute_with_traffic(budget):
    """Whatever happens between seeing a difference and mending it."""
    busy(budget)
    budget.client.decrby(budget.names[LEFT], 7)  # somebody took it by hand
    seen = budget.audit()
    difference = int(seen[2]) - int(seen[3]) + int(seen[5]) - int(seen[0])
    token = budget.take("x", 100)
    budget.release("x", token, "voided")
    budget.credit("more", 50)
    budget.take("y", 3)
    assert difference == 7
    assert budget.amend(1, left=difference)[0] == 1
    budget.check_balance()
    assert budget.keys()[PENDING].keys() == {"m", "y"}
