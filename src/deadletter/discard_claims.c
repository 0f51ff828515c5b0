/* What each letter asks for, and what is right for it. */
#include "deadletter/discard_private.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "deadletter/letter_body.h"

#include <inttypes.h>

void discard_leave(struct discard *discard, size_t letter, const char *why)
{
    struct discard_item *item = &discard->items[letter];
    item->left = true;
    item->fate = FATE_REFUSED;
    item->detail = why;
}

/* A number as the protocol has it: digits, or a string of digits. 0: it is none, or the body ends with it and
 * may have been cut off there. */
static int64_t number_in(struct text body, const char *key)
{
    int64_t number = 0;
    struct text value = letter_body_member(body, key);
    if (!text_is_present(value) || value.data + value.size == body.data + body.size) return 0;
    if (value.size >= 2 && value.data[0] == '"') value = (struct text){value.data + 1, value.size - 2};
    return amount_parse(value, &number) ? number : 0;
}

/* What can be read of a deduction that cannot be read as a whole. A body that is no JSON may have been cut
 * off, and its numbers with it: its amount is not believed. Its token need not be: it only counts where Redis
 * has the same. */
static struct discard_claim claim_of_ruin(size_t letter, struct text message_id, struct text body,
                                          enum park_reason reason)
{
    struct discard_claim claim = {.letter = letter, .message_id = message_id, .tracked = true};
    struct text budget_id = letter_body_string(body, "budget_id");
    if (budget_id_is_valid(budget_id)) claim.budget_id = budget_id;
    claim.deducted_at_us = number_in(body, "deducted_at");
    if (reason == PARK_MALFORMED) return claim;
    claim.amount = number_in(body, "amount");
    claim.tracked = text_is_present(letter_body_member(body, "deducted_at"));
    return claim;
}

static struct discard_claim claim_of_item(size_t letter, const struct message_item *item)
{
    const struct deduction *deduction = &item->deduction;
    if (item->reason != PARK_NONE)
        return claim_of_ruin(letter, deduction->message_id, item->source, item->reason);
    return (struct discard_claim){
        .letter = letter,
        .message_id = deduction->message_id,
        .budget_id = deduction->budget_id,
        .amount = deduction->amount,
        .deducted_at_us = deduction->deducted_at_us,
        .tracked = deduction->deducted_at_us != 0,
    };
}

/* The id that the body names, whatever the property says; of a body that is no JSON as far as it goes. */
static struct text id_in_body(const struct letter *letter, struct arena *arena)
{
    struct message message;
    message_decode(letter->body, TEXT_NONE, arena, &message);
    if (message.reason == PARK_NONE) return message.items[0].deduction.message_id;
    if (text_is_present(message.message_id)) return message.message_id;
    return letter_body_string(letter->body, "message_id");
}

/* Such a message can be booked under neither id, and each may be that of a good message on its way. */
static bool names_two_ids(const struct letter *letter, struct arena *arena)
{
    const struct message *message = &letter->message;
    if (message->reason == PARK_NONE || message->is_batch || !text_is_present(letter->property_id))
        return false;
    struct text id = id_in_body(letter, arena);
    return text_is_present(id) && !text_equal(id, letter->property_id);
}

void discard_collect(struct discard *discard)
{
    struct letter_chunk *chunk = &discard->chunk;
    discard->claims = arena_alloc(&chunk->arena, chunk->items * sizeof *discard->claims);
    discard->claim_count = discard->void_count = discard->release_count = discard->entry_count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const struct letter *letter = &chunk->letters[i];
        const struct message *message = &letter->message;
        struct discard_item *item = &discard->items[i];
        *item = (struct discard_item){.fate = FATE_DISCARDED};
        if (names_two_ids(letter, &chunk->arena)) {
            item->why_unclaimed = "property and body name two ids: neither is voided, nothing is given back";
            continue;
        }
        for (size_t k = 0; k < letter_item_count(letter); k++) {
            if (!text_is_present(letter_item_id(letter, k))) continue;
            struct discard_claim *claim = &discard->claims[discard->claim_count++];
            *claim = message->reason == PARK_NONE
                         ? claim_of_item(i, &message->items[k])
                         : claim_of_ruin(i, message->message_id, letter->body, message->reason);
            claim->query.state = PENDING_UNKNOWN;
            item->claims++;
        }
    }
}

enum status discard_look_up(struct discard *discard, struct error *error)
{
    struct arena *arena = &discard->chunk.arena;
    size_t count = discard->claim_count;
    struct text *ids = arena_alloc(arena, (count + 1) * sizeof *ids);
    struct ledger_deduction *rows = arena_alloc(arena, (count + 1) * sizeof *rows);
    for (size_t i = 0; i < count; i++) ids[i] = discard->claims[i].message_id;
    if (count == 0) return STATUS_OK;
    enum status status = ledger_deductions_find(discard->ports->ledger, ids, count, arena, rows, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) discard->claims[i].row = rows[i];
    return status;
}

enum status discard_ask(struct discard *discard, struct error *error)
{
    struct arena *arena = &discard->chunk.arena;
    struct stock_query *queries = arena_alloc(arena, (discard->claim_count + 1) * sizeof *queries);
    size_t count = 0, at = 0;
    for (size_t i = 0; i < discard->claim_count; i++) {
        const struct discard_claim *claim = &discard->claims[i];
        if (!text_is_present(claim->budget_id)) continue;
        queries[count++] = (struct stock_query){
            .budget_id = claim->budget_id, .message_id = claim->message_id, .status = STATUS_RETRY};
    }
    enum status status = count == 0 ? STATUS_OK : stock_query(discard->ports->stock, queries, count, error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    for (size_t i = 0; i < discard->claim_count; i++) {
        struct discard_claim *claim = &discard->claims[i];
        if (!text_is_present(claim->budget_id)) continue;
        claim->query = queries[at++];
        if (claim->query.status == STATUS_OK) continue;
        discard_leave(discard, claim->letter,
                      arena_format(arena, "Redis does not say what is pending: %s", error->text));
    }
    return STATUS_OK;
}

/* The id was deducted once more, and the pending entry is that one's: its message may be on its way. */
static bool entry_is_anothers(const struct discard_claim *claim)
{
    return claim->deducted_at_us != 0 && claim->query.deducted_at_us != claim->deducted_at_us;
}

/* The amount is the pending entry's where the letter has one: that is what Redis took. Where there is none
 * and the producer keeps such entries, there is nothing to give back any more. Where he keeps none, the
 * amount that the message names was taken. Where that cannot be read nobody can know what was taken; the row
 * then only keeps the id from being booked. */
static struct ledger_void void_of(const struct discard_claim *claim)
{
    struct ledger_void row = {
        .message_id = claim->message_id,
        .budget_id = text_is_present(claim->budget_id) ? claim->budget_id : TEXT_LITERAL("-"),
        .amount = claim->amount != 0 ? claim->amount : 1,
        .deducted_at_us = claim->deducted_at_us,
        .reason = REASON_DISCARDED,
        .refund = REFUND_DONE,
    };
    if (claim->query.state == PENDING_PENDING && !entry_is_anothers(claim)) {
        row.amount = claim->query.amount;
        row.deducted_at_us = claim->query.deducted_at_us;
        row.refund = REFUND_DUE;
    } else if (claim->query.state == PENDING_UNKNOWN && !claim->tracked && claim->amount != 0 &&
               text_is_present(claim->budget_id)) {
        row.refund = REFUND_DUE;
    }
    return row;
}

void discard_plan_voids(struct discard *discard)
{
    struct arena *arena = &discard->chunk.arena;
    discard->voids = arena_alloc(arena, (discard->claim_count + 1) * sizeof *discard->voids);
    for (size_t i = 0; i < discard->claim_count; i++) {
        const struct discard_claim *claim = &discard->claims[i];
        if (claim->row.found || claim->query.state != PENDING_SETTLED) continue;
        discard_leave(discard, claim->letter,
                      "Redis says that it is settled, and the ledger does not have it: an older ledger was "
                      "put back; run bursar reconcile first");
    }
    for (size_t i = 0; i < discard->claim_count; i++) {
        struct discard_claim *claim = &discard->claims[i];
        if (claim->row.found || discard->items[claim->letter].left) continue;
        claim->void_row = &discard->voids[discard->void_count++];
        *claim->void_row = void_of(claim);
        discard->items[claim->letter].voids++;
        if (claim->void_row->refund == REFUND_DUE)
            discard->items[claim->letter].refund += claim->void_row->amount;
    }
}

static struct stock_release *add_release(struct discard *discard, const struct stock_release *release)
{
    struct stock_release *added = &discard->releases[discard->release_count++];
    *added = *release;
    added->status = STATUS_RETRY;
    return added;
}

/* Refunds that a discard began, this one or one that died. */
static void plan_debt(struct discard *discard, struct discard_claim *claim)
{
    const struct ledger_deduction *row = &claim->row;
    if (row->state != DEDUCTION_VOIDED || row->reason != REASON_DISCARDED || row->refund != REFUND_DUE)
        return;
    claim->is_debt = true;
    claim->release = add_release(discard, &(struct stock_release){.budget_id = row->budget_id,
                                                                  .message_id = claim->message_id,
                                                                  .deducted_at_us = row->deducted_at_us,
                                                                  .amount = row->amount,
                                                                  .outcome = RELEASE_VOIDED});
}

/* The row's own entry, or a second one like it, is a worker's to clear. A void of another deduction owns none
 * but that one's. */
static bool row_owns_entry(const struct discard_claim *claim)
{
    const struct ledger_deduction *row = &claim->row;
    if (!text_equal(row->budget_id, claim->budget_id)) return false;
    if (claim->query.deducted_at_us == row->deducted_at_us) return true;
    bool owns_one = row->state == DEDUCTION_VOIDED && row->deducted_at_us != 0;
    return !owns_one && claim->query.amount == row->amount;
}

static bool letter_owns_entry(const struct discard_claim *claim)
{
    if (claim->deducted_at_us != 0) return !entry_is_anothers(claim);
    return claim->amount == claim->query.amount;
}

/* An id that was used twice: the second deduction is booked nowhere, and its letter goes now. It is voided
 * whatever became of the first one: who asks for it again must not hear that it is paid. */
static void plan_foreign(struct discard *discard, struct discard_claim *claim)
{
    if (claim->query.state != PENDING_PENDING || row_owns_entry(claim) || !letter_owns_entry(claim)) return;
    claim->release =
        add_release(discard, &(struct stock_release){.budget_id = claim->budget_id,
                                                     .message_id = claim->message_id,
                                                     .deducted_at_us = claim->query.deducted_at_us,
                                                     .amount = claim->query.amount,
                                                     .outcome = RELEASE_VOIDED});
    discard->items[claim->letter].refund += claim->query.amount;
}

void discard_plan_releases(struct discard *discard)
{
    discard->releases =
        arena_alloc(&discard->chunk.arena, (discard->claim_count + 1) * sizeof *discard->releases);
    discard->release_count = 0;
    for (size_t i = 0; i < discard->claim_count; i++) {
        struct discard_claim *claim = &discard->claims[i];
        if (!claim->row.found || discard->items[claim->letter].left) continue;
        plan_debt(discard, claim);
        if (!claim->is_debt) plan_foreign(discard, claim);
    }
}

static void add_entry(struct discard *discard, const struct intervention *entry)
{
    struct intervention *added = &discard->entries[discard->entry_count++];
    *added = *entry;
    added->kind = INTERVENTION_DISCARD;
    added->actor = discard->ports->actor;
}

void discard_plan_entries(struct discard *discard)
{
    const struct letter_chunk *chunk = &discard->chunk;
    size_t capacity = discard->claim_count + chunk->count + 1;
    discard->entries = arena_alloc(&discard->chunk.arena, capacity * sizeof *discard->entries);
    discard->entry_count = 0;
    for (size_t i = 0; i < discard->claim_count; i++) {
        const struct discard_claim *claim = &discard->claims[i];
        bool told = claim->void_row != NULL && claim->void_row->inserted;
        if (told || discard->items[claim->letter].left) continue;
        bool gives = claim->release != NULL && !claim->is_debt;
        add_entry(discard,
                  &(struct intervention){.state = gives ? INTERVENTION_BEGUN : INTERVENTION_DONE,
                                         .budget_id = claim->budget_id,
                                         .message_id = claim->message_id,
                                         .subject = gives ? TEXT_LITERAL("pending") : TEXT_LITERAL("letter"),
                                         .before = chunk->letters[claim->letter].reason,
                                         .amount = gives ? claim->query.amount : 0});
    }
    for (size_t i = 0; i < chunk->count; i++) {
        if (discard->items[i].claims > 0 || discard->items[i].left) continue;
        add_entry(discard, &(struct intervention){.state = INTERVENTION_DONE,
                                                  .subject = TEXT_LITERAL("letter"),
                                                  .before = chunk->letters[i].reason,
                                                  .after = text_of(discard->items[i].why_unclaimed)});
    }
}
