#include "cli/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void actor_name(char actor[ACTOR_SIZE])
{
    char host[128] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') snprintf(host, sizeof host, "localhost");
    const struct passwd *user = getpwuid(geteuid());
    if (user != NULL && user->pw_name[0] != '\0')
        snprintf(actor, ACTOR_SIZE, "%.100s@%s", user->pw_name, host);
    else
        snprintf(actor, ACTOR_SIZE, "%lu@%s", (unsigned long)geteuid(), host);
}
