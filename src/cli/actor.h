/* Who runs this command, for the ledger's journal. */
#ifndef BURSAR_CLI_ACTOR_H
#define BURSAR_CLI_ACTOR_H

#define ACTOR_SIZE 256

/* "user@host": the person behind sudo, where there is one; where the system does not know the user's name,
 * its number stands for it. */
void actor_name(char actor[ACTOR_SIZE]);

#endif
