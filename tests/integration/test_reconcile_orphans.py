"""What `bursar reconcile` takes for an orphan on real servers: what the worker says it holds, and what lies in the dead-letter queue."""
import json

import pika

from test_reconcile import NOTHING_WAITS, camp, publish_deducted, reconcile  # noqa: F401


def test_what_a_lost_connection_holds_is_no_orphan(camp):  # noqa: F811
    """The broker still counts the worker's lost connection, here played by a consumer that never acknowledges; the worker itself has nothing in its
    hands, because it is connecting again."""
    camp.settings.update(NOTHING_WAITS)
    camp.write_config()
    _, _, token = camp.deduct("camp", "held", 20)
    publish_deducted(camp, "held", 20, int(token))
    lost = camp.channel()
    lost.basic_consume("bursar.deductions", lambda *_: None)
    camp.wait("the lost connection to hold it", lambda: camp.ready() == 0)
    worker = camp.worker("--set", "amqp.url=amqp://guest:guest@127.0.0.1:1/%2f")
    worker.wait_log("event=broker-")
    assert reconcile(camp, "--repair")["clean"] and "held" in camp.pending("camp")
    assert camp.json("status")["held"] is None
    worker.terminate()
    lost.connection.close()
    camp.worker()
    camp.wait_settled(11)
    camp.wait_quiet()
    assert camp.value("SELECT settled FROM v_budget") == 50 and reconcile(camp)["clean"]
