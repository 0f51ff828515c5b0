/* A session under one fault, and the same for every place where the fault can strike. */
#ifndef BURSAR_TESTS_FAULT_STORY_H
#define BURSAR_TESTS_FAULT_STORY_H

#include "faults/session.h"

#define STORY_FOR_EVER (-1)

/* What fails. Calls are counted from `arm` on; a pause counts nothing. */
struct story_fault {
    void (*arm)(int skip, int times); /* so many calls go well, so many fail; 0: none fails any more */
    void (*pause)(bool paused);
    int (*happened)(void); /* how many failed since `arm` */
    int each_up_to;        /* in a short run: each of the first calls, then every `stride`th */
    int stride;
};

/* Plays sessions, as worker and as tool, in which the nth call fails, once and from then on, for n = 0, 1, 2…
 * until one ends without meeting the fault. In each, STATUS_OK means written, STATUS_RETRY not written,
 * STATUS_UNKNOWN either, and nothing else is answered; without the fault the same call is done within two
 * tries, and the session ends as it does on a good machine. Fails the running test otherwise. */
void story_walk(const struct story_fault *fault, const struct script *script);

#endif
