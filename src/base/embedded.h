/* A file that became part of the program, so that it is never looked for at run time. */
#ifndef BURSAR_BASE_EMBEDDED_H
#define BURSAR_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* of the file, without its folder */
    const char *data; /* NUL-terminated behind `size` */
    size_t size;      /* bytes, without the NUL */
};

#endif
