#include "base/failpoint.h"

#ifdef BURSAR_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void failpoint_reach(const char *name)
{
    static atomic_int reached;
    const char *wanted = getenv("BURSAR_FAILPOINT");
    if (wanted == NULL) return;
    const char *colon = strchr(wanted, ':');
    size_t length = colon == NULL ? strlen(wanted) : (size_t)(colon - wanted);
    if (strlen(name) != length || strncmp(name, wanted, length) != 0) return;
    int at = colon == NULL ? 1 : atoi(colon + 1);
    if (atomic_fetch_add(&reached, 1) + 1 == at) raise(SIGKILL);
}

#else

typedef int failpoint_is_compiled_out; /* ISO C wants a declaration in every file */

#endif
