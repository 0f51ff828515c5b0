"""The same for the handling of dead letters: bugs that the simulator is asked to catch, and with how many of its seeds it must
(plants.py says how a row is read). Some of the rows stand there, for unit tests catch them too."""

EARLY_RELEASE = """    for (size_t i = 0; i < discard->void_count; i++) {
        struct stock_release early = {.budget_id = discard->voids[i].budget_id,
                                      .message_id = discard->voids[i].message_id,
                                      .deducted_at_us = discard->voids[i].deducted_at_us,
                                      .amount = discard->voids[i].amount,
                                      .outcome = RELEASE_VOIDED};
        if (discard->voids[i].refund == REFUND_DUE)
            status = stock_release(discard->ports->stock, &early, 1, &discard->error);
    }
    if (discard->void_count > 0)
        status = ledger_voids_insert("""

PLANTS = [
    # Filters
    ("letters: take the first instant for no filter", "src/deadletter/letter_filter.c",
     "(!filter->has_until || ", "(filter->until_us == 0 || ", "unit.test_letter"),
    ("letters: discard a batch message for one of its items", "src/cli/dlq_request.c",
     "request->filter.every_item = verbs[i].verb == DISCARD;", "request->filter.every_item = false;", "integration.test_dlq_discard"),
    ("letters: take the property of a batch message for an item's id", "src/deadletter/letter_filter.c",
     "filter->every_item && letter->message.is_batch)", "filter->every_item && letter->message.is_batch && filter->id_count == 0)",
     "unit.test_letter$"),
    # Replay
    ("letters: take what no queue took for confirmed", "src/deadletter/replay_publish.c",
     "    case PUBLICATION_RETURNED:\n        replay_leave(",
     "    case PUBLICATION_RETURNED:\n        if (index < SIZE_MAX) break;\n        replay_leave(", ""),
    ("letters: replay once more than is allowed", "src/deadletter/replay_judge.c",
     "letter->origin.replays >= replay->options.max_replays", "letter->origin.replays > replay->options.max_replays", ""),
    ("letters: do not count a replay", "src/deadletter/replay_publish.c",
     ".number = letter->origin.replays + 1}", ".number = letter->origin.replays}", ""),
    ("letters: publish in a dry run", "src/deadletter/replay.c",
     "    if (replay->options.dry_run) return go_to(replay, REPLAY_FORECAST);\n", "", ""),
    ("letters: replay without the letter's properties", "src/deadletter/replay_publish.c",
     "        .properties = letter->properties,\n", "", ""),
    ("letters: do not wait for the canary", "src/deadletter/replay_outcome.c",
     "        waiting += !replay->canary_ids[i].well;\n", "", ""),
    ("letters: take a canary that cannot go for a good one", "src/deadletter/replay.c",
     " || count == 0) return next_chunk", ") return next_chunk", "unit.test_dead_letters_worker"),
    ("letters: edit to what Redis did not deduct", "src/deadletter/letter_edit.c",
     "        if (query->amount != deduction->amount)\n", "        if (query->amount < 0)\n", ""),
    ("letters: edit without an entry in the journal", "src/deadletter/replay_judge.c",
     "        add_edits(replay, i);\n", "        (void)add_edits;\n", ""),
    # Discard
    ("letters: give back before the void is booked", "src/deadletter/discard.c",
     "    if (discard->void_count > 0)\n        status = ledger_voids_insert(", EARLY_RELEASE, ""),
    ("letters: throw away what is not voided", "src/deadletter/discard.c",
     "    if (discard->void_count > 0)\n        status = ledger_voids_insert(",
     "    if (discard->void_count > 1)\n        status = ledger_voids_insert(", ""),
    ("letters: void, and do not owe what Redis took", "src/deadletter/discard_claims.c",
     "        row.deducted_at_us = claim->query.deducted_at_us;\n        row.refund = REFUND_DUE;\n",
     "        row.deducted_at_us = claim->query.deducted_at_us;\n", ""),
    ("letters: call a second purchase paid", "src/deadletter/discard_claims.c",
     "                                                     .amount = claim->query.amount,\n                                                     .outcome = RELEASE_VOIDED});",
     "                                                     .amount = claim->query.amount,\n                                                     .outcome = claim->row.state == DEDUCTION_SETTLED ? RELEASE_EXTRA : RELEASE_VOIDED});",
     ""),
    ("letters: give a second purchase back and write nothing down", "src/deadletter/discard.c",
     "    if (discard->entry_count > 0)\n        status = ledger_interventions_begin(",
     "    if (discard->entry_count == SIZE_MAX)\n        status = ledger_interventions_begin(", ""),
    ("letters: pay a debt that is noted as paid", "src/deadletter/discard_claims.c",
     "row->reason != REASON_DISCARDED || row->refund != REFUND_DUE)", "row->reason != REASON_DISCARDED)", ""),
    ("letters: give back what another deduction of the id took", "src/deadletter/discard_claims.c",
     "claim->query.state == PENDING_PENDING && !entry_is_anothers(claim)) {", "claim->query.state == PENDING_PENDING) {",
     "integration.test_dlq_discard"),
    ("letters: forget the token of what cannot be read", "src/deadletter/discard_claims.c",
     "    claim.deducted_at_us = number_in(body, \"deducted_at\");\n", "", "integration.test_dlq_discard"),
    ("letters: believe a token that may have been cut off", "src/deadletter/discard_claims.c",
     "!text_is_present(value) || value.data + value.size == body.data + body.size", "!text_is_present(value)",
     "integration.test_dlq_discard"),
    ("letters: void the property's id of two", "src/deadletter/discard_claims.c",
     "return text_is_present(id) && !text_equal(id, letter->property_id);", "return text_is_present(id) && id.size == SIZE_MAX;",
     "integration.test_dlq_discard"),
    # Reconcile
    ("reconcile: look at the queue before the orphans are chosen", "src/reconcile/orphans.c",
     "    reconcile->queue.looked = false; /* a look from before tells nothing of what was published since */\n", "", ""),
]

SEEDS = {
    "replay what the journal does not tell of": 500,
    "acknowledge a letter whose confirm was lost": 20000,
    "void with the amount that the message says": 2000,
    "give back what the booked row owns": 20000,
    "acknowledge all up to a letter while others are held": 2000,
    "letters: take what no queue took for confirmed": 500,
    "letters: replay once more than is allowed": 2000,
    "letters: do not count a replay": 500,
    "letters: publish in a dry run": 10000,
    "letters: replay without the letter's properties": 500,
    "letters: do not wait for the canary": 2000,
    "letters: edit to what Redis did not deduct": 2000,
    "letters: edit without an entry in the journal": 500,
    "letters: give back before the void is booked": 500,
    "letters: throw away what is not voided": 500,
    "letters: void, and do not owe what Redis took": 500,
    "letters: call a second purchase paid": 500,
    "letters: give a second purchase back and write nothing down": 500,
    "letters: pay a debt that is noted as paid": 40000,
    "reconcile: look at the queue before the orphans are chosen": (1083900, 100),
}
