#include "core/worker_state.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 4, 0))) static void note_add(struct worker *worker, size_t most,
                                                           const struct note *begun, const char *format,
                                                           va_list arguments)
{
    if (worker->notes_count >= most) return;
    struct note *note = &worker->notes[(worker->notes_first + worker->notes_count++) % NOTES_MAX];
    *note = *begun;
    vsnprintf(note->detail, sizeof note->detail, format, arguments);
}

void worker_note(struct worker *worker, enum log_level level, const char *event, const char *number_name,
                 int64_t number, const char *format, ...)
{
    struct note note = {.level = level, .event = event, .number_name = number_name, .number = number};
    va_list arguments;
    va_start(arguments, format);
    note_add(worker, NOTES_MAX, &note, format, arguments);
    va_end(arguments);
}

void worker_note_message(struct worker *worker, enum log_level level, const char *event,
                         const char *number_name, int64_t number, const char *format, ...)
{
    struct note note = {.level = level, .event = event, .number_name = number_name, .number = number};
    va_list arguments;
    va_start(arguments, format);
    note_add(worker, NOTES_MESSAGE_MAX, &note, format, arguments);
    va_end(arguments);
}

bool note_next(struct worker *worker, struct effect *effect)
{
    if (worker->notes_count == 0) return false;
    effect->kind = EFFECT_NOTE;
    effect->note = worker->notes[worker->notes_first];
    worker->notes_first = (worker->notes_first + 1) % NOTES_MAX;
    worker->notes_count--;
    return true;
}
