"""A minute of what scripts/endurance does for an hour; and its books are spoilt afterwards, to see that the reckoning finds it."""
import os
import sqlite3

import pytest

import endurance
from running_books import WENT_IN, budget_name
from world import World

pytestmark = pytest.mark.skipif(not os.environ.get("BURSAR_TEST_FULL"), reason="only with scripts/test --full")


def change(world, *statements):
    link = sqlite3.connect(world.ledger)
    for statement in statements:
        link.execute(statement)
    link.commit()
    link.close()


def test_a_minute():
    options = endurance.options_of(["--minutes", "1", "--rate", "300"])
    with World(settings=endurance.SETTINGS) as world:
        world.run("init")
        run = endurance.Run(world, options)
        run.books.create_budgets(world)
        run.load()
        run.finish()
        run.judge()
        assert run.wrong == []
        assert {"worker killed", "broker restarted", "Redis restarted"} <= {name for _, _, name in run.marks()}
        assert run.figures["settled"] > 10000 and run.figures["rejected"] > 100 and run.figures["unreadable"] > 20
        spoil(world, run.books, world.dead_letters())


def spoil(world, books, letters):
    def complaints(letters=letters):
        return "; ".join(books.check(world, letters)[0])
    assert complaints() == ""
    stock, pending = world.keys(budget_name(3))[:2]
    world.redis.decrby(stock, 1)
    assert "are left in Redis" in complaints()
    world.redis.incrby(stock, 1)
    world.redis.hset(pending, "forgotten", "1:1")
    assert "are pending still" in complaints()
    world.redis.hdel(pending, "forgotten")
    assert "unreadable message" in complaints(letters[:-1])
    made = next(made for made in books.slices if WENT_IN in made.state)
    place = made.state.index(WENT_IN)
    made.state[place] = 0
    assert made.id(place) in complaints()
    made.state[place] = WENT_IN
    assert complaints() == ""
    change(world, f"UPDATE deduction SET amount = amount + 1 WHERE message_id = '{made.id(place)}'")
    assert "is booked as" in complaints() and "its settled rows add up to" in complaints()
    change(world, f"DELETE FROM deduction WHERE message_id = '{made.id(place)}'")
    assert "not booked" in complaints()
