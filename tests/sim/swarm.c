#include "sim/swarm.h"

/* Histories with reconcile take longer, and the others must stay many. */
#define RECONCILE_PERMILLE 400
#define LETTERS_PERMILLE   200

const char *action_name(enum action action)
{
    static const char *const names[ACTION_COUNT] = {
        [ACTION_TURN] = "turn",
        [ACTION_JOB_RUN] = "job-run",
        [ACTION_JOB_DONE] = "job-done",
        [ACTION_PASS] = "pass",
        [ACTION_PASS_LONG] = "pass-long",
        [ACTION_SELL] = "sell",
        [ACTION_PUBLISH] = "publish",
        [ACTION_PUBLISH_AGAIN] = "publish-again",
        [ACTION_GARBAGE] = "garbage",
        [ACTION_LIE] = "lie",
        [ACTION_SELL_OLD] = "sell-old",
        [ACTION_PRODUCER_CRASH] = "producer-crash",
        [ACTION_LATE] = "late-request",
        [ACTION_CREDIT] = "credit",
        [ACTION_STATE] = "budget-state",
        [ACTION_VOID] = "void",
        [ACTION_OPERATOR] = "operator",
        [ACTION_KILL] = "kill",
        [ACTION_KILL_INSIDE] = "kill-inside",
        [ACTION_START] = "start",
        [ACTION_STOP] = "stop",
        [ACTION_RELOAD] = "reload",
        [ACTION_CUT] = "cut",
        [ACTION_CANCEL] = "cancel",
        [ACTION_ALARM] = "alarm",
        [ACTION_BROKER_DOWN] = "broker-down",
        [ACTION_DLQ_FULL] = "dlq-full",
        [ACTION_DLQ_DELETE] = "dlq-delete",
        [ACTION_QUEUE_DELETE] = "queue-delete",
        [ACTION_REDIS_DOWN] = "redis-down",
        [ACTION_REDIS_SAVE] = "redis-save",
        [ACTION_REDIS_FAILOVER] = "redis-failover",
        [ACTION_REDIS_LOSE_KEY] = "redis-lose-key",
        [ACTION_REDIS_RAISE] = "redis-raise",
        [ACTION_REDIS_CLOCK] = "redis-clock",
        [ACTION_REDIS_SPOIL] = "redis-spoil",
        [ACTION_LEDGER_DOWN] = "ledger-down",
        [ACTION_LEDGER_FULL] = "ledger-full",
        [ACTION_LEDGER_REFUSE] = "ledger-refuse",
        [ACTION_LEDGER_SAVE] = "ledger-save",
        [ACTION_LEDGER_RESTORE] = "ledger-restore",
        [ACTION_RECONCILE] = "reconcile",
        [ACTION_RECONCILE_STEP] = "reconcile-step",
        [ACTION_RECONCILE_KILL] = "reconcile-kill",
        [ACTION_RECONCILE_KILL_INSIDE] = "reconcile-kill-inside",
        [ACTION_TAMPER] = "tamper",
        [ACTION_LETTERS] = "letters",
        [ACTION_LETTERS_STEP] = "letters-step",
        [ACTION_LETTERS_STOP] = "letters-stop",
        [ACTION_LETTERS_KILL] = "letters-kill",
        [ACTION_LETTERS_KILL_INSIDE] = "letters-kill-inside",
    };
    return names[action];
}

const char *chance_name(enum chance chance)
{
    static const char *const names[CHANCE_COUNT] = {
        [CHANCE_CONNECT] = "connect-refused",
        [CHANCE_NEXT] = "cut-before-delivery",
        [CHANCE_ACKNOWLEDGE] = "cut-before-ack",
        [CHANCE_PUBLISH] = "cut-before-publication",
        [CHANCE_CONFIRM] = "cut-before-confirm",
        [CHANCE_STOCK_AWAY] = "redis-away",
        [CHANCE_STOCK_LOST_QUESTION] = "redis-question-lost",
        [CHANCE_STOCK_LOST_ANSWER] = "redis-answer-lost",
        [CHANCE_STOCK_HALF] = "redis-half-done",
        [CHANCE_STOCK_LATE] = "redis-late",
        [CHANCE_STOCK_FLUSHED] = "redis-scripts-flushed",
        [CHANCE_LEDGER_RETRY] = "ledger-away",
        [CHANCE_LEDGER_LOST_UNWRITTEN] = "commit-lost-unwritten",
        [CHANCE_LEDGER_LOST_WRITTEN] = "commit-lost-written",
        [CHANCE_LEDGER_CONFIG] = "ledger-misconfigured",
    };
    return names[chance];
}

/* How often an action happens where it exists, against the others, and in how many histories (permille) it
 * exists. */
static const struct {
    unsigned weight, exists;
} habits[ACTION_COUNT] = {
    [ACTION_TURN] = {240, 1000},
    [ACTION_JOB_RUN] = {160, 1000},
    [ACTION_JOB_DONE] = {160, 1000},
    [ACTION_PASS] = {60, 1000},
    [ACTION_PASS_LONG] = {8, 350},
    [ACTION_SELL] = {110, 1000},
    [ACTION_PUBLISH] = {80, 1000},
    [ACTION_PUBLISH_AGAIN] = {8, 500},
    [ACTION_GARBAGE] = {10, 500},
    [ACTION_LIE] = {8, 250},
    [ACTION_SELL_OLD] = {12, 300},
    [ACTION_PRODUCER_CRASH] = {3, 300},
    [ACTION_LATE] = {20, 1000},
    [ACTION_CREDIT] = {5, 500},
    [ACTION_VOID] = {6, 250},
    [ACTION_STATE] = {5, 350},
    [ACTION_OPERATOR] = {30, 1000},
    [ACTION_KILL] = {5, 400},
    [ACTION_KILL_INSIDE] = {7, 450},
    [ACTION_START] = {30, 1000},
    [ACTION_STOP] = {2, 300},
    [ACTION_RELOAD] = {2, 150},
    [ACTION_CUT] = {5, 400},
    [ACTION_CANCEL] = {4, 250},
    [ACTION_ALARM] = {6, 250},
    [ACTION_BROKER_DOWN] = {5, 250},
    [ACTION_DLQ_FULL] = {6, 200},
    [ACTION_DLQ_DELETE] = {3, 150},
    [ACTION_QUEUE_DELETE] = {1, 60},
    [ACTION_REDIS_DOWN] = {7, 300},
    [ACTION_REDIS_SAVE] = {6, 150},
    [ACTION_REDIS_FAILOVER] = {3, 900},
    [ACTION_REDIS_LOSE_KEY] = {1, 50},
    [ACTION_REDIS_RAISE] = {6, 350},
    [ACTION_REDIS_CLOCK] = {2, 80},
    [ACTION_REDIS_SPOIL] = {6, 200},

    [ACTION_LEDGER_DOWN] = {7, 300},
    [ACTION_LEDGER_FULL] = {5, 200},
    [ACTION_LEDGER_REFUSE] = {6, 250},
    [ACTION_LEDGER_SAVE] = {3, 60},
    [ACTION_LEDGER_RESTORE] = {1, 900},

    [ACTION_RECONCILE] = {20, 1000},
    [ACTION_RECONCILE_STEP] = {400, 1000},
    [ACTION_RECONCILE_KILL] = {4, 300},
    [ACTION_RECONCILE_KILL_INSIDE] = {6, 350},
    [ACTION_TAMPER] = {3, 250},

    [ACTION_LETTERS] = {15, 1000},
    [ACTION_LETTERS_STEP] = {250, 1000},
    [ACTION_LETTERS_STOP] = {2, 250},
    [ACTION_LETTERS_KILL] = {4, 300},
    [ACTION_LETTERS_KILL_INSIDE] = {6, 350},
};

static void draw_weight(struct swarm *swarm, struct dice *dice, enum action action)
{
    bool exists = dice_permille(dice, habits[action].exists);
    /* From a quarter to four times as often. */
    unsigned weight = habits[action].weight * 16 >> dice_roll(dice, 5);
    swarm->weights[action] = exists ? weight : 0;
}

static void draw_weights(struct swarm *swarm, struct dice *dice)
{
    for (enum action action = 0; action < ACTION_RECONCILE; action++) draw_weight(swarm, dice, action);
    /* What is restored must have been saved. */
    if (swarm->weights[ACTION_REDIS_SAVE] == 0) swarm->weights[ACTION_REDIS_FAILOVER] = 0;
    if (swarm->weights[ACTION_LEDGER_SAVE] == 0) swarm->weights[ACTION_LEDGER_RESTORE] = 0;
}

static void draw_chances(struct swarm *swarm, struct dice *dice)
{
    for (enum chance chance = 0; chance < CHANCE_COUNT; chance++) {
        static const unsigned levels[] = {0, 0, 0, 5, 20, 80, 250};
        swarm->chances[chance] = levels[dice_roll(dice, sizeof levels / sizeof *levels)];
    }
    swarm->chances[CHANCE_LEDGER_CONFIG] /= 4;
}

static void draw_reconcile(struct swarm *swarm, struct dice *dice)
{
    static const int64_t ages[] = {0, 1000000, 10000000, 120000000, 600000000};
    static const size_t bursts[] = {1, 4, 16, 50, 200};
    swarm->reconciles = dice_permille(dice, RECONCILE_PERMILLE);
    if (!swarm->reconciles) return;
    swarm->repairs = dice_permille(dice, 800);
    swarm->orphans_settle = dice_permille(dice, 300);
    swarm->orphan_after_us = ages[dice_roll(dice, sizeof ages / sizeof *ages)];
    swarm->repair_max = dice_permille(dice, 300) ? dice_between(dice, 0, 60) : INT64_MAX;
    swarm->reconcile_burst = bursts[dice_roll(dice, sizeof bursts / sizeof *bursts)];
    for (enum action action = ACTION_RECONCILE; action < ACTION_LETTERS; action++)
        draw_weight(swarm, dice, action);
}

static void draw_letters(struct swarm *swarm, struct dice *dice)
{
    static const size_t bursts[] = {1, 2, 4, 16};
    static const unsigned shares[] = {0, 200, 500, 1000};
    swarm->handles_letters = dice_permille(dice, LETTERS_PERMILLE);
    if (!swarm->handles_letters) return;
    swarm->discard = shares[dice_roll(dice, sizeof shares / sizeof *shares)];
    swarm->edits = dice_permille(dice, 300);
    swarm->letters_burst = bursts[dice_roll(dice, sizeof bursts / sizeof *bursts)];
    swarm->replays_max = dice_between(dice, 1, 6);
    for (enum action action = ACTION_LETTERS; action < ACTION_COUNT; action++)
        draw_weight(swarm, dice, action);
    /* What fills the dead-letter queue. */
    static const enum action fillers[] = {ACTION_GARBAGE, ACTION_LEDGER_REFUSE};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        unsigned weight = habits[fillers[i]].weight * 4;
        if (dice_roll(dice, 2) == 0 && swarm->weights[fillers[i]] < weight)
            swarm->weights[fillers[i]] = weight;
    }
    if (dice_permille(dice, 300)) swarm->delivery_limit = dice_between(dice, 1, 3);
    if (swarm->id_again == 0 && dice_permille(dice, 300)) swarm->id_again = 300;
}

struct swarm swarm_draw(uint64_t seed)
{
    struct dice dice = dice_of(seed, 0);
    static const size_t batches[] = {1, 2, 3, 5, 8, 20, 200};
    static const int64_t windows[] = {5, 10, 60, 300, 900};
    static const int64_t limits[] = {-1, -1, 3, 10, 50};
    static const int64_t pauses[] = {50, 2000, 100000, 1000000};
    struct swarm swarm = {
        .steps = (size_t)dice_between(&dice, 200, 600),
        .processes = 1 + (dice_permille(&dice, 300) ? dice_roll(&dice, PROCESSES_MAX) : 0),
        .producers = 1 + dice_roll(&dice, PRODUCERS_MAX),
        .budgets = 1 + dice_roll(&dice, BUDGETS_MAX),
        .delivery_limit = limits[dice_roll(&dice, 5)],
        .done_window_s = windows[dice_roll(&dice, 5)],
        .total_max = dice_permille(&dice, 500) ? 40 : 4000,
        .amount_max = dice_permille(&dice, 500) ? 3 : 50,
        .id_again = dice_permille(&dice, 400) ? (unsigned)dice_roll(&dice, 500) : 0,
        .hot = dice_permille(&dice, 500) ? 800 : 0,
        .batch = dice_permille(&dice, 400) ? (unsigned)dice_roll(&dice, 600) : 0,
        .unlimited = dice_permille(&dice, 300) ? 400 : 0,
        .pause_max_us = pauses[dice_roll(&dice, 4)],
    };
    swarm.settings = (struct worker_settings){
        .prefetch = 1 + dice_roll(&dice, dice_permille(&dice, 500) ? 8 : 100),
        .batch_max = batches[dice_roll(&dice, sizeof batches / sizeof *batches)],
        .memory_max = dice_permille(&dice, 200) ? 4096 : 1 << 24,
        .retry_max_us = dice_between(&dice, 1, 30) * 1000000,
        .stall_after_us = 60000000,
        .drain_timeout_us = 25000000,
        .seed = dice_next(&dice) | 1,
    };
    draw_weights(&swarm, &dice);
    draw_chances(&swarm, &dice);
    struct dice others = dice_of(seed, UINT64_MAX);
    draw_reconcile(&swarm, &others);
    others = dice_of(seed, UINT64_MAX - 1);
    draw_letters(&swarm, &others);
    return swarm;
}
