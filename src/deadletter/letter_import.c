#include "deadletter/letter_import.h"

#include "base/failpoint.h"
#include "core/message.h"

#include <assert.h>

struct importing {
    const struct dead_letter_ports *ports;
    struct import_letter *letters;
    size_t count;
    struct intervention *entries;
    size_t *entry_letters; /* which letter the entry belongs to */
    size_t entry_count;
};

static void plan_entries(struct importing *importing, struct arena *arena)
{
    struct message *messages = arena_alloc(arena, importing->count * sizeof *messages);
    size_t capacity = 0;
    for (size_t i = 0; i < importing->count; i++) {
        message_decode(importing->letters[i].body, importing->letters[i].property_id, arena, &messages[i]);
        capacity += messages[i].reason == PARK_NONE ? messages[i].count : 1;
    }
    importing->entries = arena_alloc(arena, capacity * sizeof *importing->entries);
    importing->entry_letters = arena_alloc(arena, capacity * sizeof *importing->entry_letters);
    for (size_t i = 0; i < importing->count; i++) {
        bool readable = messages[i].reason == PARK_NONE;
        for (size_t k = 0; k < (readable ? messages[i].count : 1); k++) {
            importing->entry_letters[importing->entry_count] = i;
            importing->entries[importing->entry_count++] = (struct intervention){
                .kind = INTERVENTION_IMPORT,
                .state = INTERVENTION_BEGUN,
                .actor = importing->ports->actor,
                .message_id = readable ? messages[i].items[k].deduction.message_id : messages[i].message_id,
                .subject = TEXT_LITERAL("reason"),
                .before = importing->letters[i].reason,
            };
        }
    }
}

static void add_header(struct publication *publication, const char *name, struct text value)
{
    if (!text_is_present(value)) return;
    assert(publication->header_count < PUBLICATION_HEADERS_MAX);
    publication->headers[publication->header_count++] =
        (struct publication_header){.name = name, .value = value, .unless_present = true};
}

static void fill(const struct import_letter *letter, struct publication *publication)
{
    *publication = (struct publication){
        .exchange = letter->exchange,
        .routing_key = letter->routing_key,
        .properties = letter->properties,
        .body = letter->body,
    };
    add_header(publication, "x-bursar-reason", letter->reason);
    add_header(publication, "x-bursar-detail", letter->detail);
    add_header(publication, "x-bursar-parked-at", letter->parked_at);
    add_header(publication, "x-bursar-exchange", letter->origin_exchange);
    add_header(publication, "x-bursar-routing-key", letter->origin_routing_key);
}

/* What was sent and not answered stays begun. */
static void end_entries(struct importing *importing)
{
    for (size_t i = 0; i < importing->entry_count; i++) {
        enum publication_outcome outcome = importing->letters[importing->entry_letters[i]].outcome;
        if (outcome == PUBLICATION_UNKNOWN) continue;
        importing->entries[i].state =
            outcome == PUBLICATION_CONFIRMED ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    }
}

enum status letter_import(const struct dead_letter_ports *ports, struct import_letter *letters, size_t count,
                          struct arena *arena, bool *no_exchange, struct error *error)
{
    assert(count <= IMPORT_LETTERS_MAX);
    struct importing importing = {.ports = ports, .letters = letters, .count = count};
    struct publication *publications = arena_alloc(arena, (count + 1) * sizeof *publications);
    for (size_t i = 0; i < count; i++) {
        letters[i].outcome = PUBLICATION_NONE;
        fill(&letters[i], &publications[i]);
    }
    *no_exchange = false;
    if (count == 0) return STATUS_OK;
    plan_entries(&importing, arena);
    enum status status =
        ledger_interventions_begin(ports->ledger, importing.entries, importing.entry_count, error);
    if (status != STATUS_OK) return status;
    FAILPOINT("import-journaled");
    status = publisher_publish(ports->publisher, publications, count, error);
    FAILPOINT("import-confirmed");
    *no_exchange = status != STATUS_OK && publication_has_no_exchange(error);
    if (*no_exchange) status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        bool returned = *no_exchange && publications[i].outcome != PUBLICATION_CONFIRMED;
        letters[i].outcome = returned ? PUBLICATION_RETURNED : publications[i].outcome;
    }
    end_entries(&importing);
    struct error second;
    enum status ended =
        ledger_interventions_end(ports->ledger, importing.entries, importing.entry_count, &second);
    if (status != STATUS_OK || ended == STATUS_OK) return status;
    return error_set(error, ended, "%s", second.text);
}
