/* What `scripts/coverage --self-test` measures. Run without an argument it misses just what the comments say,
 * with one nothing that counts. */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

enum kind { KIND_ONE, KIND_TWO, KIND_THREE };

static int one_operand(int a, int b)
{
    if (a > 0 && b > 0) return 1; /* missed: branch 3 of 4 never taken */
    return 2;
}

static int either(bool yes)
{
    return yes ? 3 : 4; /* missed: branch 2 of 2 never taken */
}

static int arms(enum kind kind)
{
    switch (kind) { /* missed: branch 2 of 3 never taken */
    case KIND_ONE: return 5;
    case KIND_TWO: return 6; /* missed: never runs */
    case KIND_THREE: return 7;
    }
    return 8; /* missed: never runs */
}

static int past(enum kind kind)
{
    int value = 9;
    switch (kind) {       /* missed: branch 1 of 2 never taken */
    case KIND_ONE: break; /* missed: never runs */
    case KIND_TWO:
    case KIND_THREE: value++; break;
    }
    return value;
}

static int silent(enum kind kind)
{
    int value = 11;
    switch (kind) { /* missed: branch 2 of 2 never taken */
    case KIND_ONE: value++; break;
    case KIND_TWO: /* not reached, like what follows */
    case KIND_THREE: assert(false && "this kind"); break;
    default: return 13; /* missed: never runs */
    }
    return value;
}

static int nested(enum kind kind, int value)
{
    assert(value > 0 && value < 100 &&
           "a text that makes this assert longer than one line of the source can be");
    switch (kind) {                 /* missed: branch 1 of 2 never taken */
    case KIND_ONE:                  /* missed: never runs */
        value++;                    /* missed: never runs */
        switch (value + 1) {        /* missed: never runs */
        case 3: value = 14; break;  /* missed: never runs */
        default: value = 15; break; /* missed: never runs */
        }
        break; /* missed: never runs */
    case KIND_TWO: value = 16; break;
    default: assert(kind == KIND_ONE); break;
    }
    return value;
}

static int uncalled(void) /* missed: never runs */
{
    return 18; /* missed: never runs */
}

int main(int count, char **arguments)
{
    (void)arguments;
    int sum = one_operand(1, 0) + one_operand(0, 1) + either(true) + arms(KIND_ONE) + arms(KIND_THREE);
    sum += past(KIND_TWO) + silent(KIND_ONE) + nested(KIND_TWO, 1);
    if (count > 1) {                                               /* missed: branch 1 of 2 never taken */
        sum += one_operand(1, 1) + either(false) + arms(KIND_TWO); /* missed: never runs */
        sum += arms((enum kind)9) + past(KIND_ONE) + silent((enum kind)9); /* missed: never runs */
        sum += nested(KIND_ONE, 1) + nested(KIND_ONE, 2) + uncalled();     /* missed: never runs */
    } else {
        sum++;
    }
    printf("%d\n", sum);
    return 0;
}
