#include "cli/letter_returns.h"

#include <inttypes.h>
#include <stdio.h>

/* RabbitMQ from 4.0 on drops what was given back 20 times, where no policy says otherwise. */
#define RETURNS_TOLD 10

bool letter_returns_tell(const char *queue, int64_t returns_max, char line[LETTER_RETURNS_SIZE])
{
    if (returns_max < RETURNS_TOLD) return false;
    snprintf(line, LETTER_RETURNS_SIZE,
             "queue %s: a message came back %" PRId64
             " times; RabbitMQ 4 drops it after 20, unless a policy sets delivery-limit -1 for the queue",
             queue, returns_max);
    return true;
}
