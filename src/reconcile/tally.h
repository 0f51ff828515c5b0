/* What the ledger's rows add up to, a budget: read once in the order of booking, and then only what came
 * after. */
#ifndef BURSAR_RECONCILE_TALLY_H
#define BURSAR_RECONCILE_TALLY_H

#include "port/ledger_audit.h"

#include <stddef.h>

#define TALLY_SLICE  20000 /* rows read in one transaction */
#define TALLY_RECENT 64    /* tokens of the rows booked last that are remembered */

struct tally_sums {
    struct text budget_id; /* borrowed */
    uint64_t hash;
    int64_t settled;    /* settled, with token */
    int64_t untracked;  /* settled, without */
    bool has_untracked; /* of these, or of rows whose refund is due: the stock lacks them, and says not why */
};

struct tally {
    int64_t sequence; /* of the last row that was read, as the next two; 0: none */
    int64_t last_amount, last_deducted_at_us;
    int64_t rows;
    bool any_without_token;  /* a sale, of any budget: there are producers that send none */
    struct tally_sums *sums; /* owned; in the order of tally_add */
    size_t count, capacity;
    uint32_t *slots; /* owned; open addressing: index + 1 */
    size_t slot_count;
    /* While a budget is measured, what was deducted after the cut is kept apart. */
    bool cutting;
    size_t cut_budget;
    int64_t cut_us;
    int64_t after_cut;         /* settled with a token after the cut */
    int64_t after_cut_last_us; /* the last of those tokens; 0: there is none */
    int64_t before_cut_rows;   /* of any state, with a token up to the cut or with none */
    int64_t recent[TALLY_RECENT];
    size_t recent_count;      /* ever */
    struct ledger_row *slice; /* owned */
    struct arena arena;
};

/* The id is borrowed until tally_free. Returns its index. */
size_t tally_add(struct tally *tally, struct text budget_id);

/* From now on the budget's rows are told apart by their token. */
void tally_cut(struct tally *tally, size_t budget, int64_t cut_us);
void tally_cut_end(struct tally *tally);

/* Reads the next slice; *more says whether there may be more. STATUS_RETRY too where the ledger is not the
 * one that was read before. */
MUST_CHECK enum status tally_read(struct tally *tally, struct ledger *ledger, bool *more,
                                  struct error *error);

/* Everything booked lately was deducted at this time or later, as far as it has tokens. 0 where nothing was
 * booked, or one of the tokens is after `now_us`: no Redis gave it, or one whose clock was set back since. */
int64_t tally_booked_from_us(const struct tally *tally, int64_t now_us);

void tally_free(struct tally *tally);

#endif
