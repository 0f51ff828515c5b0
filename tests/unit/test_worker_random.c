/* A thousand small histories of everything at once. The stage (fake/story.c) asserts at every effect what
 * must hold; in the end, with every service back, all must drain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/story.h"

static struct story story;
static uint64_t dice;

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % sides);
}

static void random_turn(void)
{
    static const enum status answers[] = {STATUS_OK, STATUS_OK, STATUS_OK, STATUS_RETRY, STATUS_UNKNOWN};
    switch (roll(14)) {
    case 0: story_disconnect(&story); break;
    case 1:
        if (story.consuming && roll(4) == 0) story_cancel(&story);
        break;
    case 2: story.ledger = answers[roll(5)]; break;
    case 3: story.stock = answers[roll(5)]; break;
    case 4: story.connect = roll(3) == 0 ? STATUS_RETRY : STATUS_OK; break;
    case 5: story.lose_commit_answer = true; break;
    case 6: story.refuse_confirms = roll(2) == 0; break;
    case 7: story_pass(&story, roll(400000)); break;
    case 8:
    case 9: story_deliver(&story); break;
    default: story_answer(&story, (enum hand)roll(HAND_COUNT)); break;
    }
}

static void random_histories_drain(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        dice = seed * 0x9E3779B97F4A7C15u;
        struct worker_settings settings = story_settings();
        settings.seed = seed;
        settings.prefetch = 1 + roll(60);
        settings.batch_max = 1 + roll(20);
        story_begin(&story, &settings);
        for (size_t i = 0; i < 120; i++)
            story_publish(&story, (enum story_content)(roll(3) == 0 ? roll(5) : 0));
        for (size_t i = 0; i < 400; i++) random_turn();
        story.ledger = story.stock = story.connect = STATUS_OK;
        story.refuse_confirms = false;
        if (!story_run(&story, 4000)) fail_msg("seed %llu does not drain", (unsigned long long)seed);
        story_end(&story);
    }
}

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_histories_drain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
