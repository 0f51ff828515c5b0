/* Parking: publish to the dead-letter exchange with confirm, then write the rows of v_parked. */
#ifndef BURSAR_WORKER_JOB_PARK_H
#define BURSAR_WORKER_JOB_PARK_H

#include "worker/job_run.h"

void job_park_run(struct job_context *context, struct job *job);
void job_record_run(struct job_context *context, struct job *job);

#endif
