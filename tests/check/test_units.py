"""The units and the crontab in etc/: systemd understands them, they are locked in as the worker is, and they call commands that exist."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ETC = os.path.join(ROOT, "etc")
BURSAR = os.environ.get("BURSAR_BIN", os.path.join(ROOT, "build", "debug", "src", "cli", "bursar"))
INSTALLED = "/usr/local/bin/bursar"
UNITS = sorted(name for name in os.listdir(ETC) if name.endswith((".service", ".timer")))


def read(name):
    with open(os.path.join(ETC, name), encoding="utf-8") as file:
        return file.read()


def verify(folder, *names):
    """What systemd says of the units in a folder."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(os.path.join(folder, name) for name in names)],
                          capture_output=True, text=True, timeout=60)
    # Other units of this machine are none of ours.
    return [line for line in (done.stdout + done.stderr).splitlines() if "bursar" in line]


@pytest.fixture
def folder(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        (tmp_path / name).write_text(read(name).replace(INSTALLED, BURSAR))
    return tmp_path


def test_there_are_three():
    assert UNITS == ["bursar-reconcile.service", "bursar-reconcile.timer", "bursar.service"]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands(folder, name):
    assert verify(folder, name) == []


def test_a_mistake_would_be_seen(folder):
    path = folder / "bursar-reconcile.service"
    path.write_text(path.read_text().replace("NoNewPrivileges=yes", "NoNewPriviliges=yes"))
    assert any("NoNewPriviliges" in line for line in verify(folder, path.name))


def test_both_services_are_locked_in_alike():
    def lock(name):
        return re.findall(r"^\w+=.*$", read(name).split("nothing else.\n")[1].split("[Install]")[0], re.MULTILINE)
    assert len(lock("bursar.service")) > 20
    assert lock("bursar.service") == lock("bursar-reconcile.service")


def command_lines():
    for name in UNITS:
        for line in re.findall(r"^ExecStart=(.*)$", read(name), re.MULTILINE):
            yield name, line.replace(INSTALLED, "bursar")
    for line in re.findall(r"^#?[*/\d]+ [*\d]+ \* \* \* bursar (.*)$", read("bursar.cron"), re.MULTILINE):
        yield "bursar.cron", line


def test_what_they_call_exists():
    lines = list(command_lines())
    assert len(lines) == 4
    for name, line in lines:
        words = line.split()
        assert words[0] == "bursar", name
        # With --help at the end everything before it is read and checked, and nothing is done.
        done = subprocess.run([BURSAR, *words[1:], "--help"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout.startswith(f"usage: bursar {words[1]}"), (name, done.stderr)
    failed = subprocess.run([BURSAR, "reconcile", "--no-such-option", "--help"], capture_output=True, timeout=30)
    assert failed.returncode == 64
