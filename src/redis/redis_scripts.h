/* The Lua scripts of scripts/redis/, as they were when the program was built. */
#ifndef BURSAR_REDIS_REDIS_SCRIPTS_H
#define BURSAR_REDIS_REDIS_SCRIPTS_H

#include "base/embedded.h"

extern const struct embedded_file redis_script_deduct;
extern const struct embedded_file redis_script_settle;
extern const struct embedded_file redis_script_release;
extern const struct embedded_file redis_script_credit;
extern const struct embedded_file redis_script_state;
extern const struct embedded_file redis_script_query;
extern const struct embedded_file redis_script_refund_untracked;
extern const struct embedded_file redis_script_forget_guard;
extern const struct embedded_file redis_script_levels;
extern const struct embedded_file redis_script_audit;
extern const struct embedded_file redis_script_amend;

enum redis_script {
    REDIS_SCRIPT_DEDUCT,
    REDIS_SCRIPT_SETTLE,
    REDIS_SCRIPT_RELEASE,
    REDIS_SCRIPT_CREDIT,
    REDIS_SCRIPT_STATE,
    REDIS_SCRIPT_QUERY,
    REDIS_SCRIPT_REFUND_UNTRACKED,
    REDIS_SCRIPT_FORGET_GUARD,
    REDIS_SCRIPT_LEVELS,
    REDIS_SCRIPT_AUDIT,
    REDIS_SCRIPT_AMEND,
    REDIS_SCRIPT_COUNT,
};

#endif
