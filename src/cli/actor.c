#include "cli/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void actor_name(char actor[ACTOR_SIZE])
{
    char host[128] = "";
    const char *user = getenv("SUDO_USER");
    const struct passwd *entry = user == NULL ? getpwuid(getuid()) : NULL;
    if (entry != NULL && entry->pw_name[0] != '\0') user = entry->pw_name;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') snprintf(host, sizeof host, "?");
    if (user != NULL && user[0] != '\0')
        snprintf(actor, ACTOR_SIZE, "%.120s@%s", user, host);
    else
        snprintf(actor, ACTOR_SIZE, "%lu@%s", (unsigned long)getuid(), host);
}
