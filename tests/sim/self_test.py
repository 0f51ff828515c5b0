"""What the simulator promises of itself: a seed is a history, to the byte; a choice of steps is one too; bad usage is said."""
import hashlib
import re
import subprocess
import sys

SIM = sys.argv[1]


def run(*words, status=0):
    done = subprocess.run([SIM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == status, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout, done.stderr


def trace(seed, *words):
    """The trace of one history, without the line that tells how fast it was."""
    output, _ = run("--seed", str(seed), "--trace", *words)
    return b"\n".join(line for line in output.split(b"\n") if b" a second" not in line)


def main():
    seeds = range(1, 40)
    first, second = [[hashlib.sha256(trace(seed)).hexdigest() for seed in seeds] for _ in range(2)]
    assert first == second, "the same seed gave two histories"
    assert len(set(first)) == len(first), "two seeds gave the same history"

    # A history after many others is the same as alone: nothing is carried over.
    together, _ = run("--seed", "1", "--histories", "39", "--trace")
    assert trace(39)[:-len(b"1 passed, 0 failed\n")] in together, "a history depends on those before it"

    whole, part = trace(7), trace(7, "--steps", "1-50,60")
    steps = [int(number) for number in re.findall(rb"^(\d+) \d+ [a-z-]+$", part, re.MULTILINE)]
    assert steps == list(range(1, 51)) + [60], steps
    assert whole.startswith(part[:part.index(b"\n60 ")]), "steps that stay do not do the same"

    for words in (["--seed", "x"], ["--steps", "5-1"], ["--steps", "a"], ["--nonsense"]):
        _, error = run(*words, status=64)
        assert error, words
    print("ok")


main()
