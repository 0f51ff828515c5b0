"""What every command line is held to: its words, its options, and that help needs no service."""
import json
import re
import subprocess

import pytest
from world import BURSAR


@pytest.mark.parametrize("words", [
    [], ["frob"], ["--frob"], ["init", "word"], ["check", "--frob"], ["status", "x"], ["budget"], ["budget", "frob"], ["budget", "create"],
    ["budget", "create", "b"], ["budget", "create", "b", "--total", "-1"], ["budget", "create", "b", "--total", "1.5"],
    ["budget", "create", "b", "--total", "01"], ["budget", "create", "b", "--total", "9007199254740992"],
    ["budget", "create", "b d", "--total", "5"], ["budget", "create", "", "--total", "5"], ["budget", "create", "b" * 129, "--total", "5"],
    ["budget", "create", "b", "--total", "5", "--ext", "[]"], ["budget", "create", "b", "--total", "5", "--ext", "{"],
    ["budget", "create", "b", "--total", "5", "--ext", '{"a":1,"a":2}'], ["budget", "create", "b", "--total", "5", "--credit-id", "c"],
    ["budget", "create", "b", "--total", "5", "--name", "n" * 257], ["budget", "create", "b", "--total", "5", "--name", "\udcff"],
    ["budget", "add", "b"], ["budget", "add", "b", "0"], ["budget", "add", "b", "x"], ["budget", "add", "b", "5", "--credit-id", "a b"],
    ["budget", "show"], ["budget", "show", "b", "c"], ["budget", "list", "b"],
    ["budget", "close", "b", "--total", "5"], ["deduct"], ["deduct", "b"], ["deduct", "b", "0"], ["deduct", "b d", "1"], ["deduct", "b", "-1"],
    ["deduct", "b", "1", "--message-id", ""], ["deduct", "b", "1", "--user", "u" * 129], ["deduct", "b", "1", "--from", "-"],
    ["deduct", "b", "1", "2"], ["deduct", "--from"], ["budget", "--set"],
])
def test_bad_usage_is_64_and_one_line(words):
    done = subprocess.run([BURSAR, *words], capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 64, done.stderr
    assert re.fullmatch(rb"bursar: [^\n]+\n", done.stderr), done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("words, said", [
    ("reconcile --budget b2 --budget b3", "reconcile: --budget is given twice: 'b2' and 'b3'; give it once"),
    ("deduct c 1 --message-id aa --message-id=bb", "deduct: --message-id is given twice: 'aa' and 'bb'; give it once"),
    ("budget create c --total 3 --name n --total 3", "budget: --total is given twice: '3' and '3'; give it once"),
    ("dlq discard --reason a --yes --reason b", "dlq: --reason is given twice: 'a' and 'b'; give it once"),
    ("dlq show --since 1h --since 2h", "dlq: --since is given twice: '1h' and '2h'; give it once"),
    ("dlq list --limit 1 --limit 100", "dlq: --limit is given twice: '1' and '100'; give it once"),
    ("dlq replay --edit amount=2 --edit amount=3", "dlq: --edit amount is given twice: '2' and '3'; give it once"),
    ("-c a status -c b", "status: --config is given twice: 'a' and 'b'; give it once"),
    ("--config a -c b status", "--config is given twice: 'a' and 'b'; give it once")])
def test_an_option_with_one_value_is_given_once(words, said):
    done = subprocess.run([BURSAR, *words.split()], capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (64, "", f"bursar: {said}\n")


def test_help_and_version_need_nothing():
    commands = subprocess.run([BURSAR, "--help"], capture_output=True, text=True, check=True).stdout
    for name in ("init", "check", "run", "budget", "deduct", "status"):
        assert re.search(rf"^  {name} ", commands, re.MULTILINE)
        help_text = subprocess.run([BURSAR, name, "--help"], capture_output=True, text=True, check=True).stdout
        assert help_text.startswith(f"usage: bursar {name}") and "Examples:" in help_text and "Exit status:" in help_text
        assert subprocess.run([BURSAR, "--help", name], capture_output=True, text=True, check=True).stdout == help_text
    for words in (["--version"], ["status", "--version"]):
        version = subprocess.run([BURSAR, *words], capture_output=True, text=True, check=True).stdout
        assert re.fullmatch(r"bursar \d+\.\d+\.\d+\n", version)


def test_common_options_stand_anywhere(world):
    words = ["--json", "-c", world.config]
    for line in (words + ["budget", "show", "camp"], ["budget"] + words + ["show", "camp"], ["budget", "show", "camp"] + words,
                 ["--json", "budget", "show", "--config", world.config, "camp"], ["budget", "--json", "show", f"--config={world.config}", "camp"]):
        done = subprocess.run([BURSAR, *line], capture_output=True, text=True)
        assert done.returncode == 0 and json.loads(done.stdout)["id"] == "camp", (line, done.stderr)
