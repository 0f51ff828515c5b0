/* The real time, as a port. */
#ifndef BURSAR_WORKER_SYSTEM_CLOCK_H
#define BURSAR_WORKER_SYSTEM_CLOCK_H

#include "port/clock.h"

extern const struct clock system_clock;

#endif
