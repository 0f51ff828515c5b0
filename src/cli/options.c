#include "cli/options.h"

#include "base/memory.h"
#include "cli/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_SET = 'S', OPTION_JSON = 'J', OPTION_HELP = 'h', OPTION_VERSION = 'V', OPTION_CONFIG = 'c' };

static const struct option common[] = {
    {"config", required_argument, NULL, OPTION_CONFIG}, {"set", required_argument, NULL, OPTION_SET},
    {"json", no_argument, NULL, OPTION_JSON},           {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};

#define COMMON_COUNT (sizeof common / sizeof common[0])

static const char *short_options;

void options_begin(bool stop_at_word)
{
    short_options = stop_at_word ? "+:c:h" : ":c:h";
    opterr = 0;
    optind = 0; /* glibc: a new argv, and the rules of a new option string */
}

static int complain(const char *command, char **argv, int found)
{
    const char *space = command[0] == '\0' ? "" : " ";
    /* getopt leaves optind behind the word at fault, or on it while a cluster of short options is not used
     * up. */
    const char *word =
        optopt != 0 && optopt < OPTION_OWN && argv[optind - 1][0] != '-' ? argv[optind] : argv[optind - 1];
    if (found == ':')
        report("%s%s%s: needs a value; see bursar%s%s --help", command, space, argv[optind - 1], space,
               command);
    else
        report("%s%s%s: no such option here; see bursar%s%s --help", command, space,
               word == NULL ? "?" : word, space, command);
    return OPTIONS_BAD;
}

int options_next(struct options *options, const char *command, int argc, char **argv,
                 const struct option *own)
{
    struct option all[COMMON_COUNT + OPTIONS_OWN_MAX + 1] = {{0}};
    memcpy(all, common, sizeof common);
    for (size_t i = 0; own != NULL && own[i].name != NULL; i++) {
        assert(i < OPTIONS_OWN_MAX);
        all[COMMON_COUNT + i] = own[i];
    }
    for (;;) {
        int found = getopt_long(argc, argv, short_options, all, NULL);
        switch (found) {
        case OPTION_CONFIG:
            if (!options_once(command, "config", &options->config_file, optarg)) return OPTIONS_BAD;
            break;
        case OPTION_SET:
            options->sets = memory_resize(options->sets, options->set_count + 1, sizeof *options->sets);
            options->sets[options->set_count++] = optarg;
            break;
        case OPTION_JSON: options->json = true; break;
        case OPTION_HELP: options->help = true; break;
        case OPTION_VERSION: options->version = true; break;
        case '?':
        case ':': return complain(command, argv, found);
        default: return found;
        }
    }
}

bool options_once(const char *command, const char *option, const char **kept, const char *value)
{
    if (*kept == NULL) {
        *kept = value;
        return true;
    }
    report("%s%s--%s is given twice: '%.100s' and '%.100s'; give it once", command,
           command[0] == '\0' ? "" : ": ", option, *kept, value);
    return false;
}

struct config_source options_config_source(const struct options *options)
{
    return (struct config_source){
        .file = options->config_file, .sets = options->sets, .set_count = options->set_count};
}

void options_free(struct options *options)
{
    free(options->sets);
    *options = (struct options){0};
}
