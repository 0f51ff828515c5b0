"""Whether a process that ran for long needs no more at its end than it needed when it was warm."""
import statistics

CEILING_KIB = 160 * 1024      # of every life: the page cache of 64 MiB, what is held, and as much again
FLAT_SECONDS_MIN = 1800       # a shorter life is still filling its page cache, so its memory is only held to the ceiling
GROWTH_MAX = 0.02             # from the median of the second quarter of a life to the median of its last quarter
SLOPE_KIB_AN_HOUR_MAX = 2048  # over the second, third and last quarter; at 1,000 a second half a byte a deduction
SAMPLES_MIN = 8               # in a life that is judged at all


def slope_an_hour(points):
    """The median of the slopes between points half of the time apart (Theil and Sen, by halves): outliers do not move it."""
    half = len(points) // 2
    slopes = [(late[1] - early[1]) / (late[0] - early[0]) for early, late in zip(points[:half], points[-half:])]
    return statistics.median(slopes) * 3600


def quarters(points):
    """The values of the second and of the last quarter of the time."""
    first, last = points[0][0], points[-1][0]
    share = [(when - first) / (last - first) for when, _ in points]
    return ([value for at, (_, value) in zip(share, points) if 0.25 <= at < 0.5],
            [value for at, (_, value) in zip(share, points) if at >= 0.75])


def lives(rows):
    """{life: its rows}, where the process was there."""
    found = {}
    for row in rows:
        if row["rss_kib"] is not None:
            found.setdefault(row["life"], []).append(row)
    return {life: of for life, of in found.items() if len(of) >= SAMPLES_MIN}


def judge_memory(life, points, wrong):
    seconds = points[-1][0] - points[0][0]
    second, last = (statistics.median(values) for values in quarters(points))
    peak = max(value for _, value in points)
    line = (f"life {life}, {seconds / 60:.1f} min: memory {second / 1024:.2f} MiB in its second quarter, {last / 1024:.2f} in its last, "
            f"at most {peak / 1024:.2f}")
    if peak > CEILING_KIB:
        wrong.append(f"life {life}: memory rose to {peak} KiB, more than {CEILING_KIB}")
    if seconds < FLAT_SECONDS_MIN:
        return line
    if last - second > GROWTH_MAX * second:
        wrong.append(f"life {life}: memory grew from {second:.0f} to {last:.0f} KiB, more than {GROWTH_MAX:.0%}")
    slope = slope_an_hour([point for point in points if point[0] - points[0][0] >= seconds / 4])
    if slope > SLOPE_KIB_AN_HOUR_MAX:
        wrong.append(f"life {life}: memory grows by {slope:.0f} KiB an hour, more than {SLOPE_KIB_AN_HOUR_MAX}")
    return line + f", slope {slope:+.0f} KiB an hour"


def judge(rows, long_life_wanted=False):
    """(what is wrong, in words; what was found, a line for each life)"""
    wrong, found = [], []
    judged = lives(rows)
    if not judged:
        wrong.append("no life of the worker was long enough to be judged")
    if long_life_wanted and not any(of[-1]["seconds"] - of[0]["seconds"] >= FLAT_SECONDS_MIN for of in judged.values()):
        wrong.append("no life of the worker was long enough to tell whether its memory is flat")
    for life, of in judged.items():
        line = judge_memory(life, [(row["seconds"], row["rss_kib"]) for row in of], wrong)
        is_short = of[-1]["seconds"] - of[0]["seconds"] < FLAT_SECONDS_MIN
        for what in ("descriptors", "threads"):
            second, last = quarters([(row["seconds"], row[what]) for row in of])
            # A connection may be away for half of a short life's quarter.
            early, late = max(second) if is_short else statistics.median_low(second), statistics.median_low(last)
            line += f"; {what} {early} and {late}"
            if late > early:
                wrong.append(f"life {life}: {what} rose from {early} to {late}")
        found.append(line)
    return wrong, found
