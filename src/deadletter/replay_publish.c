#include "deadletter/replay_private.h"

static void fill(struct replay *replay, size_t index, struct publication *publication)
{
    const struct letter *letter = &replay->chunk.letters[index];
    const struct replay_item *item = &replay->items[index];
    *publication = (struct publication){
        .exchange = item->exchange,
        .routing_key = item->routing_key,
        .properties = letter->properties,
        .body = item->body,
        .header_count = 1,
        .headers = {{.name = "x-bursar-replays", .number = letter->origin.replays + 1}},
    };
}

/* What the broker did not take stays. A full queue will not take the next ones either. */
static void take_outcome(struct replay *replay, size_t index, enum publication_outcome outcome)
{
    switch (outcome) {
    case PUBLICATION_CONFIRMED: break;
    case PUBLICATION_RETURNED:
        replay_leave(replay, index, FATE_UNROUTABLE,
                     arena_format(&replay->chunk.arena,
                                  "no queue is bound to exchange '" TEXT_FORMAT "' with key '" TEXT_FORMAT
                                  "'; say where to with --to EXCHANGE:KEY",
                                  TEXT_ARGUMENTS(replay->items[index].exchange),
                                  TEXT_ARGUMENTS(replay->items[index].routing_key)));
        break;
    case PUBLICATION_REFUSED:
        replay_leave(replay, index, FATE_REFUSED, "the broker refused it: its queue is full or failing");
        replay_stop(replay, "the broker refused messages: the queue they go to is full or failing");
        break;
    case PUBLICATION_NONE:
    case PUBLICATION_UNKNOWN: replay->items[index].left = true; break;
    }
}

/* What was sent and not answered may be in the queue: its entries stay begun. */
static void end_entries(struct replay *replay, const bool *unknown)
{
    for (size_t i = 0; i < replay->entry_count; i++) {
        size_t letter = replay->entry_items[i];
        if (unknown[letter]) continue;
        replay->entries[i].state = replay->items[letter].left ? INTERVENTION_ABANDONED : INTERVENTION_DONE;
    }
}

/* The letters that go to the same exchange as the first one that is not handed over yet; 0: there are none.
 */
static size_t next_group(struct replay *replay, bool *handed_over, size_t *indexes)
{
    size_t count = 0;
    for (size_t i = 0; i < replay->chunk.count; i++) {
        if (replay->items[i].left || handed_over[i]) continue;
        if (count > 0 && !text_equal(replay->items[i].exchange, replay->items[indexes[0]].exchange)) continue;
        handed_over[i] = true;
        indexes[count] = i;
        fill(replay, i, &replay->publications[count++]);
    }
    return count;
}

static void take_missing_exchange(struct replay *replay, const size_t *indexes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        replay_leave(replay, indexes[i], FATE_UNROUTABLE,
                     arena_format(&replay->chunk.arena,
                                  "there is no exchange '" TEXT_FORMAT
                                  "'; say where to with --to EXCHANGE:KEY",
                                  TEXT_ARGUMENTS(replay->items[indexes[i]].exchange)));
}

enum status replay_publish(struct replay *replay, struct error *error)
{
    size_t indexes[CHUNK_LETTERS_MAX], count;
    bool unknown[CHUNK_LETTERS_MAX] = {false}, handed_over[CHUNK_LETTERS_MAX] = {false};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (count = next_group(replay, handed_over, indexes)) > 0) {
        status = publisher_publish(replay->ports->publisher, replay->publications, count, error);
        if (status != STATUS_OK && publication_has_no_exchange(error)) {
            take_missing_exchange(replay, indexes, count);
            status = STATUS_OK;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            enum publication_outcome outcome = replay->publications[i].outcome;
            unknown[indexes[i]] = outcome == PUBLICATION_UNKNOWN;
            take_outcome(replay, indexes[i], outcome);
        }
    }
    /* Behind a failure nothing was sent. */
    for (size_t i = 0; i < replay->chunk.count; i++)
        if (!handed_over[i]) replay->items[i].left = true;
    end_entries(replay, unknown);
    return status;
}
