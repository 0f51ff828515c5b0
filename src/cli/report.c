#include "cli/report.h"

#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_SIZE_MAX 2048

__attribute__((format(printf, 1, 0))) static void write_line(const char *format, va_list arguments)
{
    char line[LINE_SIZE_MAX];
    int prefix = snprintf(line, sizeof line, "bursar: ");
    int body = vsnprintf(line + prefix, sizeof line - (size_t)prefix - 1, format, arguments);
    size_t size = body < 0 ? (size_t)prefix : (size_t)prefix + (size_t)body;
    if (size > sizeof line - 2) size = sizeof line - 2;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
    }
    line[size++] = '\n';
    (void)output_is_well();                           /* what was printed before belongs before it */
    if (write(STDERR_FILENO, line, size) < 0) return; /* there is nobody left to tell */
}

void report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}

int report_exit(enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
    return (int)status;
}
