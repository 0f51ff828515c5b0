"""The picture of a run, as SVG: one time axis, a panel for each quantity, and a lane for each kind of fault."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 1040, 190, 24
PANEL, GAP, TOP, LANE = 118, 44, 92, 18
INK, FAINT, GRID, KILL = "#1a1a1a", "#5c5c5c", "#e4e4e4", "#c62828"
KILLED = "worker killed"


def nice_step(span, parts):
    """1, 2 or 5 times a power of ten: the smallest that cuts `span` into at most `parts`."""
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if span <= step * factor * parts:
                return step * factor
        step *= 10


def number(value):
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-6 else f"{value:,.2f}".rstrip("0")


class Chart:
    def __init__(self, title, subtitle, seconds):
        self.parts = []
        self.seconds = seconds
        self.y = TOP
        self.text(LEFT, 34, title, 20, weight="bold")
        for i, line in enumerate(subtitle):
            self.text(LEFT, 56 + 17 * i, line, 12.5, fill=FAINT)
        self.kills = []

    def text(self, x, y, words, size=12, anchor="start", fill=INK, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" '
                          f'font-weight="{weight}">{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, stroke=GRID, extra=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" {extra}/>')

    def x(self, seconds):
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.seconds

    def time_grid(self, height, labels):
        step = nice_step(self.seconds / 60, 12)
        minute = 0.0
        while minute * 60 <= self.seconds + 1e-6:
            x = self.x(minute * 60)
            self.line(x, self.y, x, self.y + height)
            if labels:
                self.text(x, self.y + height + 18, number(minute), anchor="middle", fill=FAINT)
            minute += step
        for when in self.kills:
            self.line(self.x(when), self.y, self.x(when), self.y + height, KILL, 'stroke-dasharray="4 3"')

    def panel(self, name, unit, series, low=0.0):
        """`series`: (label, colour, [(seconds, value or None)]). A None is a gap."""
        values = [value for _, _, points in series for _, value in points if value is not None]
        top = max(values + [low + 4])
        step = nice_step((top - low) * 1.05, 4)
        high = low
        while high < top * 1.02:
            high += step
        self.time_grid(PANEL, False)
        level = low
        while level <= high + step / 1000:
            y = self.y + PANEL * (1 - (level - low) / (high - low))
            self.line(LEFT, y, WIDTH - RIGHT, y)
            self.text(LEFT - 8, y + 4, number(level), anchor="end", fill=FAINT)
            level += step
        self.text(14, self.y + 14, name, 13, weight="bold")
        self.text(14, self.y + 31, unit, 12, fill=FAINT)
        for i, (label, colour, points) in enumerate(series):
            if len(series) > 1:
                self.line(14, self.y + 52 + 18 * i, 34, self.y + 52 + 18 * i, colour, 'stroke-width="2.5"')
                self.text(40, self.y + 56 + 18 * i, label)
            self.curve(colour, points, low, high)
        self.y += PANEL + GAP

    def curve(self, colour, points, low, high):
        path, pen = [], "M"
        for seconds, value in points:
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{self.x(seconds):.1f} {self.y + PANEL * (1 - (value - low) / (high - low)):.1f}")
            pen = "L"
        self.parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round"/>')

    def lanes(self, marks):
        """`marks`: (began, ended, name), seconds."""
        names = sorted({name for _, _, name in marks}, key=lambda name: (name != KILLED, name.lower()))
        self.text(14, self.y - 8, "Faults", 13, weight="bold")
        self.time_grid(LANE * max(1, len(names)), True)
        for i, name in enumerate(names):
            y = self.y + LANE * (i + 0.5)
            own = [(began, ended) for began, ended, of in marks if of == name]
            self.text(LEFT - 8, y + 4, f"{name}, {len(own)}", 11.5, anchor="end")
            colour = KILL if name == KILLED else "#37474f"
            for began, ended in own:
                width = max(3.0, self.x(ended) - self.x(began))
                self.parts.append(f'<rect x="{self.x(began):.1f}" y="{y - 5:.1f}" width="{width:.1f}" height="10" fill="{colour}"/>')
        self.y += LANE * max(1, len(names))
        self.text((LEFT + WIDTH - RIGHT) / 2, self.y + 40, "minutes", 12.5, anchor="middle", fill=FAINT)
        self.y += 56

    def svg(self):
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y:.0f}" viewBox="0 0 {WIDTH} {self.y:.0f}" '
                f'font-family="Helvetica, Arial, sans-serif">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n')


def by_life(rows, value):
    """(seconds, value), with a gap where another process begins."""
    points, before = [], None
    for row in rows:
        if before is not None and row["life"] != before:
            points.append((row["seconds"], None))
        before = row["life"]
        points.append((row["seconds"], value(row)))
    return points


def rates(rows, column, over=6):
    """How much a running total rises a second, over so many samples."""
    return [(late["seconds"], (late[column] - early[column]) / (late["seconds"] - early["seconds"]))
            for early, late in zip(rows, rows[over:])]


def draw(rows, marks, title, subtitle):
    """`rows`: as samples.py has them; `marks`: (began, ended, name) in seconds of the run."""
    chart = Chart(title, subtitle, rows[-1]["seconds"])
    chart.kills = [began for began, _, name in marks if name == KILLED]

    def mib(column):
        return by_life(rows, lambda row: row[column] and row[column] / 1024)
    chart.panel("Memory", "MiB, of the worker", [("resident", "#1565c0", mib("rss_kib")), ("of that, its own", "#90a4ae", mib("anonymous_kib"))])
    chart.panel("Descriptors", "and threads", [("descriptors", "#2e7d32", by_life(rows, lambda row: row["descriptors"])),
                                               ("threads", "#8d6e63", by_life(rows, lambda row: row["threads"]))])
    chart.panel("Load", "units a second", [("published", "#ef6c00", rates(rows, "published_units")),
                                           ("settled", "#00838f", rates(rows, "settled_units"))])
    chart.panel("Backlog", "messages", [("ready", "#6a1b9a", [(row["seconds"], row["ready"]) for row in rows]),
                                        ("held", "#9e9d24", [(row["seconds"], row["held"]) for row in rows]),
                                        ("refunds due", "#ad1457", [(row["seconds"], row["refunds_due"]) for row in rows])])
    chart.lanes(marks)
    return chart.svg()
