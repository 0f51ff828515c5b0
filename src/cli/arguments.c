#include "cli/arguments.h"

#include "cli/output.h"
#include "cli/report.h"
#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool may_repeat(const struct command_usage *usage, int option)
{
    const int *repeated = usage->repeated;
    while (repeated != NULL && *repeated != 0 && *repeated != option) repeated++;
    return repeated != NULL && *repeated == option;
}

/* `values` has one for each of the command's own options. */
static bool is_given_once(const struct command_usage *usage, int option, const char **values)
{
    size_t i = 0;
    while (usage->own[i].val != option) i++;
    return usage->own[i].has_arg == no_argument || may_repeat(usage, option) ||
           options_once(usage->name, usage->own[i].name, &values[i], optarg);
}

enum arguments_next arguments_read(const struct command_usage *usage, struct options *options, int argc,
                                   char **argv, void *target)
{
    const char *values[OPTIONS_OWN_MAX] = {NULL};
    options_begin(false);
    int option;
    while ((option = options_next(options, usage->name, argc, argv, usage->own)) >= 0) {
        if (options->help) continue;
        if (!is_given_once(usage, option, values) || !usage->take(target, option, optarg))
            return ARGUMENTS_BAD;
    }
    if (option == OPTIONS_BAD) return ARGUMENTS_BAD;
    if (options->help) {
        output_text(text_of(usage->help));
        return ARGUMENTS_DONE;
    }
    if (options->version) {
        output_text(TEXT_LITERAL("bursar " BURSAR_VERSION "\n"));
        return ARGUMENTS_DONE;
    }
    return ARGUMENTS_READ;
}

bool arguments_count(const char *command, int count, int least, int most)
{
    if (count >= least && count <= most) return true;
    if (least == most)
        report("%s: takes %d words, not %d; see bursar %s --help", command, least, count, command);
    else
        report("%s: takes %d to %d words, not %d; see bursar %s --help", command, least, most, count,
               command);
    return false;
}

bool argument_budget_id(const char *command, const char *word)
{
    if (budget_id_is_valid(text_of(word))) return true;
    report("%s: '%.200s' is no budget id; use 1 to %d of A-Z a-z 0-9 . _ : -", command, word,
           BUDGET_ID_SIZE_MAX);
    return false;
}

bool argument_message_id(const char *command, const char *what, const char *word)
{
    if (message_id_is_valid(text_of(word))) return true;
    report("%s: '%.200s' is no %s; use 1 to %d visible ASCII characters", command, word, what,
           MESSAGE_ID_SIZE_MAX);
    return false;
}

bool argument_amount(const char *command, const char *word, int64_t *amount)
{
    if (amount_parse(text_of(word), amount)) return true;
    report("%s: '%.200s' is no amount; use a whole number, 1 to %" PRId64 ", without sign or leading zero",
           command, word, AMOUNT_MAX);
    return false;
}

static bool is_utf8(const char *command, const char *option, const char *word)
{
    json_t *string = json_string(word);
    bool valid = string != NULL;
    json_decref(string);
    if (!valid) report("%s: %s is not UTF-8; write it in UTF-8", command, option);
    return valid;
}

bool argument_text(const char *command, const char *option, const char *word, size_t size_max)
{
    if (!is_utf8(command, option, word)) return false;
    if (strlen(word) <= size_max) return true;
    report("%s: %s has %zu bytes; at most %zu are allowed", command, option, strlen(word), size_max);
    return false;
}

bool argument_characters(const char *command, const char *option, const char *word, size_t characters_max)
{
    if (!is_utf8(command, option, word)) return false;
    size_t count = 0;
    for (const char *c = word; *c != '\0'; c++) count += ((unsigned char)*c & 0xc0) != 0x80;
    if (count <= characters_max) return true;
    report("%s: %s has %zu characters; at most %zu are allowed", command, option, count, characters_max);
    return false;
}
