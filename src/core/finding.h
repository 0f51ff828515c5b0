/* What a reconciliation can find: the words that the engine, the ledger's record of a run, the metrics and
 * the command share. */
#ifndef BURSAR_CORE_FINDING_H
#define BURSAR_CORE_FINDING_H

/* The numbers are stored in ledgers: never renumber. */
enum finding_kind {
    FINDING_LEFT_DRIFT,    /* Redis holds more or less than it should */
    FINDING_MISSING_KEY,   /* Redis lost the budget */
    FINDING_UNCLEARED,     /* booked, and still pending */
    FINDING_REFUND_DUE,    /* rejected or voided, and not given back */
    FINDING_CREDIT_DUE,    /* a top-up that Redis does not have */
    FINDING_ORPHAN,        /* deducted, and booked nowhere */
    FINDING_LEDGER_BEHIND, /* Redis saw more booked than the ledger holds */
    FINDING_UNTRACKED,     /* producers without pending entries; for information only */
    FINDING_KIND_COUNT,
};

/* "left-drift", "missing-key", …: the contract's words. Static storage; "?" for a value outside the enum. */
const char *finding_kind_name(enum finding_kind kind);

#endif
