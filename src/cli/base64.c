#include "cli/letter_json.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct text bytes, struct buffer *out)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        uint32_t group = 0;
        size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < count ? (unsigned char)bytes.data[i + k] : 0);
        char four[4];
        for (size_t k = 0; k < 4; k++) four[k] = k <= count ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        buffer_append(out, (struct text){four, 4});
    }
}

static int value_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

bool base64_decode(struct text encoded, struct arena *arena, struct text *bytes)
{
    if (encoded.size % 4 != 0) return false;
    char *out = arena_alloc(arena, encoded.size / 4 * 3 + 1);
    size_t size = 0;
    for (size_t i = 0; i < encoded.size; i += 4) {
        const char *four = encoded.data + i;
        bool last = i + 4 == encoded.size;
        size_t padding = !last || four[3] != '=' ? 0 : four[2] == '=' ? 2 : 1;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k >= 4 - padding ? 0 : value_of(four[k]);
            if (value < 0) return false;
            group = group << 6 | (uint32_t)value;
        }
        /* Bits that no byte takes up would be another spelling of the same bytes. */
        if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0)) return false;
        for (size_t k = 0; k < 3 - padding; k++) out[size++] = (char)(group >> (16 - 8 * k));
    }
    out[size] = '\0';
    *bytes = (struct text){out, size};
    return true;
}
