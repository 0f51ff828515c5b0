"""What producers of every kind send: each message is booked, given back, or parked with its reason and nothing changed in it."""
import json
import subprocess
import sys

import pika
import pytest


def settle(world, rows=0, parked=0):
    worker = world.worker()
    world.wait(f"{rows} rows and {parked} parked", lambda: world.value("SELECT count(*) FROM v_deduction") >= rows
               and world.value("SELECT count(*) FROM v_parked") >= parked)
    world.wait_quiet()
    assert worker.terminate() == 0
    assert world.ready() == 0


def message(world, message_id, amount=1, budget="camp", **more):
    status, _, token = world.deduct(budget, message_id, amount)
    assert status == 1
    return dict({"message_id": message_id, "budget_id": budget, "amount": amount, "deducted_at": int(token)}, **more)


def test_amqp_publish_from_the_shell(world):
    body = json.dumps({"message_id": "shell-1", "budget_id": "camp", "amount": 4})
    subprocess.run(["amqp-publish", "-u", world.rabbit.url, "-e", "bursar", "-r", "deduction", "-p", "-b", body], check=True)
    settle(world, rows=1)
    row = world.rows("SELECT * FROM v_deduction")[0]
    assert (row["message_id"], row["amount"], row["state"], row["deducted_at_us"]) == ("shell-1", 4, "settled", None)


def test_property_id_white_space_strings_and_unknown_keys(world):
    status, _, token = world.deduct("camp", "m1", 9)
    world.publish(f' \n{{"budget_id":"camp","amount":"9","deducted_at":{token},"user_id":"\u00fcser","meta":{{"a":1e2}},"x":[1]}}\t ', "m1")
    settle(world, rows=1)
    row = world.rows("SELECT * FROM v_deduction")[0]
    assert (row["amount"], row["user_id"], row["state"], row["refund"], row["reason"]) == (9, "\u00fcser", "settled", "none", None)
    assert row["deducted_at_us"] == int(token)
    assert world.script("query")(keys=world.keys("camp"), args=["m1"]) == ["settled", "9", token]


def test_duplicates_inside_a_batch_and_against_the_ledger(world):
    for _ in range(3):
        world.publish(message(world, "same") if not world.pending("camp") else
                      {"message_id": "same", "budget_id": "camp", "amount": 1, "deducted_at": int(world.pending("camp")["same"].split(":")[1])})
    settle(world, rows=1)
    world.publish({"message_id": "same", "budget_id": "camp", "amount": 1})
    settle(world, rows=1)
    assert world.value("SELECT settled FROM v_budget") == 1
    assert world.left("camp") == 999


def test_same_id_with_another_amount_or_budget_is_parked(world):
    world.run("budget", "create", "other", "--total", "10")
    first = message(world, "id", 2)
    world.publish(first)
    settle(world, rows=1)
    world.publish(dict(first, amount=3), "id", headers={"mine": "kept"})
    world.publish(dict(first, budget_id="other"))
    settle(world, rows=1, parked=2)
    letters = world.dead_letters()
    assert [properties.headers["x-bursar-reason"] for properties, _ in letters] == ["id-conflict"] * 2
    properties, body = letters[0]
    assert json.loads(body) == dict(first, amount=3)
    assert properties.message_id == "id" and properties.headers["mine"] == "kept"
    assert properties.headers["x-bursar-exchange"] == "bursar" and properties.headers["x-bursar-routing-key"] == "deduction"
    assert properties.headers["x-bursar-replays"] == 0
    assert properties.headers["x-bursar-parked-at"].endswith("Z") and properties.headers["x-bursar-detail"]
    assert properties.content_type == "application/json" and properties.delivery_mode == 2


def test_batch_message_with_bad_items(world):
    good = [message(world, f"b{i}") for i in range(20)]
    bad = {"message_id": "bad", "budget_id": "camp", "amount": 0}
    nameless = '{"budget_id": "camp",   "amount": 1}'
    body = "[" + ",".join(map(json.dumps, good[:10])) + ", " + json.dumps(bad) + f" ,{nameless}, 17 ," + ",".join(map(json.dumps, good[10:])) + "]"
    world.publish(body, "means nothing")
    settle(world, rows=20, parked=3)
    letters = {properties.headers["x-bursar-reason"]: (properties, body) for properties, body in world.dead_letters()}
    assert set(letters) == {"invalid-amount", "missing-id", "malformed"}
    assert letters["invalid-amount"][0].message_id == "bad" and json.loads(letters["invalid-amount"][1]) == bad
    assert letters["missing-id"][0].message_id is None and letters["missing-id"][1].decode() == nameless
    assert letters["malformed"][1] == b"17"
    ids = {row["message_id"] for row in world.rows("SELECT * FROM v_parked")}
    assert ids == {"bad", None}


def test_a_batch_that_the_parser_refuses_is_parked_whole(world):
    items = ",".join(json.dumps({"message_id": f"w{i}", "budget_id": "camp", "amount": 1}) for i in range(5))
    world.publish(f"[{items}, {{]")
    settle(world, parked=1)
    assert world.value("SELECT count(*) FROM v_deduction") == 0
    assert world.dead_letters()[0][1].decode() == f"[{items}, {{]"


def test_ten_thousand_items(world):
    world.run("budget", "create", "big", "--total", "unlimited")
    world.publish([{"message_id": f"k{i}", "budget_id": "big", "amount": 1} for i in range(10000)])
    world.publish([{"message_id": f"l{i}", "budget_id": "big", "amount": 1} for i in range(10001)])
    settle(world, rows=10000, parked=1)
    assert world.value("SELECT settled FROM v_budget WHERE id = 'big'") == 10000
    assert world.dead_letters()[0][0].headers["x-bursar-reason"] == "too-large"


def test_sizes(world):
    def sized(message_id, size):
        body = json.dumps(message(world, message_id, x=""))
        return body[:-2] + "x" * (size - len(body)) + body[-2:]
    fits, over = sized("fits", 65536), sized("over", 65537)
    assert (len(fits), len(over)) == (65536, 65537)
    world.publish(fits)
    world.publish(over)
    world.publish(b"[" + b" " * (5 << 20) + b"]")
    worker = world.worker()
    world.wait("both parked", lambda: world.value("SELECT count(*) FROM v_parked") == 2)
    assert worker.terminate() == 0
    assert world.value("SELECT message_id FROM v_deduction") == "fits"
    letters = world.dead_letters()
    assert [properties.headers["x-bursar-reason"] for properties, _ in letters] == ["too-large"] * 2
    assert letters[0][1].decode() == over
    assert len(letters[1][1]) == (5 << 20) + 2


def test_deep_header_tables(world):
    """Headers nested nearly as deep as a frame allows: the library decodes and encodes them by recursion."""
    sys.setrecursionlimit(100000)
    levels = 10000
    deep = "end"
    for _ in range(levels):
        deep = {"t": deep}
    world.publish(message(world, "deep"), headers={"deep": deep})
    world.publish("unreadable", "deep2", headers={"deep": deep})
    settle(world, rows=1, parked=1)
    properties, _ = world.dead_letters()[0]
    level, node = 0, properties.headers["deep"]
    while isinstance(node, dict):
        level, node = level + 1, node["t"]
    assert (level, node) == (levels, "end")


def test_unknown_closed_and_deleted_budgets_and_over_total(world):
    for budget in ("closing", "deleting", "small"):
        world.run("budget", "create", budget, "--total", "10")
    before = message(world, "before-closing", 1, "closing")
    under_way = message(world, "under-way", 1, "deleting")
    world.run("budget", "close", "closing")
    world.run("budget", "delete", "deleting")
    assert world.deduct("closing", "new", 1)[0] == -7
    world.publish(before)
    world.publish(under_way)
    world.publish({"message_id": "after-closing", "budget_id": "closing", "amount": 1, "deducted_at": before["deducted_at"] + 3600000000})
    world.publish({"message_id": "unknown", "budget_id": "nowhere", "amount": 1})
    world.redis.incrby(world.keys("small")[0], 5)
    world.publish(message(world, "over", 12, "small"))
    settle(world, rows=5)
    rows = {row["message_id"]: (row["state"], row["reason"], row["refund"]) for row in world.rows("SELECT * FROM v_deduction")}
    assert rows == {"before-closing": ("settled", None, "none"),
                    "under-way": ("rejected", "deleted-budget", "done"),
                    "after-closing": ("rejected", "closed-budget", "done"),
                    "unknown": ("rejected", "unknown-budget", "done"),
                    "over": ("rejected", "over-total", "done")}
    assert world.left("deleting") == 10
    assert world.left("small") == 15
    assert world.left("closing") == 9
    assert world.left("nowhere") is None


def test_a_second_deduction_of_a_settled_id_is_given_back(world):
    first = message(world, "twice", 5)
    world.publish(first)
    settle(world, rows=1)
    world.redis.delete(*world.keys("camp")[2:4])  # the done window is over: Redis forgot the id
    second = message(world, "twice", 5)
    assert second["deducted_at"] != first["deducted_at"]
    assert world.left("camp") == 990
    world.publish(second)
    worker = world.worker()
    world.wait("the extra to be given back", lambda: world.left("camp") == 995 and not world.pending("camp"))
    assert worker.terminate() == 0
    assert world.value("SELECT settled FROM v_budget") == 5


def test_clean_up_after_start(world):
    """Acknowledged, and then the worker died before it told Redis."""
    first = message(world, "left-over", 5)
    world.publish(first)
    settle(world, rows=1)
    world.redis.hset(world.keys("camp")[1], "left-over", f"5:{first['deducted_at']}")
    world.redis.delete(*world.keys("camp")[2:4])
    lonely = message(world, "no-message", 3)  # no message yet: must be left alone
    worker = world.worker()
    world.wait("the clean-up", lambda: "left-over" not in world.pending("camp"))
    assert list(world.pending("camp")) == ["no-message"]
    world.publish(lonely)
    world.wait_settled(2)
    assert worker.terminate() == 0


def test_clean_up_leaves_what_another_deduction_owns(world):
    """The same id, deducted again with another amount: parked as a conflict, and its pending stays for a person to decide."""
    world.publish({"message_id": "id", "budget_id": "camp", "amount": 5})
    settle(world, rows=1)
    world.publish(message(world, "id", 7))
    worker = world.worker()
    world.wait("parking", lambda: world.value("SELECT count(*) FROM v_parked") == 1)
    assert worker.terminate() == 0
    worker = world.worker()
    worker.wait_log("event=cleaned-up")
    assert worker.terminate() == 0
    assert list(world.pending("camp")) == ["id"] and world.left("camp") == 993


def test_clean_up_settles_for_a_producer_that_passes_no_token_on(world):
    status, _, token = world.deduct("camp", "id", 4)
    world.publish({"message_id": "id", "budget_id": "camp", "amount": 4})
    worker = world.worker()
    world.wait_settled(1)
    assert worker.terminate() == 0
    worker = world.worker()
    world.wait("the clean-up", lambda: not world.pending("camp"))
    assert worker.terminate() == 0
    assert world.left("camp") == 996


def test_a_token_that_comes_late_is_no_second_deduction(world):
    """Deducted once, published without its token, and again with it."""
    status, _, token = world.deduct("camp", "id", 50)
    world.publish({"message_id": "id", "budget_id": "camp", "amount": 50})
    worker = world.worker()
    world.wait_settled(1)
    world.publish({"message_id": "id", "budget_id": "camp", "amount": 50, "deducted_at": int(token)})
    world.wait("the duplicate", lambda: world.metric('bursar_deductions_total{outcome="duplicate"}') == 1)
    world.wait("the pending to be cleared", lambda: not world.pending("camp"))
    assert worker.terminate() == 0
    assert world.left("camp") == 950 and world.meta("camp")["settled"] == "50"


def test_a_second_deduction_after_one_without_token_is_given_back(world):
    """A retry that meets a newer producer: the first deduction had no token, the second has."""
    world.redis.decrby(world.keys("camp")[0], 5)
    world.publish({"message_id": "id", "budget_id": "camp", "amount": 5})
    settle(world, rows=1)
    world.publish(message(world, "id", 5))
    worker = world.worker()
    world.wait("the extra to be given back", lambda: world.left("camp") == 995 and not world.pending("camp"))
    assert worker.terminate() == 0


def test_older_producer_is_refunded_once(world):
    world.redis.decrby(world.keys("camp")[0], 300)
    world.run("budget", "close", "camp")
    for _ in range(2):
        world.publish({"message_id": "old", "budget_id": "camp", "amount": 300})
        settle(world, rows=1)
    assert world.left("camp") == 1000
    assert world.rows("SELECT state, refund FROM v_deduction")[0] == {"state": "rejected", "refund": "done"}


def test_every_unreadable_message_keeps_its_reason(world):
    from campaign import UNREADABLE
    channel = world.channel()
    for i, (body, property_id, _) in enumerate(UNREADABLE):
        world.publish(body, property_id % i if property_id else None, channel=channel)
    settle(world, parked=len(UNREADABLE))
    letters = world.dead_letters()
    assert [(body, properties.headers["x-bursar-reason"]) for properties, body in letters] == [
        (body, reason) for body, _, reason in UNREADABLE]


def test_settled_never_exceeds_total_in_any_commit(world):
    """Forged messages compete for one small budget; an independent reader looks at every commit it can catch."""
    world.run("budget", "create", "small", "--total", "100")
    channel = world.channel()
    for i in range(3000):
        world.publish({"message_id": f"forged-{i}", "budget_id": "small", "amount": 1 + i % 7, "deducted_at": 1000 + i}, channel=channel)
    worker = world.worker()
    looks = 0
    while world.value("SELECT count(*) FROM v_deduction") < 3000:
        row = world.rows("SELECT settled, total FROM v_budget WHERE id = 'small'")[0]
        assert row["settled"] <= row["total"]
        looks += 1
    assert world.value("SELECT settled FROM v_budget WHERE id = 'small'") == 100
    world.wait_quiet()
    assert worker.terminate() == 0
    assert looks > 0
