/* What reconcile sees of the queues: one that shows nothing is asked itself, for without a leader it shows
 * nothing too. */
#include "reconcile/queue_look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define QUEUE        TEXT_LITERAL("queue")
#define DEAD_LETTERS TEXT_LITERAL("dead")

struct queue {
    int64_t messages, consumers;
    bool empty;
    bool answers; /* false: to being asked, not to being looked at */
};

struct broker {
    struct publisher base; /* first */
    struct queue queue, dead_letters;
    size_t asked;
};

static const struct queue *queue_of(const struct publisher *base, struct text name)
{
    const struct broker *broker = (const struct broker *)base;
    return text_equal(name, QUEUE) ? &broker->queue : &broker->dead_letters;
}

static enum status depth(struct publisher *base, struct text name, int64_t *messages, int64_t *consumers,
                         struct error *error)
{
    (void)error;
    *messages = queue_of(base, name)->messages;
    *consumers = queue_of(base, name)->consumers;
    return STATUS_OK;
}

static enum status is_empty(struct publisher *base, struct text name, bool *empty, struct error *error)
{
    ((struct broker *)base)->asked++;
    *empty = queue_of(base, name)->empty;
    return queue_of(base, name)->answers ? STATUS_OK : error_set(error, STATUS_RETRY, "no leader");
}

static const struct publisher_ops ops = {.depth = depth, .is_empty = is_empty};

static void test_each_look(void **state)
{
    (void)state;
    const struct queue away = {0, 0, true, false}, empty = {0, 0, true, true}, hidden = {0, 0, false, true},
                       full = {7, 0, false, false}, worked_on = {0, 1, false, false};
    const struct {
        const char *name;
        struct queue queue, dead_letters;
        enum status status;
        int64_t ready, letters;
        size_t asked;
    } cases[] = {
        {"nothing anywhere", empty, empty, STATUS_OK, 0, 0, 2},
        {"a backlog that does not show", hidden, empty, STATUS_OK, 1, 0, 2},
        {"letters that do not show", empty, hidden, STATUS_OK, 0, 1, 2},
        {"a queue without a leader", away, empty, STATUS_RETRY, 0, 0, 1},
        {"letters without a leader", empty, away, STATUS_RETRY, 0, 0, 2},
        {"a backlog", full, full, STATUS_OK, 7, 7, 0},
        {"a worker at its end", worked_on, full, STATUS_OK, 0, 7, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct broker broker = {{&ops}, cases[i].queue, cases[i].dead_letters, 0};
        struct queue_look look = {.held = 3, .nobody_tells = true};
        struct error error;
        enum status status = queue_look_at(&broker.base, QUEUE, DEAD_LETTERS, &look, &error);
        bool same =
            status == cases[i].status && broker.asked == cases[i].asked &&
            (status != STATUS_OK || (look.ready == cases[i].ready && look.dead_letters == cases[i].letters &&
                                     look.held == -1 && !look.nobody_tells));
        if (!same) fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_look)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
