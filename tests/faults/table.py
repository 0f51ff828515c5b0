"""Prints the matrix as a table: pytest --table -p no:terminal."""
import inspect


def expected_of(item):
    row = getattr(item, "callspec", None) and item.callspec.params.get("row")
    text = row.expected if row else inspect.getdoc(item.function) or ""
    return text.split("\n")[0]


def name_of(nodeid):
    """test_redis.py::test_redis[slow] -> redis: slow; without parameters the function's name says it."""
    path, _, test = nodeid.partition("::")
    function, _, parameter = test.partition("[")
    group = path.rsplit("/", 1)[-1][len("test_"):-len(".py")]
    words = function[len("test_"):].replace("_", " ")
    return f"{group}: " + (parameter[:-1] if words.startswith(group) else f"{words} {parameter[:-1]}".rstrip())


class Table:
    """One line a row, in words; at the end how many passed, failed and were skipped."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.seconds = {}

    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.user_properties.append(("expected", expected_of(item)))

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1
            self._print(report)

    def _print(self, report):
        outcome = report.outcome if report.outcome != "failed" else "FAILED"
        expected = dict(report.user_properties).get("expected", "")
        print(f"{outcome:8}{self.seconds[report.nodeid]:6.1f} s  {name_of(report.nodeid):70}  {expected}", flush=True)
        if report.outcome == "failed":
            print("\n".join("    " + line for line in report.longreprtext.splitlines()[-40:]), flush=True)
        elif report.outcome == "skipped":
            print("    " + str(report.longrepr[2]), flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            self.counts["failed"] += 1
            print(report.longreprtext, flush=True)

    def pytest_sessionfinish(self):
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.counts), flush=True)


class List:
    """Runs nothing: the rows and what is expected of them, as README.md has them."""

    def pytest_collection_modifyitems(self, items):
        for item in items:
            full = any("BURSAR_TEST_FULL" in str(mark.kwargs.get("reason")) for mark in item.iter_markers("skipif"))
            print(f"| {name_of(item.nodeid)}{' (full)' if full else ''} | {expected_of(item)} |")
        items.clear()
