"""The reckoning itself: each kind of disagreement is planted in books that agree, and must be found. A check that cannot fail proves nothing."""
import copy
import os
import subprocess
import sys

import pytest
from traffic import Traffic


@pytest.fixture(scope="module")
def settled(servers):
    """A world in which all is well; nothing below changes it for long."""
    from fixtures import wipe
    from world import World
    wipe(*servers)
    with World(*servers) as world:
        world.run("init")
        traffic = Traffic(world, seed=1)
        worker = world.worker()
        traffic.send(200)
        traffic.wait_finished()
        assert worker.terminate() == 0
        traffic.letters = world.dead_letters()
        yield traffic


class Altered:
    """A world that answers as another one does, but for one thing."""

    def __init__(self, world, **answers):
        self.world, self.answers = world, answers

    def __getattr__(self, name):
        if name in self.answers:
            return lambda *words: self.answers[name](getattr(self.world, name)(*words), *words)
        return getattr(self.world, name)


def rows(view, change):
    """Where a query asks the view, its rows after the change."""
    def answer(found, query, *_):
        if view in query:
            change(found)
        return found
    return {"rows": answer}


def first(found, **wanted):
    return next(row for row in found if all(row[key] == value for key, value in wanted.items()))


def add(place, budget="wide"):
    return {place: lambda value, asked: value + 1 if asked == budget else value}


PLANTED = [
    ("one unit is missing in the stock", {"left": lambda value, budget: value - (budget == "wide")}, "wide: left"),
    ("one unit is too many in the stock", add("left", "narrow"), "narrow: left"),
    ("a pending entry is left", {"pending": lambda value, budget: {"ghost": "1:5"} if budget == "narrow" else value}, "1 pendings are left"),
    ("a total in Redis does not balance",
     {"meta": lambda value, budget: dict(value, settled=str(int(value["settled"]) + 1)) if budget == "free" else value}, "do not balance"),
    ("Redis was credited more than the ledger",
     {"meta": lambda value, budget: dict(value, credited="1000001") if budget == "wide" else value}, "was credited"),
    ("an unlimited budget is not unlimited any more", {"left": lambda value, budget: 7 if budget == "free" else value}, "is unlimited"),
    ("a booking is missing", rows("v_deduction", lambda found: found.remove(first(found, state="settled"))), "booked nowhere"),
    ("a booking stands twice", rows("v_deduction", lambda found: found.append(dict(found[0]))), "booked twice"),
    ("a booking that nobody asked for", rows("v_deduction", lambda found: found.append(dict(found[0], message_id="ghost"))), "never published"),
    ("a booking of another amount", rows("v_deduction", lambda found: found[0].update(amount=found[0]["amount"] + 1)), "is booked as"),
    ("a booking in another budget", rows("v_deduction", lambda found: first(found, budget_id="wide").update(budget_id="free")), "is booked as"),
    ("a refund is still due", rows("v_deduction", lambda found: first(found, state="rejected").update(refund="due")), "its refund is due"),
    ("a settled one is refunded", rows("v_deduction", lambda found: first(found, state="settled").update(refund="done")), "its refund is done"),
    ("the budget's sum is not that of its rows", rows("v_budget", lambda found: found[0].update(settled=found[0]["settled"] + 1)), "add up to"),
    ("more settled than the total", rows("v_budget", lambda found: first(found, id="narrow").update(total=1)), "over-issued"),
    ("a budget is missing", rows("v_budget", lambda found: found.pop()), "created were"),
    ("a message is still in the queue", {"ready": lambda value: value + 1}, "still in the queue"),
    ("a letter is recorded nowhere", rows("v_parked", lambda found: found.pop()), "v_parked has 0"),
    ("a letter is recorded twice", rows("v_parked", lambda found: found.append(found[0])), "v_parked has 2"),
]


def test_books_that_agree(settled):
    """nothing is found where nothing is wrong, and the traffic held something of every kind"""
    assert settled.check(settled.letters) == []
    rows = settled.world.rows("SELECT DISTINCT state, refund FROM v_deduction")
    assert {(row["state"], row["refund"]) for row in rows} == {("settled", "none"), ("rejected", "done")}
    assert {reason for reason, _ in settled.expected_parked} == {"malformed", "invalid-amount"}


@pytest.mark.parametrize("what, answers, complaint", [pytest.param(*case, id=case[0]) for case in PLANTED])
def test_planted(settled, what, answers, complaint):
    """found"""
    books = copy.copy(settled)
    books.world = Altered(settled.world, **answers)
    found = books.check(settled.letters)
    assert any(complaint in line for line in found), f"{what}: found was only {found}"


@pytest.mark.parametrize("letters, complaint", [
    pytest.param(lambda all_of_them: all_of_them[1:], "has 0 of", id="a letter is missing"),
    pytest.param(lambda all_of_them: all_of_them + all_of_them[:1], "has 2 of", id="a letter is there twice"),
    pytest.param(lambda all_of_them: all_of_them[1:] + all_of_them[-1:], "has 0 of", id="a letter is there in place of another"),
])
def test_planted_letters(settled, letters, complaint):
    """found"""
    found = settled.check(letters(settled.letters))
    assert any(complaint in line for line in found), found


def test_a_unit_really_taken_from_the_stock(settled):
    """not only in the answers: in Redis itself"""
    key = settled.world.keys("wide")[0]
    settled.world.redis.decr(key)
    try:
        assert [line for line in settled.check() if line.startswith("wide: left")]
        assert settled.drift("wide") == -1
    finally:
        settled.world.redis.incr(key)
    assert settled.check() == [] and settled.drift("wide") == 0


def test_the_readme_lists_every_row():
    """README.md is what scripts/faults --list prints"""
    here = os.path.dirname(os.path.abspath(__file__))
    listed = subprocess.run([sys.executable, "-m", "pytest", "--list", "-p", "no:cacheprovider", here], cwd=here,
                            stdout=subprocess.PIPE, text=True).stdout
    assert listed.count("| full |") > 5 and listed.count("\n") > 60
    with open(os.path.join(here, "README.md")) as file:
        text = file.read()
    assert [line for line in listed.splitlines() if line not in text.splitlines()] == [], "scripts/faults --list says more than README.md"
