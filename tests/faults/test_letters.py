"""Dead letters that are being replayed, discarded and imported when the command dies: run again, nothing is lost and nothing done twice."""
import os
import signal

import pytest

from letters import QUEUE, body_of, parked_headers, plant
from test_repairs import expect_right

REPLAYS = ["replay-journaled", "publish-sent", "publish-confirmed", "replay-confirmed", "replay-recorded", "replay-acknowledged"]
DISCARDS = ["void-before-commit", "void-after-commit", "discard-voided", "discard-released", "discard-recorded", "discard-acknowledged"]
IMPORTS = ["import-journaled", "import-confirmed", "publish-sent"]


def deducted(world, message_id, amount=1):
    status, _, token = world.deduct("camp", message_id, amount)
    assert status == 1
    return body_of(message_id, amount, deducted_at=int(token))


def killed(world, place, *words):
    done = world.run_all("dlq", *words, environment={"BURSAR_FAILPOINT": place})
    assert done.returncode == -signal.SIGKILL, f"{place} was never reached: {done.stderr}"
    # The broker takes the letters back a moment after the death.
    world.wait("the broker to notice", lambda: world.run_all("dlq", "list").returncode == 0)


def expect_booked(world, count):
    """All of them once, by a worker that comes now; nothing is left anywhere, and reconcile finds nothing."""
    assert world.ready(QUEUE) == 0 and world.ready() >= count
    worker = world.worker()
    world.wait_settled(count)
    world.wait_quiet()
    assert worker.terminate() == 0 and world.ready() == world.ready(QUEUE) == 0
    assert world.rows("SELECT state, count(*) AS count FROM v_deduction") == [{"state": "settled", "count": count}]
    assert expect_right(world) == count and world.left("camp") == 1000 - count


@pytest.mark.parametrize("place", REPLAYS)
def test_replay_killed_at(world, place):
    """twice, and run again: each letter is booked once"""
    plant(world, [(deducted(world, f"m{i}"), parked_headers("unprocessable")) for i in range(100)])
    for nth in (1, 2):
        killed(world, f"{place}:{nth}", "replay", "--rate", "100")
    assert world.json("dlq", "replay", "--max-replays", "9")["left"] == 0
    expect_booked(world, 100)


@pytest.mark.parametrize("place", DISCARDS)
@pytest.mark.parametrize("between", ["nothing", "a worker"])
def test_discard_killed_at(world, place, between):
    """and run again, at once or after a worker has paid what is due: each is voided and given back once"""
    plant(world, [(deducted(world, f"m{i}", 2), parked_headers("unprocessable")) for i in range(40)])
    killed(world, place, "discard", "--yes")
    worker = world.worker() if between == "a worker" else None
    if worker:
        world.wait("the refunds", lambda: world.value("SELECT count(*) FROM v_deduction WHERE refund = 'due'") == 0)
    assert world.json("dlq", "discard", "--yes")["left"] == 0
    assert worker is None or worker.terminate() == 0
    assert world.ready(QUEUE) == 0
    assert world.rows("SELECT state, refund, count(*) AS count FROM v_deduction") == [{"state": "voided", "refund": "done", "count": 40}]
    assert expect_right(world) == 0 and world.left("camp") == 1000


@pytest.mark.parametrize("place", IMPORTS)
def test_import_killed_at(world, place):
    """and run again: each is booked once, whatever was published twice"""
    plant(world, [(deducted(world, f"m{i}"), parked_headers("unprocessable")) for i in range(50)])
    path = os.path.join(world.folder, "letters.jsonl")
    world.run("dlq", "export", path)
    channel = world.channel()
    channel.queue_purge(QUEUE)
    channel.connection.close()
    killed(world, f"{place}:3", "import", path, "--to", "bursar:deduction", "--rate", "40")
    world.run("dlq", "import", path, "--to", "bursar:deduction")
    expect_booked(world, 50)
