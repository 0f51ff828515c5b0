/* Chance, all of it from one seed: splitmix64. Each step of a history has dice of its own, so that leaving
 * one step out does not change what the others do. */
#ifndef BURSAR_TESTS_SIM_DICE_H
#define BURSAR_TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The dice of a seed's step; step 0 draws the swarm. */
static inline struct dice dice_of(uint64_t seed, uint64_t step)
{
    struct dice dice = {seed * UINT64_C(0xd1342543de82ef95) + 1};
    dice.state = dice_next(&dice) ^ (step * UINT64_C(0xaf251af3b0f025b5));
    return dice;
}

/* 0 to sides - 1. */
static inline size_t dice_roll(struct dice *dice, size_t sides)
{
    return (size_t)(dice_next(dice) % sides);
}

static inline int64_t dice_between(struct dice *dice, int64_t least, int64_t most)
{
    return least + (int64_t)dice_roll(dice, (size_t)(most - least + 1));
}

static inline bool dice_permille(struct dice *dice, unsigned permille)
{
    return permille > 0 && dice_roll(dice, 1000) < permille;
}

#endif
