"""Bugs to plant: each is one small change that a tired programmer could make, and the tests that must catch it.

(name, file, text as it stands, text with the bug, tests as ctest -R takes them; "thread" where they need ThreadSanitizer's build). A text that
is not found exactly once is an error: the plant has gone stale and must be written anew."""

UNIT, LEDGER, STOCK, MESSAGES, FAULTS = ("unit.test_worker(_services)?$", "contract.test_ledger", "contract.test_stock|integration.test_scripts",
                                         "integration.test_messages", "integration.test_faults")
TWINS = "contract.test_twins_"

PLANTS = [
    # Nothing is acknowledged before it is durable
    ("acknowledge when the commit is sent", "src/core/worker_settle.c",
     "    job->settle.count = range.count;\n    return true;",
     "    job->settle.count = range.count;\n    for (size_t i = 0; i < range.count; i++) "
     "window_item_done(&worker->window, worker->committing->items[range.first + i].origin->held, worker->now_us);\n    return true;", UNIT),
    ("acknowledge a parked message without its confirm", "src/core/worker_park.c",
     "        if (park->confirmed) {", "        if (park->confirmed || job->status != STATUS_OK) {", UNIT),
    ("acknowledge a parked message before its row is written", "src/core/worker_park.c",
     "    } else if (job->status != STATUS_OK) {\n        struct park *last", "    } else if (job->status == STATUS_INTERNAL) {\n        struct park *last", UNIT),
    ("acknowledge a batch message when its first item is booked", "src/core/worker_intake.c",
     "message.reason == PARK_NONE ? (uint32_t)message.count : 1;", "1;", "unit.test_worker|integration.test_messages"),
    # Tags
    ("acknowledge tags of an older connection", "src/core/worker_settle.c",
     "    if (item->origin->epoch != worker->epoch) return; /* its connection is gone, and the tag with it */\n", "", UNIT),
    ("acknowledge a tag alone and again with the others", "src/core/worker_window.c",
     "        window_unlink(window, held);\n        if (window->singles == NULL) {", "        if (window->singles == NULL) {", UNIT),
    # Unknown is not failed, and one bad row is one bad row
    ("take a lost answer to COMMIT for a refusal", "src/core/worker_settle.c",
     "    if (job->status != STATUS_OK && job->status != STATUS_REFUSED) {",
     "    if (job->status == STATUS_UNKNOWN) job->status = STATUS_REFUSED;\n    if (job->status != STATUS_OK && job->status != STATUS_REFUSED) {",
     UNIT),
    ("park the whole range for one refused row", "src/core/worker_settle.c",
     "    if (range.count > 1) {\n        range_halve(worker, range);\n        return;\n    }\n",
     "", UNIT),
    ("lose the second half when a range is halved", "src/core/worker_settle.c",
     "    range_push(worker, range.first + half, range.count - half);\n", "", UNIT),
    # Nothing waits for ever
    ("never try the ledger again", "src/core/worker_health.c",
     "    health->retry_at_us = worker->now_us + pause;", "    health->retry_at_us = INT64_MAX;", UNIT),
    ("leave out the clean-up after Redis was away", "src/core/worker_tell.c",
     "    worker->counts.tells_dropped += tells->count;\n    worker->sweep_wanted = true;",
     "    worker->counts.tells_dropped += tells->count;", "unit.test_worker|integration.test_faults"),
    ("begin the clean-up anew for ever at a refused slice", "src/core/worker_sweep.c",
     "    if (job->status == STATUS_REFUSED && job->kind == JOB_SWEEP_RESOLVE) {", "    if (job->status == STATUS_INTERNAL) {", UNIT),
    ("clean up again and again for a spoilt budget", "src/core/worker_sweep.c",
     "worker->sweep_wanted && worker->now_us >= worker->sweep_at_us;", "worker->sweep_wanted;", UNIT),
    ("clean up what is owed as a refund", "src/core/worker_sweep.c",
     "    if (booked->refund_due && (is_row || booked->deducted_at_us == 0)) return false;\n", "", UNIT),
    ("leave out the refunds", "src/core/worker_debts.c",
     "    if (worker->stopping || !worker->ledger.up || !worker->stock.up) return false;", "    return false;", UNIT),
    # The settlement
    ("count a duplicate inside a batch twice", "src/core/settlement.c",
     "    if (!batch_item_needs_lookup(batch, index, first)) return &batch->items[item->first_same_id];", "", "unit.test_settlement"),
    ("sell over the total", "src/core/settlement.c",
     "    return sum <= limit;", "    return sum <= limit + 1;", "unit.test_settlement|contract.test_ledger"),
    ("settle in a closed budget without token", "src/core/settlement.c",
     "    return deduction->deducted_at_us != 0 && deduction", "    return deduction", "unit.test_settlement"),
    # Tokens
    ("forget the token of a second deduction", "src/core/worker_tell.c",
     "    return token_us != booked->deducted_at_us;", "    return false;", UNIT + "|" + MESSAGES),
    # The ledger
    ("book without committing durably", "src/sqlite/connection.c", "synchronous = FULL", "synchronous = OFF", LEDGER),
    ("mark every refund as done, paid or not", "src/sqlite/debts.c", "if (!debts[i].paid) continue;", "", LEDGER),
    # The scripts
    ("deduct again for a known id", "scripts/redis/deduct.lua", "if pending then", "if false then", STOCK),
    ("refund whatever the token", "scripts/redis/release.lua", "if pending_token ~= token then", "if not pending_token then", STOCK),
    # The threads
    ("look at the worker without its mutex", "src/worker/loop.c",
     "    pthread_mutex_lock(&loop->mutex);\n    *view = loop->view;\n    pthread_mutex_unlock(&loop->mutex);\n",
     "    *view = loop->view;\n", "threads.load", "thread"),
    ("hand over new settings without the mutex", "src/worker/loop.c",
     "    pthread_mutex_lock(&loop->mutex);\n    loop->reload = *settings;\n    loop->reload.prefetch = loop->options.settings.prefetch;\n"
     "    loop->reload_asked = true;\n    pthread_mutex_unlock(&loop->mutex);\n",
     "    loop->reload = *settings;\n    loop->reload.prefetch = loop->options.settings.prefetch;\n    loop->reload_asked = true;\n",
     "threads.load", "thread"),
    # Where only the same operations on the fake and on the real thing tell
    ("turn the generations a microsecond late", "scripts/redis/settle.lua",
     "age < 0 or age >= window * 1000000 then", "age < 0 or age > window * 1000000 then", TWINS + "stock"),
    ("keep a generation that is too old to the microsecond", "scripts/redis/release.lua",
     "age >= 2 * window", "age > 2 * window", TWINS + "stock"),
    ("fake: settle an item that fits where the whole does not", "tests/fake/fake_stock_budget.c",
     "    return !would_overflow(budget->settled, *sum);", "    return true;", TWINS + "stock"),
    ("fake: drop one generation where both are too old", "tests/fake/fake_stock_budget.c",
     "age >= 2 * window_us", "age > 2 * window_us", TWINS + "stock"),
    ("mark a refund that nobody owes", "src/sqlite/statement.c",
     "WHERE message_id = ?1 AND refund = 1", "WHERE message_id = ?1", TWINS + "ledger"),
    ("fake: list no id that begins with another", "tests/fake/fake_ledger_budgets.c",
     "(a.size > b.size) - (a.size < b.size)", "0", TWINS + "ledger"),
    ("fake: count the credits of a deleted budget", "tests/fake/fake_ledger_budgets.c",
     "    if (budget->budget.state == BUDGET_DELETED) return \"is deleted\";\n", "", TWINS + "ledger"),
    ("fake: say that a message came back once more than it did", "tests/fake/fake_broker.c",
     "message->returns,\n", "message->returns + 1,\n", TWINS + "broker"),
    ("fake: forget a consumer that stopped and holds messages", "tests/fake/fake_publisher.c",
     " || consumer->held_count > 0", "", TWINS + "broker"),
]
