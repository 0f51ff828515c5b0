"""20,000 mixed messages, the worker killed eight times at random, Redis and RabbitMQ restarted once each."""
import random
import time

from campaign import Campaign


def test_eight_kills_and_two_restarts(bare):
    world = bare
    world.run("init")
    campaign = Campaign(world, 19000, budgets=20)
    print("seed", campaign.seed)
    campaign.create_budgets()
    campaign.write_files()
    chance = random.Random(campaign.seed)
    worker = world.worker()
    worker.wait_log("event=consuming")
    campaign.publish_foreign()
    campaign.start_producers()
    for _ in range(8):
        time.sleep(chance.uniform(0.05, 0.6))
        worker.kill()
        worker = world.worker()
    campaign.finish_producers()
    campaign.wait_finished()
    assert campaign.check() == []

    # The same lines again while the servers go away: all repeats, so nothing may change.
    booked = world.value("SELECT count(*) FROM v_deduction")
    world.redis_server.kill()
    world.redis_server.start()
    world.rabbit.stop()
    world.rabbit.start()
    world.wait("the worker to consume again", lambda: "event=consuming" in worker.log().split("event=broker-lost")[-1], 60)
    world.wait("Redis to be found again", lambda: world.http("/readyz")[0] == 200, 60)
    campaign.start_producers()
    campaign.finish_producers()
    world.wait_quiet()
    assert world.value("SELECT count(*) FROM v_deduction") == booked
    assert worker.terminate() == 0
    assert world.ready() == 0, "something was left unacknowledged"
    # A kill between confirm and acknowledgement parks a message once more, with the same reason.
    assert campaign.check(world.dead_letters(), copies=10) == []
