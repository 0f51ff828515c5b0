#include "core/worker_state.h"

#include <stdarg.h>
#include <stdio.h>

void worker_note(struct worker *worker, enum log_level level, const char *event, const char *number_name,
                 int64_t number, const char *format, ...)
{
    if (worker->notes_count == NOTES_MAX) return; /* a flood within one step says nothing new */
    struct note *note = &worker->notes[(worker->notes_first + worker->notes_count++) % NOTES_MAX];
    *note = (struct note){.level = level, .event = event, .number_name = number_name, .number = number};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note->detail, sizeof note->detail, format, arguments);
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
