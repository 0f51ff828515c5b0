#!/usr/bin/python3
"""The second half of scripts/quickstart: servers, budgets, traffic, a crash in the middle, and the reckoning."""
import argparse
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from campaign import Campaign
from world import World


def say(text):
    print(text, flush=True)


def show(figures):
    width = max(len(what) for what, _, _ in figures)
    say(f"   {'':{width}}  {'messages':>10}  {'units':>12}")
    for what, count, units in figures:
        say(f"   {what:{width}}  {count:>10,}  {'' if units is None else format(units, ','):>12}")


def look_at_dead_letters(world):
    """What `bursar dlq` says of the parked messages; what is wrong with that."""
    say("== dead letters, and what a replay would make of them")
    groups = world.json("dlq", "list")
    for group in groups:
        say(f"   {group['count']:>8,}  {group['reason']}")
    forecast = world.json("dlq", "replay", "--dry-run")
    say("   " + ", ".join(f"{count:,} {fate}" for fate, count in sorted(forecast["fates"].items())))
    listed, parked = sum(group["count"] for group in groups), world.ready("bursar.deductions.dlq")
    return [] if listed == forecast["matched"] == parked else [f"{parked} messages are parked, {listed} listed, {forecast['matched']} looked at"]


def run(world, options):
    say("== init")
    say("   " + world.run("init").strip().replace("\n", "\n   "))
    campaign = Campaign(world, options.deductions, seed=options.seed)
    say(f"== 50 budgets, seed {campaign.seed}")
    campaign.create_budgets()
    campaign.write_files()
    say(f"== worker and {campaign.producers} producers: {campaign.lines:,} lines, and foreign, older, forged and unreadable messages")
    worker = world.worker()
    worker.wait_log("event=consuming")
    began = time.monotonic()
    campaign.start_producers()
    foreign = threading.Thread(target=campaign.publish_foreign)
    foreign.start()
    world.wait("half of it to be booked", lambda: world.value("SELECT count(*) FROM v_deduction") > options.deductions * 0.4, 120)
    worker.kill()
    before = world.value("SELECT count(*) FROM v_deduction")
    say(f"== SIGKILL to the worker with {before:,} booked; starting it again")
    worker = world.worker()
    foreign.join()
    campaign.finish_producers()
    campaign.wait_finished()
    seconds = time.monotonic() - began
    wrong = campaign.check(None if options.keep else world.dead_letters(), copies=2)  # the kill may park a letter once more
    show(campaign.figures())
    wrong += look_at_dead_letters(world)
    booked = world.value("SELECT count(*) FROM v_deduction")
    say(f"   {booked:,} bookings in {seconds:.1f} s with the crash in between: {booked / seconds:,.0f} a second, "
        "producers, servers and worker on this one machine")
    wrong += reconcile(world)
    if not options.keep:
        code = worker.terminate()
        if code != 0:
            wrong.append(f"the worker ended with {code} after SIGTERM")
        if world.ready() != 0:
            wrong.append("messages went back to the queue when the worker stopped: something was not acknowledged")
    return wrong


def reconcile(world):
    """After all that only the forged messages of the unlimited budget are found, which the ledger booked and Redis never deducted; what is
    then done to Redis by hand is found to the unit, and mended."""
    wrong = []
    found = world.json("reconcile", "--repair")
    differences = [(f["budget_id"], f["kind"], f["amount"]) for f in found["findings"] if f["kind"] != "untracked"]
    if differences != [("camp:07", "left-drift", 0)] or not found["complete"] or not world.json("reconcile")["clean"]:
        wrong.append(f"reconcile found something: {found['findings'][:5]}")
    world.run("budget", "create", "planted", "--total", "1000")
    world.deduct("planted", "never-published", 3)
    world.redis.incr(world.keys("planted")[0])
    say("== by hand: one unit too much in the stock, and a deduction whose producer died before it published")
    words = ("reconcile", "--budget", "planted", "--set", "reconcile.orphan_after=0")
    found = world.json(*words, "--repair")
    for finding in found["findings"]:
        say(f"   reconcile --repair: {finding['kind']} {finding['amount']:+d}, {finding['money']}, {'mended' if finding['mended'] else 'NOT MENDED'}")
    if sorted((f["kind"], f["amount"], f["mended"]) for f in found["findings"]) != [("left-drift", 1, True), ("orphan", 3, True)]:
        wrong.append(f"reconcile did not find just what was planted: {found['findings']}")
    if not world.json(*words)["clean"] or world.left("planted") != 1000:
        wrong.append(f"after the repair {world.left('planted')} of 1000 are left")
    return wrong


def explain(world):
    say("== everything is still running; to look at it:")
    say(f"   {world.bursar} status -c {world.config}")
    say(f"   {world.bursar} budget list -c {world.config}")
    say(f"   {world.bursar} dlq show --limit 3 -c {world.config}")
    say(f"   sqlite3 {world.ledger} 'select * from v_budget'")
    say(f"   curl http://127.0.0.1:{world.http_port}/metrics")
    say(f"   redis-cli -p {world.redis_server.port} hgetall 'budget:{{camp:00}}:meta'")
    say(f"   amqp: {world.rabbit.url}")
    pids = [worker.process.pid for worker in world.workers if worker.running()]
    pids += [server.process.pid for server in world.own] + [world.rabbit.epmd.pid]
    say(f"   to end it: kill {' '.join(map(str, pids))}; rm -r {world.folder} "
        + " ".join(server.folder for server in world.own))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--deductions", type=int, default=120000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--started", type=float, default=time.time())
    options = parser.parse_args()
    say("== starting a throwaway Redis and RabbitMQ on free ports")
    world = World()
    world.__enter__()
    keep = False
    try:
        wrong = run(world, options)
        for line in wrong[:50]:
            say("   WRONG: " + line)
        if not wrong:
            say("== proof: every id that was published is booked once or parked; for every budget the settled rows add up to what the")
            say("   ledger says, settled <= total, stock left = total - settled, nothing pending, nothing owed, nothing unacknowledged")
        keep = options.keep and not wrong
        if keep:
            explain(world)
    finally:
        if not keep:
            world.close()
    say(f"== {time.time() - options.started:.0f} s in all")
    say(f"{0 if wrong else 1} passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
