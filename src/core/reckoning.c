#include "core/reckoning.h"

/* The part of `difference` that rows without token cannot explain: they may have had an entry in Redis, or
 * none. */
static int64_t beyond(int64_t difference, int64_t unexplained_max)
{
    if (difference < 0) return difference;
    return difference > unexplained_max ? difference - unexplained_max : 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The key is made anew from the ledger and the entries that are there. What was booked without token was
 * taken from the lost key too, so it is counted as deducted and settled. */
static void reckon_missing(const struct reckoning *in, struct reckoning_result *out)
{
    int64_t cleared = in->rows_settled - in->uncleared + in->rows_untracked;
    int64_t not_given_back = in->rows_settled + in->undecided + in->refundable + in->rows_untracked;
    out->left_expected = in->credits_booked - not_given_back;
    out->credited = in->credits_booked - in->credited;
    out->deducted = not_given_back - (in->deducted - in->released);
    out->settled = cleared - in->settled;
}

/* How much more is left than there should be; below 0: how much less.
 *
 * Sales without token lower the stock and no total, and their refunds raise it by no more than that. So they
 * explain what is missing beside the totals, however much, and nothing that is too much. Where it is too much
 * the totals may be wrong as well: then what is missing in the end may be such sales, too. */
static int64_t left_too_much(const struct reckoning *in, int64_t credited, int64_t deducted)
{
    int64_t beside_totals = in->left - (in->credited - in->deducted + in->released);
    if (in->untracked && beside_totals < 0) beside_totals = 0;
    int64_t too_much = beside_totals + credited - deducted;
    bool explained = in->untracked && beside_totals > 0 && too_much < 0;
    return explained ? 0 : too_much;
}

/* The part of the lost credits that `credited` lacks, too: where it has them, so has the stock. */
static int64_t lost_with_effect(const struct reckoning *in)
{
    int64_t lacking = in->credits - in->credited;
    return lacking > 0 ? smaller(lacking, in->credits_lost) : 0;
}

/* Lowers the stock no further than to nothing: what is missing beyond that was handed out already, and only
 * refunds bring it back. `deducted` keeps the equation of the stock meanwhile. */
static void hold_above_zero(const struct reckoning *in, struct reckoning_result *out)
{
    if (in->left + out->left >= 0) return;
    int64_t short_by = -(in->left + out->left);
    out->left += short_by;
    out->deducted -= short_by;
}

void reckoning_compute(const struct reckoning *in, struct reckoning_result *out)
{
    *out = (struct reckoning_result){0};
    if (!in->has_key) {
        reckon_missing(in, out);
        return;
    }
    int64_t unexplained_max = in->untracked ? in->rows_untracked : 0;
    /* deducted and not given back: too much in Redis is above 0 */
    int64_t deducted = in->deducted - in->released - in->rows_settled - in->undecided - in->refundable;
    deducted = beyond(deducted, unexplained_max);
    /* Without a standstill only this is certain: nothing is cleared that is not settled. */
    int64_t uncleared = in->settled_still ? in->uncleared : 0;
    int64_t settled = in->settled - (in->rows_settled - uncleared);
    settled = beyond(settled, unexplained_max);
    if (!in->settled_still && settled < 0) settled = 0;
    int64_t credited = in->credited - in->credits, lost = lost_with_effect(in);

    if (settled > 0 && deducted > 0) out->ledger_behind = smaller(settled, deducted);
    deducted -= out->ledger_behind;
    settled -= out->ledger_behind;
    int64_t too_much = in->limited ? left_too_much(in, credited, deducted) : 0;
    out->left_expected = in->left - too_much;
    out->drift = in->limited ? too_much + lost : 0;
    out->credited_drift = credited + lost;
    out->left = -too_much;
    out->credited = -credited;
    out->deducted = -deducted;
    out->settled = -settled;
    out->well = out->ledger_behind == 0 && out->drift == 0 && out->credited_drift == 0 && deducted == 0 &&
                settled == 0;
    out->needs_settled = !out->well && !in->settled_still;
    if (in->limited) hold_above_zero(in, out);
}
