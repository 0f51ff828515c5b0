"""Prints the matrix as a table: pytest --table."""
import inspect


SHOWN_MAX = 20


def row_of(item):
    return item.callspec.params.get("row") if hasattr(item, "callspec") else None


def group_of(item):
    return item.path.stem[len("test_"):].replace("_", " ")


def words_of(item):
    return item.function.__name__[len("test_"):].replace("_", " ")


def name_of(item):
    """A row has a name; of any other test the function's name and its parameters say it."""
    if row_of(item):
        return f"{group_of(item)}: {row_of(item).name}"
    parameters = f" {item.callspec.id}" if hasattr(item, "callspec") else ""
    return f"{group_of(item)}: {words_of(item)}{parameters}"


def expected_of(item):
    return row_of(item).expected if row_of(item) else (inspect.getdoc(item.function) or "").split("\n")[0]


class Table:
    """One line a row, in words; at the end how many passed, failed and were skipped."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.seconds = {}

    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.user_properties += [("name", name_of(item)), ("expected", expected_of(item))]

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1
            self._print(report)

    def _print(self, report):
        outcome = report.outcome if report.outcome != "failed" else "FAILED"
        row = dict(report.user_properties)
        print(f"{outcome:8}{self.seconds[report.nodeid]:6.1f} s  {row['name']:70}  {row['expected']}".rstrip(), flush=True)
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
        lines = {}
        for item in items:
            full = any("BURSAR_TEST_FULL" in str(mark.kwargs.get("reason")) for mark in item.iter_markers("skipif"))
            name = name_of(item) if row_of(item) else f"{group_of(item)}: {words_of(item)}"
            parameters = lines.setdefault((name, full, expected_of(item)), [])
            if not row_of(item) and hasattr(item, "callspec"):
                parameters.append(item.callspec.id)
        for (name, full, expected), parameters in lines.items():
            shown = ", ".join(parameters) if len(parameters) <= SHOWN_MAX else f"({len(parameters)} cases)"
            print(f"| {name} {shown}".rstrip() + f" | {expected} | {'full' if full else ''} |")
        items.clear()
