#include "sim/truth.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *rows, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return rows;
    *capacity = *capacity == 0 ? 128 : 2 * *capacity;
    return memory_resize(rows, *capacity, size);
}

void truth_free(struct truth *truth)
{
    free(truth->sales);
    free(truth->ids);
    free(truth->items);
    free(truth->messages);
    free(truth->rows);
}

bool truth_reason_has_id(enum park_reason reason)
{
    return reason == PARK_ID_CONFLICT || reason == PARK_UNPROCESSABLE || reason == PARK_INVALID_AMOUNT ||
           reason == PARK_INVALID_BUDGET_ID;
}

uint32_t truth_id_new(struct truth *truth)
{
    truth->ids = grow(truth->ids, truth->id_count, &truth->id_capacity, sizeof *truth->ids);
    truth->ids[truth->id_count] = (struct truth_id){.sale = TRUTH_NONE, .row = TRUTH_NONE};
    return (uint32_t)truth->id_count++;
}

uint32_t truth_sale_add(struct truth *truth, const struct truth_sale *sale)
{
    truth->sales = grow(truth->sales, truth->sale_count, &truth->sale_capacity, sizeof *truth->sales);
    struct truth_sale *added = &truth->sales[truth->sale_count];
    *added = *sale;
    added->before = truth->ids[sale->id].sale;
    return truth->ids[sale->id].sale = (uint32_t)truth->sale_count++;
}

uint32_t truth_message_add(struct truth *truth, enum park_reason fault)
{
    truth->messages =
        grow(truth->messages, truth->message_count, &truth->message_capacity, sizeof *truth->messages);
    truth->messages[truth->message_count] =
        (struct truth_message){.first_item = truth->item_count, .fault = fault, .property_id = TRUTH_NONE};
    return (uint32_t)truth->message_count++;
}

struct truth_item *truth_item_add(struct truth *truth, uint32_t message, const struct truth_item *item)
{
    struct truth_message *owner = &truth->messages[message];
    assert(owner->first_item + owner->item_count == truth->item_count && "items follow their message");
    truth->items = grow(truth->items, truth->item_count, &truth->item_capacity, sizeof *truth->items);
    truth->items[truth->item_count] = *item;
    owner->item_count++;
    return &truth->items[truth->item_count++];
}

struct truth_row *truth_row_add(struct truth *truth, const struct truth_row *row)
{
    truth->rows = grow(truth->rows, truth->row_count, &truth->row_capacity, sizeof *truth->rows);
    truth->ids[row->id].row = (uint32_t)truth->row_count;
    truth->rows[truth->row_count] = *row;
    return &truth->rows[truth->row_count++];
}

struct truth_sale *truth_sale_find(struct truth *truth, uint32_t id, uint32_t budget, int64_t token)
{
    for (uint32_t i = truth->ids[id].sale; i != TRUTH_NONE; i = truth->sales[i].before) {
        struct truth_sale *sale = &truth->sales[i];
        if (sale->budget == budget && sale->token == token) return sale;
    }
    return NULL;
}

struct truth_sale *truth_pending(struct truth *truth, uint32_t id, uint32_t budget)
{
    if (id >= truth->id_count) return NULL;
    for (uint32_t i = truth->ids[id].sale; i != TRUTH_NONE; i = truth->sales[i].before) {
        if (truth->sales[i].budget == budget && truth->sales[i].state == SALE_PENDING)
            return &truth->sales[i];
    }
    return NULL;
}

static uint32_t digits(const char *data, size_t size)
{
    uint32_t number = 0;
    size_t i = 0;
    for (; i < size && data[i] >= '0' && data[i] <= '9'; i++)
        number = number * 10 + (uint32_t)(data[i] - '0');
    return i == 0 ? TRUTH_NONE : number;
}

uint32_t truth_number(struct text name, char letter)
{
    if (name.size < 2 || name.data[0] != letter) return TRUTH_NONE;
    for (size_t i = 1; i < name.size; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') return TRUTH_NONE;
    }
    return digits(name.data + 1, name.size - 1);
}

/* Behind the mark stands "<message>.<item>" or "<message>". */
struct truth_place truth_place_of(struct text body)
{
    struct truth_place place = {TRUTH_NONE, TRUTH_NONE};
    const char *mark = memchr(body.data, '#', body.size);
    if (mark == NULL) return place;
    const char *end = body.data + body.size;
    place.message = digits(mark + 1, (size_t)(end - mark - 1));
    const char *dot = mark + 1;
    while (dot < end && *dot >= '0' && *dot <= '9') dot++;
    if (dot < end && *dot == '.') place.item = digits(dot + 1, (size_t)(end - dot - 1));
    return place;
}

bool truth_holds(const struct truth *truth, struct text body, struct truth_place *place)
{
    *place = truth_place_of(body);
    if (place->message >= truth->message_count) return false;
    const struct truth_message *message = &truth->messages[place->message];
    bool is_whole = message->fault != PARK_NONE || (message->is_batch && body.data[0] == '[');
    if (is_whole) place->item = TRUTH_NONE;
    return is_whole || place->item < message->item_count;
}

struct truth_item *truth_items(struct truth *truth, struct truth_place place, size_t *count)
{
    const struct truth_message *message = &truth->messages[place.message];
    *count = place.item == TRUTH_NONE ? message->item_count : 1;
    if (*count == 0) return NULL;
    return &truth->items[message->first_item + (place.item == TRUTH_NONE ? 0 : place.item)];
}

bool truth_has_letter(const struct truth *truth, uint32_t id)
{
    for (size_t i = 0; i < truth->item_count; i++) {
        if (truth->items[i].id == id && truth->items[i].letters > 0) return true;
    }
    return false;
}
