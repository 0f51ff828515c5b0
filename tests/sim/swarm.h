/* What a history is made of: each seed draws which faults exist and how often, how large everything is and
 * who does what, so that every seed explores another corner ("swarm testing", Groce et al., 2012). */
#ifndef BURSAR_TESTS_SIM_SWARM_H
#define BURSAR_TESTS_SIM_SWARM_H

#include "core/worker.h"
#include "sim/dice.h"

/* What may happen in one step. */
enum action {
    ACTION_TURN,           /* a worker reads, steps its core and does what follows */
    ACTION_JOB_RUN,        /* a hand carries its job out */
    ACTION_JOB_DONE,       /* a worker hears that a job is done */
    ACTION_PASS,           /* time goes on to the next deadline */
    ACTION_PASS_LONG,      /* half a minute to half an hour */
    ACTION_SELL,           /* a producer deducts */
    ACTION_PUBLISH,        /* a producer publishes what it deducted */
    ACTION_PUBLISH_AGAIN,  /* a producer publishes what is published already */
    ACTION_GARBAGE,        /* somebody publishes what cannot be processed */
    ACTION_LIE,            /* a producer publishes what it did not deduct so */
    ACTION_SELL_OLD,       /* an older producer takes stock by hand and publishes without token */
    ACTION_PRODUCER_CRASH, /* a producer forgets what it has not published */
    ACTION_LATE,           /* a request to Redis that was given up on arrives */
    ACTION_CREDIT,         /* an operator tops up */
    ACTION_STATE,          /* an operator closes, reopens or deletes */
    ACTION_VOID,           /* a pending deduction that is booked nowhere is voided */
    ACTION_OPERATOR,       /* an operator's command takes its next step */
    ACTION_KILL,           /* a worker is killed between two steps */
    ACTION_KILL_INSIDE,    /* a worker will be killed in the middle of what it does next */
    ACTION_START,          /* a worker is started */
    ACTION_STOP,           /* a worker is asked to drain */
    ACTION_RELOAD,
    ACTION_CUT,         /* every connection to the broker is cut */
    ACTION_CANCEL,      /* the broker ends the consumers */
    ACTION_ALARM,       /* begins or ends */
    ACTION_BROKER_DOWN, /* begins or ends */
    ACTION_DLQ_FULL,    /* begins or ends */
    ACTION_DLQ_DELETE,
    ACTION_QUEUE_DELETE,
    ACTION_REDIS_DOWN,     /* begins or ends */
    ACTION_REDIS_SAVE,     /* the replica, or the dump, is as Redis is now */
    ACTION_REDIS_FAILOVER, /* the replica, or the dump, takes Redis's place */
    ACTION_REDIS_LOSE_KEY,
    ACTION_REDIS_RAISE, /* somebody raises the stock by hand: more is sold than there is */
    ACTION_REDIS_CLOCK, /* the clock of Redis jumps */
    ACTION_REDIS_SPOIL, /* the stock key is out of range: releases and credits are refused; ends the same way
                         */
    ACTION_LEDGER_DOWN, /* begins or ends */
    ACTION_LEDGER_FULL, /* begins or ends: reads go on, writes fail */
    ACTION_LEDGER_REFUSE, /* the ledger refuses one id's row, until it refuses another */
    ACTION_LEDGER_SAVE,
    ACTION_LEDGER_RESTORE, /* from the backup */
    /* What follows has dice of its own in the swarm, so that histories without it are what they were. */
    ACTION_RECONCILE,             /* a reconcile is started */
    ACTION_RECONCILE_STEP,        /* it goes on */
    ACTION_RECONCILE_KILL,        /* it is killed between two steps */
    ACTION_RECONCILE_KILL_INSIDE, /* it will be killed in the middle of one */
    ACTION_TAMPER,                /* somebody changes, or loses, what a budget's keys hold */
    /* And so has this. */
    ACTION_LETTERS,             /* a replay of dead letters, or a discard, is begun */
    ACTION_LETTERS_STEP,        /* it goes on */
    ACTION_LETTERS_STOP,        /* it is asked to end in good order */
    ACTION_LETTERS_KILL,        /* it is killed between two steps */
    ACTION_LETTERS_KILL_INSIDE, /* it will be killed in the middle of one */
    ACTION_COUNT,
};

const char *action_name(enum action action);

/* Chances of single calls, in a thousandth. */
enum chance {
    CHANCE_CONNECT, /* the broker refuses the connection */
    CHANCE_NEXT,    /* the connection is cut before a delivery */
    CHANCE_ACKNOWLEDGE,
    CHANCE_PUBLISH, /* cut before the broker has it */
    CHANCE_CONFIRM, /* cut after */
    CHANCE_STOCK_AWAY,
    CHANCE_STOCK_LOST_QUESTION,
    CHANCE_STOCK_LOST_ANSWER,
    CHANCE_STOCK_HALF,
    CHANCE_STOCK_LATE,    /* timed out; carried out later, or never */
    CHANCE_STOCK_FLUSHED, /* SCRIPT FLUSH in the middle of a pipeline: the rest of it is sent again */
    CHANCE_LEDGER_RETRY,
    CHANCE_LEDGER_LOST_UNWRITTEN,
    CHANCE_LEDGER_LOST_WRITTEN,
    CHANCE_LEDGER_CONFIG,
    CHANCE_COUNT,
};

const char *chance_name(enum chance chance);

#define BUDGETS_MAX   6
#define PROCESSES_MAX 3
#define PRODUCERS_MAX 4

struct swarm {
    size_t steps;
    size_t processes, producers, budgets;
    unsigned weights[ACTION_COUNT];
    unsigned chances[CHANCE_COUNT];
    struct worker_settings settings;
    int64_t delivery_limit; /* -1: none */
    int64_t done_window_s;
    int64_t total_max;    /* of a limited budget */
    int64_t amount_max;   /* of a sale */
    unsigned id_again;    /* permille: a sale takes an id that was used before */
    unsigned hot;         /* permille: a sale is from the first budget */
    unsigned batch;       /* permille: a publication is a batch message */
    unsigned unlimited;   /* permille: a budget is unlimited */
    int64_t pause_max_us; /* between two steps */
    bool reconciles;      /* there are runs of reconcile */
    bool repairs;         /* some of them repair */
    bool orphans_settle;  /* what they do with orphans */
    int64_t orphan_after_us;
    int64_t repair_max;
    size_t reconcile_burst; /* steps that one does at a time, at most */
    bool handles_letters;   /* there are replays and discards of dead letters */
    unsigned discard;       /* permille of them are discards */
    bool edits;             /* some replays edit */
    size_t letters_burst;   /* steps that one does at a time, at most */
    int64_t replays_max;    /* the most that a replay may be asked for */
};

struct swarm swarm_draw(uint64_t seed);

#endif
