"""The judges of an endurance run, on made-up runs: what is flat passes, what grows is found. And the picture shows what it is given."""
import random
import re
from xml.etree import ElementTree

import chart
import verdict

MIB = 1024


def made_up(minutes=60, memory=lambda minute: 80 * MIB, descriptors=lambda minute: 15, threads=lambda minute: 6, life=1, begin=0):
    """A sample every five seconds, with the noise of a process at work: a little up and down, and a message's worth now and then."""
    dice = random.Random(1)
    rows = []
    for i in range(int(minutes * 12)):
        minute = i / 12
        noise = dice.randrange(-80, 80) + (2000 if dice.random() < 0.02 else 0)
        away = dice.random() < 0.05
        rows.append({"seconds": begin + 5.0 * i, "life": life, "rss_kib": memory(minute) + noise, "anonymous_kib": memory(minute) - 5 * MIB,
                     "descriptors": descriptors(minute) - away, "threads": threads(minute), "ready": 0, "held": 100, "refunds_due": 0,
                     "published_units": 3000 * (begin + 5 * i), "settled_units": 2900 * (begin + 5 * i)})
    return rows


def complaints(**made):
    return "; ".join(verdict.judge(made_up(**made))[0])


def test_a_flat_life_passes():
    assert complaints() == ""


def test_a_life_that_fills_its_cache_first_passes():
    assert complaints(memory=lambda minute: min(80, 20 + 5 * minute) * MIB) == ""


def test_three_mib_an_hour_are_found():
    assert "memory grows by" in complaints(memory=lambda minute: 80 * MIB + int(3 * MIB * minute / 60))


def test_one_mib_an_hour_is_within_the_bound():
    assert complaints(memory=lambda minute: 80 * MIB + int(MIB * minute / 60)) == ""


def test_a_step_near_the_end_is_found():
    assert "memory grew from" in complaints(memory=lambda minute: (80 if minute < 50 else 83) * MIB)


def test_too_much_memory_is_found_however_flat_and_short():
    assert "more than" in complaints(minutes=2, memory=lambda minute: 170 * MIB)


def test_a_short_life_may_still_grow():
    assert complaints(minutes=5, memory=lambda minute: (20 + int(5 * minute)) * MIB) == ""


def test_a_descriptor_every_ten_minutes_is_found():
    assert "descriptors rose" in complaints(descriptors=lambda minute: 15 + int(minute / 10))


def test_one_lost_descriptor_is_found_in_a_short_life_too():
    assert "descriptors rose" in complaints(minutes=4, descriptors=lambda minute: 15 + (minute > 2.5))


def test_a_connection_that_is_away_for_long_is_no_leak_afterwards():
    assert complaints(minutes=2, descriptors=lambda minute: 14 if 0.5 < minute < 0.85 else 15) == ""


def test_a_lost_thread_is_found():
    assert "threads rose" in complaints(threads=lambda minute: 6 + (minute > 40))


def test_the_life_that_grows_is_named():
    rows = made_up() + made_up(memory=lambda minute: int((80 + minute) * MIB), life=2, begin=3600)
    wrong, found = verdict.judge(rows)
    assert wrong and all(line.startswith("life 2:") for line in wrong)
    assert len(found) == 2


def test_a_run_without_a_long_life_proves_nothing():
    assert verdict.judge([])[0]
    assert verdict.judge(made_up(minutes=10))[0] == []
    assert verdict.judge(made_up(minutes=10), long_life_wanted=True)[0]
    assert verdict.judge(made_up(minutes=45), long_life_wanted=True)[0] == []


def test_samples_without_a_process_are_left_out():
    rows = made_up()
    for row in rows[100:110]:
        row.update(rss_kib=None, descriptors=None, threads=None)
    assert verdict.judge(rows)[0] == []


def test_the_picture():
    rows = made_up(minutes=5) + made_up(minutes=5, life=2, begin=300)
    marks = [(300.0, 301.0, chart.KILLED), (20.0, 26.0, "broker <restarted>"), (120.0, 121.0, "broker <restarted>")]
    picture = ElementTree.fromstring(chart.draw(rows, marks, "A & B", ["<sub>"]))
    space = "{http://www.w3.org/2000/svg}"
    width, height = int(picture.get("width")), int(picture.get("height"))
    words = [text.text for text in picture.iter(space + "text")]
    assert {"A & B", "<sub>", "Memory", "minutes", "worker killed, 1", "broker <restarted>, 2"} <= set(words)
    paths = [path.get("d") for path in picture.iter(space + "path")]
    assert paths[0].count("M") == 2, "the line breaks where another process begins"
    for path in paths:
        for x, y in re.findall(r"([\d.-]+) ([\d.-]+)", path):
            assert 0 <= float(x) <= width and 0 <= float(y) <= height
    boxes = [box for box in picture.iter(space + "rect") if box.get("x")]
    assert len(boxes) == len(marks)
