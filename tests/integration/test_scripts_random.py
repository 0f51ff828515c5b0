"""Thousands of random operations on the Lua scripts, and the equations of the two sums after each. (What each operation answers is held
against the fake stock in contract/test_twins_stock.c.)

BURSAR_SEED=N repeats a run; the seed is printed where a test fails.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from stock_scripts import budget, client, server


def test_random_operations_keep_the_balance(budget):
    """Without losses and untracked refunds, which break the balance."""
    seed = int(os.environ.get("BURSAR_SEED", random.randrange(2**32)))
    print(f"BURSAR_SEED={seed}")
    dice = random.Random(seed)
    budget.credit("first", 300)
    tokens = {}
    for number in range(3000):
        message_id = f"m{dice.randrange(100)}"
        draw = dice.random()
        if draw < 0.5:
            status, _, token = budget.deduct(message_id, dice.randrange(1, 20))
            if status == 1:
                tokens[message_id] = token
        elif draw < 0.7:
            budget.settle(message_id, tokens.get(message_id, 1))
        elif draw < 0.95:
            budget.release(message_id, tokens.get(message_id, 1), dice.choice(["rejected", "voided", "extra"]))
        elif draw < 0.97:
            budget.credit(f"c{number}", dice.randrange(50))
        else:
            budget.age(1)
        budget.check_balance()
