/* Saved dead letters, published again. */
#ifndef BURSAR_DEADLETTER_LETTER_IMPORT_H
#define BURSAR_DEADLETTER_LETTER_IMPORT_H

#include "deadletter/ports.h"

#define IMPORT_LETTERS_MAX 1000

struct import_letter {
    struct text exchange, routing_key; /* to publish to */
    struct text properties;            /* encoded */
    struct text property_id;           /* their message_id; absent: none */
    struct text body;
    /* What was known of it, for a broker that does not take the headers of another one's x-death. Written
     * where the properties do not say it; absent: not known. */
    struct text reason, detail, parked_at, origin_exchange, origin_routing_key;
    enum publication_outcome outcome; /* answer */
};

/* At most IMPORT_LETTERS_MAX, all to one exchange. Journalled first: whoever looks for orphans must know that
 * these ids may be under way again. Killed in between and repeated, some are published twice, and the ledger
 * books an id once. STATUS_OK: each has an outcome of CONFIRMED, RETURNED or REFUSED; with *no_exchange they
 * were returned because there is no such exchange. Else those that are not CONFIRMED may be published again.
 * `arena` is for scratch. */
MUST_CHECK enum status letter_import(const struct dead_letter_ports *ports, struct import_letter *letters,
                                     size_t count, struct arena *arena, bool *no_exchange,
                                     struct error *error);

#endif
