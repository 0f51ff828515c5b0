/* The ledger in an SQLite file.
 *
 * WAL with synchronous=FULL: what was answered with STATUS_OK survives a power cut. One worker at a time
 * settles into a file; any number of tools may work beside it. The locks of port/ledger_audit.h are files
 * beside it, `<path>.reconcile-lock` and `<path>.dead-letters-lock`. */
#ifndef BURSAR_SQLITE_SQLITE_LEDGER_H
#define BURSAR_SQLITE_SQLITE_LEDGER_H

#include "port/ledger.h"

enum sqlite_ledger_role {
    /* Holds an exclusive lock on `<path>.worker-lock` from its first connection to its end (a crash frees
     * it), and is the one that moves the write-ahead log into the file. While another process holds the lock
     * every call answers STATUS_CONFIG. */
    SQLITE_LEDGER_WORKER,
    /* Leaves the write-ahead log to the worker. Where none runs and the log has grown, closing moves it into
       the file. */
    SQLITE_LEDGER_TOOL,
};

struct sqlite_ledger_options {
    const char *path; /* of the database file; copied */
    enum sqlite_ledger_role role;
    int busy_timeout_ms; /* how long a call waits for another writer before it answers STATUS_RETRY; 0 or more
                          */
};

/* Checks the options and nothing else: each call connects by itself where it must, and again after an error
 * that asks for it. Only ledger_initialise creates a file. STATUS_CONFIG: a path that cannot be a durable
 * file. The caller frees with ledger_close. */
MUST_CHECK enum status sqlite_ledger_open(const struct sqlite_ledger_options *options, struct ledger **ledger,
                                          struct error *error);

#endif
