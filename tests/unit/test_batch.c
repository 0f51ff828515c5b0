/* A batch finds the budget and the first namesake of each item, whatever the ids look like and however often
 * it grows. */
#include "core/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct batch_item *append(struct batch *batch, const char *message_id, const char *budget_id,
                                 int64_t amount)
{
    struct deduction deduction = {
        .message_id = arena_copy(&batch->arena, text_of(message_id)),
        .budget_id = arena_copy(&batch->arena, text_of(budget_id)),
        .amount = amount,
        .deducted_at_us = 1,
    };
    return batch_append(batch, &deduction, NULL, TEXT_NONE);
}

static void an_item_knows_its_budget_and_its_first_namesake(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 8);
    append(&batch, "m1", "a", 1);
    append(&batch, "m2", "b", 2);
    append(&batch, "m1", "b", 3);
    append(&batch, "m3", "a", 4);
    append(&batch, "m1", "a", 5);

    const uint32_t namesakes[] = {0, 1, 0, 3, 0}, budgets[] = {0, 1, 1, 0, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(batch.items[i].first_same_id, namesakes[i]);
        assert_int_equal(batch.items[i].budget, budgets[i]);
        assert_int_equal(batch.items[i].deduction.amount, i + 1);
        assert_int_equal(batch.items[i].verdict, VERDICT_NONE);
        assert_false(batch.items[i].known.found);
    }
    assert_int_equal(batch.budget_count, 2);
    assert_true(text_equal_string(batch.budgets[1].id, "b"));
    batch_free(&batch);
}

static void ids_are_compared_byte_by_byte(void **state)
{
    (void)state;
    static const char *const ids[] = {"a",
                                      "A",
                                      "aa",
                                      "aaaaaaaa",
                                      "aaaaaaaaa",
                                      "aaaaaaaaaaaaaaaa",
                                      "aaaaaaaaaaaaaaaaa",
                                      "aaaaaaaaaaaaaaaab",
                                      "baaaaaaaaaaaaaaaa",
                                      "aaaaaaaabaaaaaaaa"};
    size_t count = sizeof ids / sizeof ids[0];
    struct batch batch;
    batch_init(&batch, 4);
    for (size_t i = 0; i < count; i++) append(&batch, ids[i], ids[i], 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(batch.items[i].first_same_id, i);
        assert_int_equal(batch.items[i].budget, i);
        assert_int_equal(append(&batch, ids[i], ids[i], 1)->first_same_id, i);
    }
    batch_free(&batch);
}

/* The nth of a family of ids that share long beginnings and ends. */
static const char *family_id(size_t number, char text[32])
{
    snprintf(text, 32, "order-%09zu-of-the-day", number);
    return text;
}

static void growing_keeps_what_was_found(void **state)
{
    (void)state;
    struct batch batch;
    char id[32], budget[32];
    batch_init(&batch, 1);
    for (size_t i = 0; i < 20000; i++) {
        snprintf(budget, sizeof budget, "budget:%zu", i % 3000);
        append(&batch, family_id(i % 7000, id), budget, 1);
    }
    assert_int_equal(batch.count, 20000);
    assert_int_equal(batch.budget_count, 3000);
    for (size_t i = 0; i < batch.count; i++) {
        assert_int_equal(batch.items[i].first_same_id, i % 7000);
        assert_int_equal(batch.items[i].budget, i % 3000);
        assert_true(text_equal_string(batch.items[i].deduction.message_id, family_id(i % 7000, id)));
    }
    batch_free(&batch);
}

static void a_reset_batch_is_empty_and_keeps_its_room(void **state)
{
    (void)state;
    struct batch batch;
    char id[32];
    batch_init(&batch, 1000);
    const struct batch_item *items = batch.items;
    const uint32_t *slots = batch.id_slots;
    for (size_t round = 0; round < 200; round++) {
        /* From a single item to a full batch: both ways of emptying the slots. */
        size_t count = round % 2 == 0 ? 1 + round / 4 : 1000 - round;
        for (size_t i = 0; i < count; i++) {
            struct batch_item *item =
                append(&batch, family_id(i * 7 + round, id), i % 2 == 0 ? "even" : "odd", 1);
            assert_int_equal(item->first_same_id, i);
        }
        assert_int_equal(batch.budget_count, count == 1 ? 1 : 2);
        batch_reset(&batch);
        assert_int_equal(batch.count, 0);
        for (size_t i = 0; i < batch.id_slot_count; i++) assert_int_equal(batch.id_slots[i], 0);
        for (size_t i = 0; i < batch.budget_slot_count; i++) assert_int_equal(batch.budget_slots[i], 0);
    }
    assert_ptr_equal(batch.items, items);
    assert_ptr_equal(batch.id_slots, slots);
    batch_free(&batch);
}

/* Families of ids whose difference lies at the beginning, in the middle, at the end, or is all there is. */
static const char *const families[] = {"#-0123456789abcdef0123456789abcdef",
                                       "0123456789abcdef-#-0123456789abcdef",
                                       "0123456789abcdef0123456789abcdef-#", "0123456789ab#", "#"};

/* Puts the number, with seven digits, where the family has its '#'. */
static void id_print(const char *family, size_t number, char id[64])
{
    int before = (int)strcspn(family, "#");
    snprintf(id, 64, "%.*s%07zu%s", before, family, number, family + before + 1);
}

static void hashes_spread(void **state)
{
    (void)state;
    enum { IDS = 16384, BUCKETS = 1024 };
    struct batch batch;
    char id[64];
    batch_init(&batch, IDS);
    for (size_t family = 0; family < sizeof families / sizeof families[0]; family++) {
        uint32_t low[BUCKETS] = {0}, high[BUCKETS] = {0};
        batch_reset(&batch);
        for (size_t i = 0; i < IDS; i++) {
            id_print(families[family], i, id);
            uint64_t hash = append(&batch, id, "b", 1)->hash;
            low[hash % BUCKETS]++;
            high[hash >> 54]++;
        }
        /* Sixteen each on average; a good hash passes 60 once in ten thousand million runs. */
        for (size_t i = 0; i < BUCKETS; i++) assert_true(low[i] <= 60 && high[i] <= 60);
    }
    batch_free(&batch);
}

/* Whoever knew the seed could make ids collide: each begins with the word that makes the first product zero.
 */
static void ids_with_one_hash_are_told_apart(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 8);
    memcpy(&batch.hash_seed[1], "collides", sizeof batch.hash_seed[1]);
    append(&batch, "collides-1", "collides-a", 1);
    append(&batch, "collides-2", "collides-b", 1);
    append(&batch, "collides-1", "collides-b", 1);
    assert_int_equal(batch.items[0].hash, batch.items[1].hash);
    assert_int_equal(batch.budgets[0].hash, batch.budgets[1].hash);
    assert_int_equal(batch.budget_count, 2);
    const uint32_t namesakes[] = {0, 1, 0}, budgets[] = {0, 1, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(batch.items[i].first_same_id, namesakes[i]);
        assert_int_equal(batch.items[i].budget, budgets[i]);
    }
    batch_free(&batch);
}

static void a_lookup_is_needed_unless_the_range_answers(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 8);
    append(&batch, "m1", "a", 1);
    append(&batch, "m1", "a", 1);
    append(&batch, "m2", "a", 1);
    assert_true(batch_item_needs_lookup(&batch, 0, 0));
    assert_false(batch_item_needs_lookup(&batch, 1, 0));
    assert_true(batch_item_needs_lookup(&batch, 1, 1));
    assert_true(batch_item_needs_lookup(&batch, 2, 0));
    batch.items[0].known.found = true;
    assert_true(batch_item_needs_lookup(&batch, 1, 0));
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_knows_its_budget_and_its_first_namesake),
        cmocka_unit_test(ids_are_compared_byte_by_byte),
        cmocka_unit_test(growing_keeps_what_was_found),
        cmocka_unit_test(a_reset_batch_is_empty_and_keeps_its_room),
        cmocka_unit_test(hashes_spread),
        cmocka_unit_test(ids_with_one_hash_are_told_apart),
        cmocka_unit_test(a_lookup_is_needed_unless_the_range_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
