#include "fake/fake_properties.h"

#include "base/memory.h"

#include <stdint.h>

static void append_number(struct buffer *out, uint64_t number, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;)
        buffer_append(out, (struct text){(char[]){(char)(number >> (8 * i))}, 1});
}

static void append_string(struct buffer *out, struct text string)
{
    buffer_append_string(out, "S");
    append_number(out, string.size, 4);
    buffer_append(out, string);
}

static void append_entry(struct buffer *out, const char *name, struct text string)
{
    append_number(out, strlen(name), 1);
    buffer_append_string(out, name);
    append_string(out, string);
}

static struct text text_of_buffer(const struct buffer *buffer)
{
    return (struct text){buffer->data == NULL ? "" : buffer->data, buffer->size};
}

/* One element of x-death, its kind byte first. */
static void append_death(const struct fake_death *death, struct buffer *out)
{
    struct buffer table = {0}, keys = {0};
    append_string(&keys, death->routing_key);
    append_number(&table, strlen("count"), 1);
    buffer_append_string(&table, "countl");
    append_number(&table, 1, 8);
    append_entry(&table, "reason", text_of(death->reason));
    append_entry(&table, "queue", text_of(death->queue));
    append_entry(&table, "exchange", death->exchange);
    append_number(&table, strlen("routing-keys"), 1);
    buffer_append_string(&table, "routing-keysA");
    append_number(&table, keys.size, 4);
    buffer_append(&table, text_of_buffer(&keys));
    buffer_append_string(out, "F");
    append_number(out, table.size, 4);
    buffer_append(out, text_of_buffer(&table));
    buffer_free(&table);
    buffer_free(&keys);
}

void fake_properties_add_death(const struct fake_death *death, struct text properties, struct buffer *out)
{
    static const char *const first[] = {"x-first-death-reason", "x-first-death-queue",
                                        "x-first-death-exchange"};
    const struct text values[] = {text_of(death->reason), text_of(death->queue), death->exchange};
    struct buffer deaths = {0}, headers = {0};
    struct text old = fake_properties_header(properties, "x-death");
    append_death(death, &deaths);
    if (old.size > 5 && old.data[0] == 'A') buffer_append(&deaths, (struct text){old.data + 5, old.size - 5});
    append_number(&headers, strlen("x-death"), 1);
    buffer_append_string(&headers, "x-deathA");
    append_number(&headers, deaths.size, 4);
    buffer_append(&headers, text_of_buffer(&deaths));
    for (size_t i = 0; i < 3; i++)
        if (!text_is_present(fake_properties_header(properties, first[i])))
            append_entry(&headers, first[i], values[i]);
    fake_properties_put_headers(properties, "x-death", text_of_buffer(&headers), out);
    buffer_free(&deaths);
    buffer_free(&headers);
}

static struct text string_of(struct text value)
{
    return value.size >= 5 && value.data[0] == 'S' ? (struct text){value.data + 5, value.size - 5}
                                                   : TEXT_NONE;
}

/* A whole number above 0; 0 for anything else. */
static int64_t number_of(struct text value)
{
    int64_t number = 0;
    if (value.size != 9 || (value.data[0] != 'l' && value.data[0] != 'T')) return 0;
    for (size_t i = 1; i < 9; i++)
        number = (int64_t)((uint64_t)number << 8 | (uint64_t)(unsigned char)value.data[i]);
    return number > 0 ? number : 0;
}

static struct text member(struct text table, const char *wanted)
{
    struct text name, value;
    while (fake_table_next(&table, &name, &value))
        if (text_equal_string(name, wanted)) return value;
    return TEXT_NONE;
}

static void read_deaths(struct text array, struct text properties, struct letter_origin *origin)
{
    if (array.size < 5 || array.data[0] != 'A') return;
    struct text rest = {array.data + 5, array.size - 5}, first = TEXT_NONE;
    struct text queue = string_of(fake_properties_header(properties, "x-first-death-queue"));
    struct text reason = string_of(fake_properties_header(properties, "x-first-death-reason"));
    size_t seen = 0;
    for (struct text element; seen++ < 64 && text_is_present(element = fake_array_next(&rest));) {
        struct text table = fake_table_content(element);
        if (!text_is_present(table)) continue;
        if (!text_is_present(first)) {
            origin->death_reason = string_of(member(table, "reason"));
            origin->death_queue = string_of(member(table, "queue"));
            int64_t seconds = number_of(member(table, "time"));
            origin->died_at_us = seconds > INT64_MAX / 1000000 ? 0 : seconds * 1000000;
        }
        first = table;
        if (text_is_present(queue) && text_equal(string_of(member(table, "queue")), queue) &&
            text_equal(string_of(member(table, "reason")), reason))
            break;
    }
    origin->first_exchange = string_of(member(first, "exchange"));
    struct text keys = member(first, "routing-keys");
    if (keys.size < 5 || keys.data[0] != 'A') return;
    rest = (struct text){keys.data + 5, keys.size - 5};
    origin->first_routing_key = string_of(fake_array_next(&rest));
}

void fake_properties_origin(struct text properties, struct letter_origin *origin)
{
    *origin = (struct letter_origin){
        .reason = string_of(fake_properties_header(properties, "x-bursar-reason")),
        .detail = string_of(fake_properties_header(properties, "x-bursar-detail")),
        .parked_at = string_of(fake_properties_header(properties, "x-bursar-parked-at")),
        .exchange = string_of(fake_properties_header(properties, "x-bursar-exchange")),
        .routing_key = string_of(fake_properties_header(properties, "x-bursar-routing-key")),
        .replays = number_of(fake_properties_header(properties, "x-bursar-replays")),
        .returns = number_of(fake_properties_header(properties, "x-delivery-count")),
    };
    read_deaths(fake_properties_header(properties, "x-death"), properties, origin);
}
