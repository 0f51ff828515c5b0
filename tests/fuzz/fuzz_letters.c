/* Dead letters: any properties and any body. What is read of the headers is what another reading of them has,
 * what is shown and saved comes back byte for byte, and an edit changes one field. */
#include "amqp/origin.h"
#include "base/memory.h"
#include "cli/letter_json.h"
#include "core/amount.h"
#include "deadletter/letter_body.h"
#include "deadletter/letter_edit.h"
#include "deadletter/letter_filter.h"
#include "fake/fake_properties.h"
#include "fuzz/target.h"

static void origin_of(const struct consumer *consumer, struct text properties, struct letter_origin *origin)
{
    (void)consumer;
    amqp_letter_origin(properties, origin);
}

static const struct consumer_ops ops = {.origin = origin_of};
static const struct consumer consumer = {.ops = &ops};

static void hold_same(struct text a, struct text b)
{
    HOLDS(text_is_present(a) == text_is_present(b) && text_equal(a, b));
}

static void check_origin(struct text properties, const struct letter_origin *origin)
{
    struct letter_origin other;
    fake_properties_origin(properties, &other);
    hold_same(origin->reason, other.reason);
    hold_same(origin->detail, other.detail);
    hold_same(origin->parked_at, other.parked_at);
    hold_same(origin->exchange, other.exchange);
    hold_same(origin->routing_key, other.routing_key);
    hold_same(origin->death_reason, other.death_reason);
    hold_same(origin->death_queue, other.death_queue);
    hold_same(origin->first_exchange, other.first_exchange);
    hold_same(origin->first_routing_key, other.first_routing_key);
    HOLDS(origin->replays >= 0 && origin->returns >= 0 && origin->died_at_us >= 0);
    HOLDS(other.replays == 0 || other.replays == origin->replays);
}

static void check_saved(const struct letter *letter, struct arena *arena)
{
    struct letter_line line;
    char why[256];
    json_t *whole = letter_json_whole(letter);
    char *text = json_dumps(whole, 0);
    HOLDS(text != NULL);
    if (!letter_line_parse(text_of(text), arena, &line, why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    HOLDS(text_equal(line.body, letter->body) && text_equal(line.properties, letter->properties));
    HOLDS(line.replays == letter->origin.replays);
    free(text);
    json_decref(whole);
}

/* The mended body has the new value where the old one stood, and every other byte. */
static void check_edit(const struct letter *letter, struct arena *arena)
{
    const struct letter_edit edit = {.amount = TEXT_LITERAL("77"), .budget_id = TEXT_LITERAL("mended")};
    struct letter_edited edited;
    letter_edit_apply(&edit, letter, arena, &edited);
    if (edited.why_not != NULL) return;
    HOLDS(letter->message.reason != PARK_NONE && edited.message.reason == PARK_NONE &&
          edited.change_count > 0);
    const struct deduction *deduction = &edited.message.items[0].deduction;
    for (size_t i = 0; i < edited.change_count; i++) {
        const struct letter_change *change = &edited.changes[i];
        hold_same(letter_body_member(edited.body, change->key), change->after);
        if (strcmp(change->key, "amount") == 0) HOLDS(deduction->amount == 77);
        if (strcmp(change->key, "budget_id") == 0) HOLDS(text_equal_string(deduction->budget_id, "mended"));
    }
    if (edited.change_count > 1 || !text_is_present(edited.changes[0].before)) return;
    struct text back =
        letter_body_replace(edited.body, edited.changes[0].key, edited.changes[0].before, arena);
    HOLDS(text_equal(back, letter->body));
}

static void check_filters(struct letter *letter, struct arena *arena)
{
    const struct letter_filter none = {.id_count = 0};
    HOLDS(letter_filter_accepts(&none, letter, arena));
    const struct letter_filter own = {.reason = letter->reason, .match = letter->body};
    HOLDS(letter_filter_accepts(&own, letter, arena));
    for (size_t i = 0; i < letter_item_count(letter) && i < 4; i++) {
        struct text id = letter_item_id(letter, i);
        const struct letter_filter by_id = {.ids = &id, .id_count = 1};
        HOLDS(!text_is_present(id) || letter_filter_accepts(&by_id, letter, arena));
    }
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    message_decoder_install();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    if (size < 2) return 0;
    size_t split = (size_t)data[0] << 8 | data[1];
    if (split > size - 2) split = size - 2;
    struct delivery delivery = {.tag = 1,
                                .properties = {(const char *)data + 2, split},
                                .body = {(const char *)data + 2 + split, size - 2 - split}};
    delivery.message_id = fake_properties_message_id(delivery.properties);
    struct letter letter;
    letter_read(&consumer, &delivery, &letter);
    HOLDS(text_is_present(letter.reason));
    check_origin(delivery.properties, &letter.origin);
    letter_keep(&consumer, &letter, &arena);
    letter_decode(&letter, &arena);
    check_saved(&letter, &arena);
    check_edit(&letter, &arena);
    check_filters(&letter, &arena);
    arena_free(&arena);
    return 0;
}
