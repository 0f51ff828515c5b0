#include "sim/ports.h"

#include "sim/check.h"
#include "sim/world.h"

static struct sim_stock *self_of(struct stock *base)
{
    return (struct sim_stock *)base;
}

/* How one call goes. */
enum path {
    PATH_THROUGH,
    PATH_NOWHERE, /* the caller is dead, Redis is down: nothing happened */
    PATH_LATE,    /* given up on; it may still arrive */
    PATH_FLUSHED, /* the scripts were forgotten in the middle: the second half is sent again */
};

static enum path path_draw(struct sim_stock *self)
{
    struct world *world = self->world;
    struct fake_stock *fake = world->stock;
    enum call_fate fate = self->caller == NULL ? CALL_GOES : caller_ask(self->caller);
    if (fate == CALL_IS_DEAD) return PATH_NOWHERE;
    if (world->redis_down || (self->caller != NULL && self->caller->redis_away)) return PATH_NOWHERE;
    if (self->caller != NULL && self->caller->redis_broken) {
        self->caller->redis_broken = false;
        self->connections++;
        /* An idle connection that was closed is made anew in silence; one in use fails. */
        if (dice_roll(&world->dice, 2) == 0) return PATH_NOWHERE;
    }
    if (fate == CALL_IS_LAST) return PATH_THROUGH;
    static const struct {
        enum chance chance;
        enum fake_stock_failure failure;
    } failures[] = {{CHANCE_STOCK_AWAY, FAKE_STOCK_AWAY},
                    {CHANCE_STOCK_LOST_QUESTION, FAKE_STOCK_LOST_QUESTION},
                    {CHANCE_STOCK_LOST_ANSWER, FAKE_STOCK_LOST_ANSWER},
                    {CHANCE_STOCK_HALF, FAKE_STOCK_HALF}};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        if (!caller_chance(self->caller, world, failures[i].chance)) continue;
        fake_stock_fail_next(fake, 1, failures[i].failure);
        return PATH_THROUGH;
    }
    if (caller_chance(self->caller, world, CHANCE_STOCK_LATE)) return PATH_LATE;
    if (caller_chance(self->caller, world, CHANCE_STOCK_FLUSHED)) return PATH_FLUSHED;
    return PATH_THROUGH;
}

/* After any failure the connection is thrown away. */
static enum path path_of(struct sim_stock *self)
{
    size_t failures = fake_stock_failing(self->world->stock);
    enum path path = path_draw(self);
    if (path == PATH_NOWHERE || path == PATH_LATE || fake_stock_failing(self->world->stock) != failures)
        self->connections++;
    return path;
}

static enum status nowhere(struct error *error)
{
    return error_set(error, STATUS_RETRY, "Redis cannot be reached");
}

static enum status lost(struct error *error)
{
    return error_set(error, STATUS_UNKNOWN, "Redis did not answer in time");
}

static struct stock *real_of(struct sim_stock *self)
{
    return fake_stock_port(self->world->stock);
}

static enum status sim_ping(struct stock *base, struct error *error)
{
    struct sim_stock *self = self_of(base);
    switch (path_of(self)) {
    case PATH_NOWHERE:
    case PATH_LATE: return nowhere(error);
    default: return stock_ping(real_of(self), error);
    }
}

static enum status sim_settle(struct stock *base, const struct stock_settlement *items, size_t count,
                              int64_t *cleared, struct error *error)
{
    struct sim_stock *self = self_of(base);
    size_t half = count / 2;
    if (cleared != NULL) *cleared = 0;
    switch (path_of(self)) {
    case PATH_NOWHERE: return nowhere(error);
    case PATH_LATE: late_add(self->world, LATE_SETTLE, items, count, 0); return lost(error);
    case PATH_FLUSHED: {
        enum status first = stock_settle(real_of(self), items, half, NULL, error);
        late_arrive(self->world);
        enum status second = stock_settle(real_of(self), items + half, count - half, NULL, error);
        return first == STATUS_OK ? second : first;
    }
    default: return stock_settle(real_of(self), items, count, cleared, error);
    }
}

static enum status sim_release(struct stock *base, struct stock_release *items, size_t count,
                               struct error *error)
{
    struct sim_stock *self = self_of(base);
    size_t half = count / 2;
    enum status status = STATUS_OK;
    switch (path_of(self)) {
    case PATH_NOWHERE: status = nowhere(error); break;
    case PATH_LATE:
        late_add(self->world, LATE_RELEASE, items, count, 0);
        status = lost(error);
        break;
    case PATH_FLUSHED:
        status = stock_release(real_of(self), items, half, error);
        late_arrive(self->world);
        if (status == STATUS_OK) status = stock_release(real_of(self), items + half, count - half, error);
        return status;
    default: return stock_release(real_of(self), items, count, error);
    }
    for (size_t i = 0; i < count; i++) items[i].status = status;
    return status;
}

static enum status sim_forget_guards(struct stock *base, const struct stock_release *items, size_t count,
                                     struct error *error)
{
    struct sim_stock *self = self_of(base);
    switch (path_of(self)) {
    case PATH_NOWHERE: return nowhere(error);
    case PATH_LATE: late_add(self->world, LATE_FORGET, items, count, 0); return lost(error);
    default: return stock_forget_guards(real_of(self), items, count, error);
    }
}

static enum status sim_credit(struct stock *base, struct stock_credit *items, size_t count,
                              struct error *error)
{
    struct sim_stock *self = self_of(base);
    enum status status = STATUS_OK;
    switch (path_of(self)) {
    case PATH_NOWHERE: status = nowhere(error); break;
    case PATH_LATE:
        late_add(self->world, LATE_CREDIT, items, count, 0);
        status = lost(error);
        break;
    default: return stock_credit(real_of(self), items, count, error);
    }
    for (size_t i = 0; i < count; i++) items[i].status = status;
    return status;
}

static enum status sim_deduct(struct stock *base, struct stock_deduct *items, size_t count,
                              struct error *error)
{
    struct sim_stock *self = self_of(base);
    enum status status = STATUS_OK;
    switch (path_of(self)) {
    case PATH_NOWHERE: status = nowhere(error); break;
    case PATH_LATE:
        late_add(self->world, LATE_DEDUCT, items, count, 0);
        status = lost(error);
        break;
    default: return stock_deduct(real_of(self), items, count, error);
    }
    for (size_t i = 0; i < count; i++) items[i].status = status;
    return status;
}

static enum status sim_query(struct stock *base, struct stock_query *items, size_t count, struct error *error)
{
    struct sim_stock *self = self_of(base);
    if (path_of(self) != PATH_NOWHERE) return stock_query(real_of(self), items, count, error);
    for (size_t i = 0; i < count; i++) items[i].status = STATUS_RETRY;
    return nowhere(error);
}

static enum status sim_levels(struct stock *base, struct stock_level *items, size_t count,
                              struct error *error)
{
    struct sim_stock *self = self_of(base);
    if (path_of(self) != PATH_NOWHERE) return stock_levels(real_of(self), items, count, error);
    for (size_t i = 0; i < count; i++) items[i].status = STATUS_RETRY;
    return nowhere(error);
}

static enum status sim_state_set(struct stock *base, struct text budget_id, enum budget_state state,
                                 int64_t *now_us, struct error *error)
{
    struct sim_stock *self = self_of(base);
    switch (path_of(self)) {
    case PATH_NOWHERE: return nowhere(error);
    case PATH_LATE: late_add(self->world, LATE_STATE, &budget_id, 1, state); return lost(error);
    default: return stock_state_set(real_of(self), budget_id, state, now_us, error);
    }
}

static enum status sim_pending_scan(struct stock *base, struct text budget_id, uint64_t *cursor,
                                    struct arena *arena, struct stock_pending **entries, size_t *count,
                                    struct error *error)
{
    struct sim_stock *self = self_of(base);
    *count = 0;
    switch (path_of(self)) {
    case PATH_NOWHERE:
    case PATH_LATE: return nowhere(error);
    default: return stock_pending_scan(real_of(self), budget_id, cursor, arena, entries, count, error);
    }
}

static enum status sim_server(struct stock *base, char server[STOCK_SERVER_SIZE_MAX], struct error *error)
{
    struct sim_stock *self = self_of(base);
    server[0] = '\0';
    switch (path_of(self)) {
    case PATH_NOWHERE:
    case PATH_LATE: return nowhere(error);
    default: return stock_server(real_of(self), server, error);
    }
}

static enum status sim_audit(struct stock *base, struct stock_audit *items, size_t count, struct error *error)
{
    struct sim_stock *self = self_of(base);
    if (path_of(self) != PATH_NOWHERE) {
        /* A script takes longer than a microsecond: what is deducted before or after it has another time. */
        world_pass(self->world, 1);
        enum status status = stock_audit(real_of(self), items, count, error);
        for (size_t i = 0; i < count; i++) check_audited(self->world, items[i].budget_id);
        world_pass(self->world, 1);
        return status;
    }
    for (size_t i = 0; i < count; i++) items[i].status = STATUS_RETRY;
    return nowhere(error);
}

static enum status sim_credits_scan(struct stock *base, struct text budget_id, uint64_t *cursor,
                                    struct arena *arena, struct stock_credit_entry **entries, size_t *count,
                                    struct error *error)
{
    struct sim_stock *self = self_of(base);
    *count = 0;
    switch (path_of(self)) {
    case PATH_NOWHERE:
    case PATH_LATE: return nowhere(error);
    default: return stock_credits_scan(real_of(self), budget_id, cursor, arena, entries, count, error);
    }
}

static enum status sim_amend(struct stock *base, struct stock_amendment *items, size_t count,
                             struct error *error)
{
    struct sim_stock *self = self_of(base);
    size_t half = count / 2;
    enum status status = STATUS_OK;
    if (self->caller != NULL)
        self->caller->is_short = false; /* rare, and what may go wrong with it is much */
    enum path path = path_of(self);
    if (self->caller != NULL) self->caller->is_short = true;
    switch (path) {
    case PATH_NOWHERE: status = nowhere(error); break;
    case PATH_LATE:
        late_add(self->world, LATE_AMEND, items, count, 0);
        status = lost(error);
        break;
    case PATH_FLUSHED:
        for (size_t i = half; i < count; i++) items[i].status = STATUS_RETRY;
        status = stock_amend(real_of(self), items, half, error);
        late_arrive(self->world);
        if (status == STATUS_OK) status = stock_amend(real_of(self), items + half, count - half, error);
        return status;
    default: return stock_amend(real_of(self), items, count, error);
    }
    for (size_t i = 0; i < count; i++) {
        items[i].status = status;
        items[i].applied = false;
        items[i].left_after = STOCK_LEFT_NONE;
    }
    return status;
}

static uint64_t sim_connections(const struct stock *base)
{
    return ((const struct sim_stock *)base)->connections;
}

static void sim_close(struct stock *base)
{
    (void)base;
}

void sim_stock_open(struct sim_stock *stock, struct world *world, struct caller *caller)
{
    static const struct stock_audit_ops audit_ops = {
        .server = sim_server,
        .audit = sim_audit,
        .credits_scan = sim_credits_scan,
        .amend = sim_amend,
    };
    static const struct stock_ops ops = {
        .audit = &audit_ops,
        .connections = sim_connections,
        .ping = sim_ping,
        .load_scripts = sim_ping,
        .settle = sim_settle,
        .release = sim_release,
        .forget_guards = sim_forget_guards,
        .credit = sim_credit,
        .deduct = sim_deduct,
        .query = sim_query,
        .levels = sim_levels,
        .state_set = sim_state_set,
        .pending_scan = sim_pending_scan,
        .close = sim_close,
    };
    *stock = (struct sim_stock){.base.ops = &ops, .world = world, .caller = caller, .connections = 1};
}
