#include "deadletter/replay_private.h"

#include <inttypes.h>

/* What the protocol carries. A header may hold more, and then no name of an exchange or key. */
#define NAME_SIZE_MAX 255

void replay_leave(struct replay *replay, size_t index, enum letter_fate fate, const char *detail)
{
    replay->items[index].left = true;
    replay->items[index].fate = fate;
    replay->items[index].detail = detail;
}

static bool find_route(struct replay *replay, size_t index)
{
    const struct letter *letter = &replay->chunk.letters[index];
    struct replay_item *item = &replay->items[index];
    const struct replay_options *options = &replay->options;
    bool told = text_is_present(options->to_routing_key);
    item->exchange = told ? options->to_exchange : letter->exchange;
    item->routing_key = told ? options->to_routing_key : letter->routing_key;
    bool known = text_is_present(item->exchange) && text_is_present(item->routing_key);
    if (known && item->exchange.size <= NAME_SIZE_MAX && item->routing_key.size <= NAME_SIZE_MAX) return true;
    replay_leave(replay, index, FATE_NO_ROUTE,
                 "its headers do not say where it came from; say where to with --to EXCHANGE:KEY");
    return false;
}

static bool edit(struct replay *replay, size_t index)
{
    const struct letter_edit *wanted = &replay->options.edit;
    struct replay_item *item = &replay->items[index];
    struct arena *arena = &replay->chunk.arena;
    if (!text_is_present(wanted->amount) && !text_is_present(wanted->budget_id)) return true;
    struct letter_edited *edited = arena_alloc(arena, sizeof *edited);
    letter_edit_apply(wanted, &replay->chunk.letters[index], arena, edited);
    if (edited->why_not != NULL) {
        replay_leave(replay, index, FATE_NOT_EDITED, edited->why_not);
        return false;
    }
    item->edited = edited;
    item->body = edited->body;
    item->message = &edited->message;
    return true;
}

void replay_judge(struct replay *replay)
{
    for (size_t i = 0; i < replay->chunk.count; i++) {
        const struct letter *letter = &replay->chunk.letters[i];
        replay->items[i] =
            (struct replay_item){.fate = FATE_COUNT, .body = letter->body, .message = &letter->message};
        if (letter->origin.replays >= replay->options.max_replays) {
            replay_leave(replay, i, FATE_TOO_OFTEN,
                         arena_format(&replay->chunk.arena,
                                      "it was replayed %" PRId64 " times already; see --max-replays",
                                      letter->origin.replays));
            continue;
        }
        if (find_route(replay, i)) (void)edit(replay, i);
    }
}

enum status replay_check_edits(struct replay *replay, struct error *error)
{
    struct arena *arena = &replay->chunk.arena;
    struct stock_query *queries = arena_alloc(arena, replay->chunk.count * sizeof *queries);
    size_t *indexes = arena_alloc(arena, replay->chunk.count * sizeof *indexes);
    size_t count = 0;
    for (size_t i = 0; i < replay->chunk.count; i++) {
        const struct replay_item *item = &replay->items[i];
        if (item->left || item->edited == NULL) continue;
        const struct deduction *deduction = &item->message->items[0].deduction;
        indexes[count] = i;
        queries[count++] = (struct stock_query){
            .budget_id = deduction->budget_id, .message_id = deduction->message_id, .status = STATUS_RETRY};
    }
    enum status status = count == 0 ? STATUS_OK : stock_query(replay->ports->stock, queries, count, error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    for (size_t i = 0; i < count; i++) {
        const char *why = queries[i].status != STATUS_OK
                              ? arena_format(arena, "Redis does not say what it deducted: %s", error->text)
                              : letter_edit_disagrees(replay->items[indexes[i]].edited, &queries[i], arena);
        if (why != NULL) replay_leave(replay, indexes[i], FATE_NOT_EDITED, why);
    }
    return STATUS_OK;
}

static size_t item_count(const struct replay_item *item)
{
    return item->message->reason == PARK_NONE ? item->message->count : 1;
}

static void add_entry(struct replay *replay, size_t index, const struct intervention *entry)
{
    replay->entry_items[replay->entry_count] = index;
    replay->entries[replay->entry_count] = *entry;
    replay->entries[replay->entry_count++].actor = replay->ports->actor;
}

static void add_edits(struct replay *replay, size_t index)
{
    const struct letter_edited *edited = replay->items[index].edited;
    for (size_t i = 0; edited != NULL && i < edited->change_count; i++) {
        const struct letter_change *change = &edited->changes[i];
        add_entry(replay, index,
                  &(struct intervention){.kind = INTERVENTION_EDIT,
                                         .budget_id = edited->message.items[0].deduction.budget_id,
                                         .message_id = edited->message.items[0].deduction.message_id,
                                         .subject = text_of(change->key),
                                         .before = change->before,
                                         .after = change->after});
    }
}

void replay_prepare_entries(struct replay *replay)
{
    struct arena *arena = &replay->chunk.arena;
    size_t capacity = replay->chunk.items + replay->chunk.count * LETTER_CHANGES_MAX;
    replay->entries = arena_alloc(arena, capacity * sizeof *replay->entries);
    replay->entry_items = arena_alloc(arena, capacity * sizeof *replay->entry_items);
    replay->entry_count = 0;
    for (size_t i = 0; i < replay->chunk.count; i++) {
        const struct replay_item *item = &replay->items[i];
        if (item->left) continue;
        bool readable = item->message->reason == PARK_NONE;
        add_edits(replay, i);
        for (size_t k = 0; k < item_count(item); k++) {
            const struct message_item *each = readable ? &item->message->items[k] : NULL;
            add_entry(replay, i,
                      &(struct intervention){
                          .kind = INTERVENTION_REPLAY,
                          .budget_id =
                              readable && each->reason == PARK_NONE ? each->deduction.budget_id : TEXT_NONE,
                          .message_id = readable ? each->deduction.message_id : item->message->message_id,
                          .subject = TEXT_LITERAL("reason"),
                          .before = replay->chunk.letters[i].reason});
        }
    }
}
