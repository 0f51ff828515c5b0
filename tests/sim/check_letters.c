/* The handling of dead letters: what goes back was written down before, is what it was and is counted; no
 * letter is forgotten before it is safe elsewhere; what is thrown away is decided first, and given back once.
 */
#include "sim/check.h"

#include "fake/fake_properties.h"

#include <inttypes.h>
#include <string.h>

static uint64_t fingerprint(struct text bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.size; i++)
        sum = (sum ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    return sum;
}

bool check_is_edited(const struct truth_item *item, struct text body)
{
    return item->edited && item->edited_body == fingerprint(body);
}

static int64_t replays_of(struct text properties)
{
    struct letter_origin origin;
    fake_properties_origin(properties, &origin);
    return origin.replays;
}

static bool is_same(struct truth_place a, struct truth_place b)
{
    return a.message == b.message && a.item == b.item;
}

void check_letters_begin(struct world *world)
{
    struct replayer *replayer = &world->replayer;
    replayer->given_count = replayer->sent_count = replayer->publish_calls = 0;
    replayer->restores_at_start = world->ledger_restores;
    replayer->upsets_at_start = world->upsets;
    replayer->entries_at_start = fake_ledger_intervention_count(world->ledger);
    replayer->asked_us = 0;
}

void check_letter_given(struct world *world, const struct delivery *letter)
{
    struct replayer *replayer = &world->replayer;
    struct truth_place place;
    if (!truth_holds(&world->truth, letter->body, &place) || replayer->given_count == LETTERS_SEEN_MAX)
        return;
    replayer->given[replayer->given_count++] =
        (struct letter_given){.place = place,
                              .body = fingerprint(letter->body),
                              .properties = fingerprint(letter->properties),
                              .replays = replays_of(letter->properties)};
}

/* Whether the run wrote an entry of the kind about the id, and has not ended it. */
static bool is_journalled(const struct world *world, enum intervention_kind kind, uint32_t id)
{
    const struct replayer *replayer = &world->replayer;
    for (size_t i = fake_ledger_intervention_count(world->ledger); i > replayer->entries_at_start; i--) {
        const struct intervention *entry = fake_ledger_intervention(world->ledger, i - 1);
        if (entry->kind != kind || truth_number(entry->message_id, 'i') != id) continue;
        if (entry->state == INTERVENTION_BEGUN) return true;
    }
    return false;
}

static void check_journal(struct world *world, struct truth_place place, bool edited)
{
    size_t count;
    const struct truth_item *items = truth_items(&world->truth, place, &count);
    if (world->ledger_restores != world->replayer.restores_at_start) return;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = items[i].id;
        if (id == TRUTH_NONE) continue;
        bool told = is_journalled(world, INTERVENTION_REPLAY, id) &&
                    (!edited || is_journalled(world, INTERVENTION_EDIT, id));
        if (!told)
            world_violate(world, "journalled-before-replayed", "i%" PRIu32 " goes back and no entry says so",
                          id);
    }
}

/* The letter that a publication repeats; NULL, and a violation, where it repeats none. */
static const struct letter_given *letter_of(struct world *world, const struct publication *publication,
                                            struct truth_place place, int64_t replays)
{
    const struct replayer *replayer = &world->replayer;
    const struct letter_given *like = NULL;
    uint64_t body = fingerprint(publication->body), properties = fingerprint(publication->properties);
    for (size_t i = 0; i < replayer->given_count; i++) {
        const struct letter_given *given = &replayer->given[i];
        bool same = is_same(given->place, place) && given->properties == properties &&
                    (given->body == body || replayer->wish.edits);
        if (!same) continue;
        like = given;
        if (given->replays == replays - 1) return given;
    }
    if (like == NULL)
        world_violate(world, "replayed-as-it-was", "message %" PRIu32 " goes back as no letter was",
                      place.message);
    else
        world_violate(world, "replays-are-counted",
                      "message %" PRIu32 " was replayed %" PRId64 " times, and now %" PRId64, place.message,
                      like->replays, replays);
    return NULL;
}

/* All that the canary asked for has settled, in so far as the ledger tells. */
static void check_canary(struct world *world)
{
    const struct replayer *replayer = &world->replayer;
    if (replayer->wish.canary == 0 || replayer->publish_calls <= 1) return;
    if (world->ledger_restores != replayer->restores_at_start) return;
    size_t canary = 0; /* the first call that the broker took something of */
    for (size_t i = 0; i < replayer->sent_count; i++) {
        const struct letter_sent *sent = &replayer->sent[i];
        if (canary == 0 && sent->outcome == PUBLICATION_CONFIRMED) canary = sent->call;
        if (sent->call != canary || sent->outcome != PUBLICATION_CONFIRMED) continue;
        size_t count;
        const struct truth_item *items = truth_items(&world->truth, sent->place, &count);
        for (size_t k = 0; k < count; k++) {
            uint32_t id = items[k].id;
            uint32_t row = id == TRUTH_NONE ? TRUTH_NONE : world->truth.ids[id].row;
            if (row == TRUTH_NONE || world->truth.rows[row].state != DEDUCTION_SETTLED)
                world_violate(world, "canary-first", "more goes back, and the canary's i%d has not settled",
                              (int)id);
        }
    }
}

/* The edited form is what the letter says from now on, as far as ledger and Redis are concerned. */
static void note_edit(struct world *world, struct truth_place place, struct text body)
{
    size_t count;
    struct truth_item *item = truth_items(&world->truth, place, &count);
    if (count != 1 || item->id == TRUTH_NONE || item->fault == PARK_NONE) {
        world_violate(world, "edited-where-unreadable", "message %" PRIu32 " is edited", place.message);
        return;
    }
    item->edited = true;
    item->edited_body = fingerprint(body);
    if (item->fault == PARK_INVALID_BUDGET_ID) item->budget = truth_number(TEXT_LITERAL(EDIT_BUDGET), 'b');
    if (item->fault == PARK_INVALID_AMOUNT) item->amount = EDIT_AMOUNT[0] - '0';
    const struct truth_sale *pending = truth_pending(&world->truth, item->id, item->budget);
    const struct replayer *replayer = &world->replayer;
    bool is_known = pending != NULL && pending->token < replayer->asked_us &&
                    world->swarm.weights[ACTION_REDIS_CLOCK] == 0 &&
                    world->upsets == replayer->upsets_at_start;
    if (is_known && (pending->amount != item->amount || (item->token != 0 && pending->token != item->token)))
        world_violate(world, "edits-agree-with-redis", "i%" PRIu32 " is edited to what Redis did not deduct",
                      item->id);
    const struct truth_sale *sale = truth_sale_find(&world->truth, item->id, item->budget, item->token);
    if (sale != NULL && sale->amount == item->amount) return;
    world->truth.ids[item->id].tainted = true; /* nobody deducted it so */
    world->truth.budgets[item->budget].tampered = true;
    world->upsets++;
}

static bool is_given_so(const struct replayer *replayer, struct truth_place place, struct text body)
{
    uint64_t sum = fingerprint(body);
    for (size_t i = 0; i < replayer->given_count; i++)
        if (is_same(replayer->given[i].place, place) && replayer->given[i].body == sum) return true;
    return false;
}

static void check_goes(struct world *world, const struct publication *publication)
{
    struct replayer *replayer = &world->replayer;
    struct truth_place place;
    int64_t replays = 0;
    for (size_t i = 0; i < publication->header_count; i++)
        if (strcmp(publication->headers[i].name, "x-bursar-replays") == 0)
            replays = publication->headers[i].number;
    if (!truth_holds(&world->truth, publication->body, &place)) {
        world_violate(world, "replayed-as-it-was", "a replay publishes what nobody published");
        return;
    }
    bool edited = !is_given_so(replayer, place, publication->body);
    if (letter_of(world, publication, place, replays) == NULL) return;
    check_journal(world, place, edited);
    if (edited) note_edit(world, place, publication->body);
    if (replays > replayer->wish.max_replays)
        world_violate(world, "max-replays",
                      "message %" PRIu32 " is replayed for the %" PRId64 "th time, %" PRId64 " are allowed",
                      place.message, replays, replayer->wish.max_replays);
    if (replayer->sent_count == LETTERS_SEEN_MAX) return;
    replayer->sent[replayer->sent_count++] =
        (struct letter_sent){.place = place, .call = replayer->publish_calls};
}

void check_letters_go(struct world *world, const struct publication *publications, size_t count)
{
    struct replayer *replayer = &world->replayer;
    check_ledger(world);
    replayer->publish_calls++;
    if (replayer->wish.discards || replayer->wish.dry_run)
        world_violate(world, "only-a-replay-publishes", "what only looks, or discards, publishes");
    if (!fake_ledger_is_locked(world->ledger, LEDGER_LOCK_DEAD_LETTERS))
        world_violate(world, "one-run-at-a-time", "a replay works without the lock");
    check_canary(world);
    for (size_t i = 0; i < count && !world->violation.found; i++) check_goes(world, &publications[i]);
}

void check_letters_gone(struct world *world, const struct publication *publications, size_t count)
{
    struct replayer *replayer = &world->replayer;
    size_t first = replayer->sent_count;
    while (first > 0 && replayer->sent[first - 1].call == replayer->publish_calls) first--;
    for (size_t i = 0; i < count && first + i < replayer->sent_count; i++)
        replayer->sent[first + i].outcome = publications[i].outcome;
    int64_t confirmed = 0, before = 0, at_once = 0;
    for (size_t i = 0; i < replayer->sent_count; i++) {
        bool is_confirmed = replayer->sent[i].outcome == PUBLICATION_CONFIRMED;
        confirmed += is_confirmed;
        before += is_confirmed && i < first;
        at_once += i >= first;
    }
    if (replayer->wish.limit != 0 && confirmed > replayer->wish.limit)
        world_violate(world, "limit", "%" PRId64 " letters go back", confirmed);
    if (replayer->wish.canary != 0 && before == 0 && confirmed > 0 && at_once > replayer->wish.canary)
        world_violate(world, "canary-first", "%" PRId64 " letters are the canary", at_once);
}

static void check_replayed(struct world *world, struct truth_place place)
{
    struct replayer *replayer = &world->replayer;
    for (size_t i = 0; i < replayer->sent_count; i++) {
        struct letter_sent *sent = &replayer->sent[i];
        bool confirmed = is_same(sent->place, place) && sent->outcome == PUBLICATION_CONFIRMED;
        if (!confirmed || sent->acknowledged) continue;
        sent->acknowledged = true;
        return;
    }
    world_violate(world, "acknowledged-when-confirmed",
                  "the letter of message %" PRIu32 " is acknowledged, and no copy of it was confirmed",
                  place.message);
}

static void check_discarded(struct world *world, struct truth_place place)
{
    size_t count;
    struct truth_item *items = truth_items(&world->truth, place, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = items[i].id;
        items[i].discarded = true;
        if (id == TRUTH_NONE || world->truth.ids[id].row != TRUTH_NONE || world->truth.ids[id].row_lost)
            continue;
        world_violate(world, "discarded-when-decided",
                      "the letter of i%" PRIu32 " is acknowledged, and the ledger knows nothing of the id",
                      id);
    }
}

void check_letter_acknowledged(struct world *world, const struct delivery *letter)
{
    const struct replayer *replayer = &world->replayer;
    struct truth_place place;
    check_ledger(world);
    if (!truth_holds(&world->truth, letter->body, &place)) return;
    if (!replayer->stepping || replayer->wish.dry_run) {
        world_violate(world, "letters-stay",
                      "the letter of message %" PRIu32 " is acknowledged by who only looks", place.message);
        return;
    }
    if (replayer->wish.discards)
        check_discarded(world, place);
    else
        check_replayed(world, place);
}

static bool was_given(const struct world *world, uint32_t id)
{
    const struct replayer *replayer = &world->replayer;
    for (size_t i = 0; i < replayer->given_count; i++) {
        size_t count;
        struct truth *truth = (struct truth *)&world->truth;
        const struct truth_item *items = truth_items(truth, replayer->given[i].place, &count);
        for (size_t k = 0; k < count; k++)
            if (items[k].id == id) return true;
        if (truth->messages[replayer->given[i].place.message].property_id == id) return true;
    }
    return false;
}

/* Whether a letter of the id says this token; 0: or none that can be read. */
static bool was_given_with(const struct world *world, uint32_t id, int64_t token)
{
    const struct replayer *replayer = &world->replayer;
    for (size_t i = 0; i < replayer->given_count; i++) {
        size_t count;
        struct truth *truth = (struct truth *)&world->truth;
        const struct truth_item *items = truth_items(truth, replayer->given[i].place, &count);
        for (size_t k = 0; k < count; k++)
            if (items[k].id == id && items[k].token == token) return true;
    }
    return false;
}

/* What Redis held when the discard asked is owed, to the letters that say its token or none; what came later
 * is another purchase. */
void check_row_of_discard(struct world *world, const struct truth_row *row)
{
    const struct replayer *replayer = &world->replayer;
    if (!replayer->wish.discards || replayer->wish.dry_run || row->state != DEDUCTION_VOIDED ||
        row->reason != REASON_DISCARDED || !was_given(world, row->id)) {
        world_violate(world, "row-asked-for", "the handling of dead letters books i%" PRIu32, row->id);
        return;
    }
    const struct truth_sale *sale = truth_pending(&world->truth, row->id, row->budget);
    bool is_known = sale != NULL && sale->token < replayer->asked_us &&
                    world->swarm.weights[ACTION_REDIS_CLOCK] == 0 &&
                    world->upsets == replayer->upsets_at_start;
    if (!is_known) return;
    bool is_its_own = was_given_with(world, row->id, sale->token) || was_given_with(world, row->id, 0);
    bool owes = row->refund == REFUND_DUE && row->token == sale->token && row->amount == sale->amount;
    bool is_of_another = row->refund == REFUND_DONE && row->token != 0 && row->token != sale->token &&
                         was_given_with(world, row->id, row->token);
    if (owes && !is_its_own)
        world_violate(world, "discarded-is-refunded",
                      "i%" PRIu32 " of b%" PRIu32 " is discarded, and what is owed was taken for another one",
                      row->id, row->budget);
    if (!owes && !is_of_another)
        world_violate(world, "discarded-is-refunded",
                      "i%" PRIu32 " of b%" PRIu32 " is discarded, and what Redis took for it is not owed",
                      row->id, row->budget);
}

void check_change_of_letters(struct world *world, const struct fake_stock_change *change)
{
    uint32_t id = truth_number(change->id, 'i');
    bool gives_back = change->kind == FAKE_STOCK_RELEASED || change->kind == FAKE_STOCK_REFUNDED;
    if (!world->replayer.wish.discards || world->replayer.wish.dry_run || !gives_back) {
        world_violate(world, "letters-change-no-stock",
                      "the handling of dead letters changes i%" PRIu32 " in Redis", id);
        return;
    }
    uint32_t at = id >= world->truth.id_count ? TRUTH_NONE : world->truth.ids[id].row;
    const struct truth_row *row = at == TRUTH_NONE ? NULL : &world->truth.rows[at];
    bool owed = row != NULL && row->state == DEDUCTION_VOIDED && row->reason == REASON_DISCARDED;
    if (!owed && !is_journalled(world, INTERVENTION_DISCARD, id) &&
        world->ledger_restores == world->replayer.restores_at_start)
        world_violate(world, "discards-are-journalled", "i%" PRIu32 " is given back, and nothing says so",
                      id);
}
