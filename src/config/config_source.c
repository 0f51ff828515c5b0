#include "config/config_source.h"

#include "base/buffer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_source_line(const char *path, unsigned number, char *line, size_t size)
{
    line[0] = '\0';
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL) return;
    char *text = NULL;
    size_t capacity = 0;
    while (number > 0 && getline(&text, &capacity, file) >= 0) {
        if (--number == 0) snprintf(line, size, "%s", text);
    }
    free(text);
    fclose(file);
}

/* A place in the text, and its line. */
struct reader {
    const char *at;
    unsigned line;
};

static void step(struct reader *reader)
{
    if (*reader->at == '\n') reader->line++;
    if (*reader->at != '\0') reader->at++;
}

static bool begins_comment(const char *at)
{
    return *at == '#' || (at[0] == '/' && (at[1] == '/' || at[1] == '*'));
}

static void skip_comment(struct reader *reader)
{
    if (reader->at[0] == '/' && reader->at[1] == '*') {
        reader->at += 2;
        while (*reader->at != '\0' && strncmp(reader->at, "*/", 2) != 0) step(reader);
        if (*reader->at != '\0') reader->at += 2;
        return;
    }
    while (*reader->at != '\0' && *reader->at != '\n') step(reader);
}

static void skip_string(struct reader *reader)
{
    step(reader);
    while (*reader->at != '\0' && *reader->at != '"') {
        if (*reader->at == '\\') step(reader);
        step(reader);
    }
    step(reader);
}

static void skip_space(struct reader *reader)
{
    for (;;) {
        if (begins_comment(reader->at))
            skip_comment(reader);
        else if (isspace((unsigned char)*reader->at))
            step(reader);
        else
            return;
    }
}

static bool is_of_a_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

/* The number behind a name: "= 5", ": 0x1f". */
static bool read_number(struct reader *reader, int64_t *value)
{
    skip_space(reader);
    if (*reader->at != '=' && *reader->at != ':') return false;
    step(reader);
    skip_space(reader);
    const char *digits = reader->at + (*reader->at == '-' || *reader->at == '+');
    bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    char *end;
    *value = strtoll(reader->at, &end, hexadecimal ? 16 : 10);
    return end != reader->at;
}

static bool find_number(struct reader reader, unsigned line, const char *name, int64_t *value)
{
    while (*reader.at != '\0' && reader.line <= line) {
        skip_space(&reader);
        if (*reader.at == '"') {
            skip_string(&reader);
            continue;
        }
        const char *word = reader.at;
        unsigned word_line = reader.line;
        while (is_of_a_word(*reader.at)) step(&reader);
        size_t size = (size_t)(reader.at - word);
        if (size == 0) {
            step(&reader);
        } else if (word_line == line && size == strlen(name) && strncmp(word, name, size) == 0 &&
                   read_number(&reader, value)) {
            return true;
        }
    }
    return false;
}

bool config_source_number(const char *path, unsigned number, const char *name, int64_t *value)
{
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL) return false;
    struct buffer text = {0};
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        buffer_append(&text, (struct text){part, size});
    fclose(file);
    bool found = text.size > 0 && find_number((struct reader){text.data, 1}, number, name, value);
    buffer_free(&text);
    return found;
}
