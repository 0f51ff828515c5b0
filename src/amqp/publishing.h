/* One call's publications on their way: sends them and reads the answers at the same time, so that neither
 * side waits for the other with full buffers. */
#ifndef BURSAR_AMQP_PUBLISHING_H
#define BURSAR_AMQP_PUBLISHING_H

#include "amqp/confirms.h"
#include "amqp/link.h"

/* Bytes asked of the kernel. A library call that sends waits inside, where no time limit holds, if the socket
 * takes less than a frame: so a third of this, which is free while the socket is called writable, is more
 * than a frame. */
#define PUBLISHING_SEND_BUFFER (512 * 1024)

struct publishing {
    struct confirms confirms;
    struct assembly returned; /* a return that arrives */
    amqp_pool_t pool;         /* owned; for the properties of one publication at a time */
    uint64_t last_tag;        /* of the last publication on this channel */
    bool held;                /* small packets are held back for fuller ones */
    bool begun;               /* the next publication is sent in part */
    size_t offset;            /* bytes of its body sent */
    int64_t progress_us;      /* monotonic; when something was last sent or answered */
};

/* Publishes and waits for all answers. STATUS_REFUSED: a publication cannot be put on the wire, nothing was
 * sent. STATUS_RETRY: nothing is unanswered; STATUS_UNKNOWN: something is; for both the link is of no more
 * use. */
MUST_CHECK enum status publishing_run(struct publishing *publishing, struct broker_link *link,
                                      struct publication *publications, size_t count, struct error *error);

/* Reads what arrived between two calls. STATUS_RETRY: the link is lost. */
MUST_CHECK enum status publishing_drain(struct publishing *publishing, struct broker_link *link,
                                        struct error *error);

void publishing_free(struct publishing *publishing);

#endif
