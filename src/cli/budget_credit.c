/* `bursar budget create` and `add`: the ledger books the credit first, then Redis gets it, then the ledger
 * notes that it has. Whoever dies in between leaves a credit that is due, which the worker applies, once per
 * credit id. */
#include "cli/budget.h"

#include "base/failpoint.h"
#include "bursar/producer.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/report.h"
#include "core/amount.h"
#include "core/limits.h"
#include "core/message_parser.h"

#include <string.h>

#define NAME_SIZE_MAX        256
#define DESCRIPTION_SIZE_MAX 4096
#define EXT_SIZE_MAX         16384

/* What the generated id of a budget's first credit begins with: v_credit then tells it from the top-ups. */
#define FIRST_CREDIT "create:"

struct credit {
    const char *command; /* "budget add" */
    bool first;          /* the budget's */
    const char *budget_id, *credit_id;
    int64_t amount;
    bool applied; /* Redis has it */
    int64_t left; /* STOCK_LEFT_NONE: not known */
};

static void print_credit(const struct credit *credit, bool json)
{
    if (json) {
        bool known = credit->left != STOCK_LEFT_NONE;
        const char *amount = credit->first ? "total" : "amount";
        output_json(json_pack("{s:s, s:I, s:s, s:b, s:o}", "id", credit->budget_id, amount,
                              (json_int_t)credit->amount, "credit_id", credit->credit_id, "applied",
                              (int)credit->applied, "left",
                              known ? json_integer(credit->left) : json_null()));
        return;
    }
    static const char *const headers[] = {"BUDGET", "AMOUNT", "CREDIT", "APPLIED", "LEFT"};
    struct table table = table_begin(headers, 5);
    table_add(&table,
              (const char *[]){credit->budget_id, budget_number(&table.arena, true, credit->amount),
                               credit->credit_id, credit->applied ? "yes" : "no",
                               budget_number(&table.arena, credit->left != STOCK_LEFT_NONE, credit->left)});
    table_print(&table);
    table_free(&table);
}

/* A Redis that is away gets the credit later. One that does not let this configuration in is told before
 * anything is booked. */
static bool redis_lets_in(struct session *session, const char *command)
{
    if (stock_ping(session->stock, &session->error) != STATUS_CONFIG) return true;
    report("%s: nothing was booked: %s", command, session->error.text);
    return false;
}

/* Gives a booked credit to Redis and notes it in the ledger. */
static enum exit_status apply(struct session *session, struct credit *credit)
{
    struct error *error = &session->error;
    struct stock_credit item = {.budget_id = text_of(credit->budget_id),
                                .credit_id = text_of(credit->credit_id),
                                .amount = credit->amount,
                                .status = STATUS_RETRY,
                                .left = STOCK_LEFT_NONE};
    FAILPOINT("credit-booked");
    enum status status = stock_credit(session->stock, &item, 1, error);
    if (status == STATUS_OK && item.status != STATUS_OK) status = item.status;
    if (status == STATUS_REFUSED) {
        report("%s: booked in the ledger, but Redis refuses it: %s; mend the budget's keys, the worker then "
               "applies it",
               credit->command, error->text);
        return EXIT_STATUS_TRY_AGAIN; /* of the credit: with another id it would be another one */
    }
    if (status != STATUS_OK) {
        report("%s: booked; applied later by the worker: %s", credit->command, error->text);
        return EXIT_STATUS_TRY_AGAIN;
    }
    credit->applied = true;
    credit->left = item.left;
    if (credit->left == STOCK_LEFT_NONE)
        report("%s: Redis has lost the stock key of %s; what is left is unknown", credit->command,
               credit->budget_id);
    FAILPOINT("credit-applied");
    status = ledger_credit_mark(session->ledger, item.budget_id, item.credit_id, error);
    if (status == STATUS_OK) return EXIT_STATUS_WELL;
    report("%s: booked and applied; noted later by the worker: %s", credit->command, error->text);
    return EXIT_STATUS_TRY_AGAIN;
}

static bool is_object(const char *command, const char *ext)
{
    json_error_t why;
    json_t *document = json_loads(ext, JSON_REJECT_DUPLICATES, &why);
    bool object = json_is_object(document);
    json_decref(document);
    if (object) return true;
    if (document == NULL) {
        parser_text_mend(why.text);
        report("%s: --ext is no JSON: %s", command, why.text);
    } else {
        report("%s: --ext must be a JSON object, such as '{\"owner\": \"spring\"}'", command);
    }
    return false;
}

static bool total_parse(const char *command, const char *word, int64_t *total)
{
    if (word == NULL) {
        report("%s: --total is missing; give --total N or --total unlimited", command);
        return false;
    }
    if (strcmp(word, "unlimited") == 0)
        *total = TOTAL_UNLIMITED;
    else if (!amount_parse_or_zero(text_of(word), total)) {
        report("%s: --total '%.100s' is no total; use a whole number, 0 to %lld, or unlimited", command, word,
               (long long)AMOUNT_MAX);
        return false;
    }
    return true;
}

int budget_create(struct session *session, const struct budget_request *request)
{
    static const char command[] = "budget create";
    char credit_id[sizeof FIRST_CREDIT - 1 + BURSAR_UUID_SIZE] = FIRST_CREDIT;
    bursar_message_id_generate(credit_id + sizeof FIRST_CREDIT - 1);
    struct credit credit = {.command = command,
                            .first = true,
                            .budget_id = request->id,
                            .credit_id = credit_id,
                            .left = STOCK_LEFT_NONE};
    if (!total_parse(command, request->total, &credit.amount)) return EXIT_STATUS_USAGE;
    if (request->name != NULL && !argument_text(command, "--name", request->name, NAME_SIZE_MAX))
        return EXIT_STATUS_USAGE;
    if (request->description != NULL &&
        !argument_text(command, "--description", request->description, DESCRIPTION_SIZE_MAX)) {
        return EXIT_STATUS_USAGE;
    }
    if (request->ext != NULL &&
        (!argument_text(command, "--ext", request->ext, EXT_SIZE_MAX) || !is_object(command, request->ext))) {
        return EXIT_STATUS_USAGE;
    }
    struct ledger_budget budget = {.id = text_of(request->id),
                                   .name = text_of(request->name),
                                   .description = text_of(request->description),
                                   .ext_params = text_of(request->ext),
                                   .total = credit.amount};
    if (!redis_lets_in(session, command)) return EXIT_STATUS_CONFIGURATION;
    enum status status = ledger_budget_create(session->ledger, &budget, text_of(credit_id), &session->error);
    if (status != STATUS_OK) {
        return report_exit(exit_status_of_ledger(status, &session->error), "%s: %s%s", command,
                           session->error.text, status == STATUS_REFUSED ? "; see bursar budget show" : "");
    }
    enum exit_status exit = apply(session, &credit);
    print_credit(&credit, request->json);
    return (int)exit;
}

int budget_add(struct session *session, const struct budget_request *request)
{
    static const char command[] = "budget add";
    char generated[BURSAR_UUID_SIZE];
    struct credit credit = {.command = command,
                            .budget_id = request->id,
                            .credit_id = request->credit_id,
                            .left = STOCK_LEFT_NONE};
    if (!argument_amount(command, request->number, &credit.amount)) return EXIT_STATUS_USAGE;
    if (credit.credit_id == NULL) {
        bursar_message_id_generate(generated);
        credit.credit_id = generated;
    }
    if (!argument_message_id(command, "credit id", credit.credit_id)) return EXIT_STATUS_USAGE;
    if (!redis_lets_in(session, command)) return EXIT_STATUS_CONFIGURATION;
    enum status status =
        ledger_budget_credit(session->ledger, text_of(request->id), text_of(credit.credit_id), credit.amount,
                             &credit.applied, &session->error);
    if (status == STATUS_UNKNOWN) {
        return report_exit(EXIT_STATUS_TRY_AGAIN, "%s: %s; repeat with --credit-id %s", command,
                           session->error.text, credit.credit_id);
    }
    if (status != STATUS_OK) {
        return report_exit(exit_status_of_ledger(status, &session->error), "%s: %s", command,
                           session->error.text);
    }
    enum exit_status exit = EXIT_STATUS_WELL;
    if (credit.applied) {
        struct stock_level level = {.budget_id = text_of(request->id), .status = STATUS_RETRY};
        struct error ignored; /* what is left is told as a courtesy: the credit is done */
        if (stock_levels(session->stock, &level, 1, &ignored) == STATUS_OK && level.status == STATUS_OK)
            credit.left = level.left;
    } else {
        exit = apply(session, &credit);
    }
    print_credit(&credit, request->json);
    return (int)exit;
}
