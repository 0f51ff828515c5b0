/* Allocation that does not fail: without memory the process ends at once with one line on stderr. Nothing
 * that a crash here could lose was acknowledged, and a worker that limps on without memory is worse than one
 * that restarts. */
#ifndef BURSAR_BASE_MEMORY_H
#define BURSAR_BASE_MEMORY_H

#include <stddef.h>

/* malloc; `size` may be 0. The caller frees. */
void *memory_alloc(size_t size) __attribute__((malloc));

/* Zeroed; the caller frees. The product is checked. */
void *memory_alloc_zero(size_t count, size_t size) __attribute__((malloc));

/* realloc to count * size bytes, checked. The caller frees. */
void *memory_resize(void *memory, size_t count, size_t size);

/* strdup; NULL stays NULL. The caller frees. */
char *memory_copy_string(const char *string);

/* `given`, unless it is NULL: for what a library leaves NULL only where it had no memory and did not say so.
 */
const char *memory_given(const char *given);

#endif
