#!/usr/bin/python3
"""plot FILE.json >FILE.svg: throughput and p99 against connections, of what tests/bench/run measured. No library, no font."""

import html
import json
import math
import pathlib
import sys

PANEL_WIDTH, PANEL_HEIGHT = 380, 200
LEFT, TOP, GAP_X, GAP_Y = 76, 116, 110, 78
WIDTH = LEFT + 2 * PANEL_WIDTH + GAP_X + 70
HEIGHT = TOP + 2 * PANEL_HEIGHT + GAP_Y + 78

TITLES = {"list": "ListMessages, a page of 25 of 100 bytes", "send": "SendMessage, durable, one hot chat"}
NAMES = {"chats": "chats", "floor": "floor (does nothing)", "peer": "PHP-FPM + SQLite"}

# Each colour is told apart on both grounds; so that it need not be, each line has a mark of its own, too.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 12px; fill: #57606a }
.ground { fill: #ffffff } .grid { stroke: #d8dee4; fill: none }
.line { fill: none; stroke-width: 2.2 }
.chats { stroke: #0969da } .floor { stroke: #6e7781; stroke-dasharray: 6 4 } .peer { stroke: #bc4c00 }
.mark { fill: #ffffff; stroke-width: 2.2; stroke-dasharray: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .ground, .mark { fill: #0d1117 } .grid { stroke: #30363d }
.chats { stroke: #58a6ff } .floor { stroke: #9198a1 } .peer { stroke: #f0883e }
}
"""


def text(x, y, words, css="", anchor="start"):
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{html.escape(words)}</text>'


def mark(who, x, y):
    """A point: a circle, a square or a triangle."""
    css = f'class="mark {who}"'
    if who == "chats":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {css}/>'
    if who == "floor":
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" {css}/>'
    return f'<path d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z" {css}/>'


def nice_ticks(top):
    """Round numbers from 0 to a little above top, four to eight of them."""
    step = 10 ** math.floor(math.log10(top))
    while top / step < 4:
        step /= 2
    return [n * step for n in range(math.ceil(top / step) + 1)]


def decades(low, high):
    """1, 2, 5, 10, … that enclose the two."""
    ticks = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5)]
    first = max(i for i, t in enumerate(ticks) if t <= low)
    last = min(i for i, t in enumerate(ticks) if t >= high)
    return ticks[first : last + 1]


def panel(left, top, series, ticks, logarithmic, unit):
    """One drawing of {contestant: [(connections, value)]}."""
    def place_y(value):
        scale = math.log if logarithmic else float
        low, high = scale(ticks[0]), scale(ticks[-1])
        return top + PANEL_HEIGHT * (1 - (scale(value) - low) / (high - low))

    points = sorted({c for values in series.values() for c, _ in values})

    def place_x(connections):
        low, high = math.log(points[0]), math.log(points[-1])
        return left + PANEL_WIDTH * (0.03 + 0.94 * (math.log(connections) - low) / (high - low))

    parts = []
    for tick in ticks:
        y = place_y(tick)
        parts.append(f'<path d="M{left} {y:.1f}h{PANEL_WIDTH}" class="grid"/>')
        parts.append(text(left - 8, y + 4, f"{tick:,g}" if tick < 1000 else f"{tick:,.0f}", "small", "end"))
    for connections in points:
        parts.append(text(place_x(connections), top + PANEL_HEIGHT + 18, str(connections), "small", "middle"))
    parts.append(text(left + PANEL_WIDTH / 2, top + PANEL_HEIGHT + 36, "connections", "small", "middle"))
    parts.append(text(left, top - 10, unit, "small"))
    for who, values in series.items():
        at = [(place_x(c), place_y(v)) for c, v in values]
        parts.append(f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in at)}" class="line {who}"/>')
        parts.extend(mark(who, x, y) for x, y in at)
    return parts


def legend(contestants):
    """Which line is which."""
    parts, x = [], LEFT
    for who in contestants:
        name = NAMES[who]
        parts.append(f'<path d="M{x} 50h34" class="line {who}"/>{mark(who, x + 17, 50)}')
        parts.append(text(x + 42, 54, name))
        x += 62 + 8 * len(name)
    return parts


def svg(report):
    """The drawing, of the JSON's contents."""
    machine = report["machine"]
    where = f"{machine['cores']} cores, {machine['processor']}, Linux {machine['kernel']}, {machine['date'][:10]}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>Throughput and p99 against connections: {html.escape(', '.join(NAMES.values()))}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="ground"/>',
        text(LEFT, 26, "Behind the same lighttpd, auth = required, wrk on the same cores", "title"),
        text(LEFT, HEIGHT - 10, where, "small"),
        *legend(next(iter(report["curve"].values()))),
    ]
    measures = (("per_s", 1.0, "answers a second"), ("p99_us", 1e-3, "p99, ms"))
    for column, (kind, curves) in enumerate(report["curve"].items()):
        left = LEFT + column * (PANEL_WIDTH + GAP_X)
        parts.append(text(left, TOP - 22, TITLES[kind], "title"))
        for line, (figure, unit, what) in enumerate(measures):
            series = {w: [(p["connections"], p[figure] * unit) for p in ps] for w, ps in curves.items()}
            values = [v for points in series.values() for _, v in points]
            ticks = decades(min(values), max(values)) if line else nice_ticks(max(values))
            parts += panel(left, TOP + 8 + line * (PANEL_HEIGHT + GAP_Y), series, ticks, line == 1, what)
    return "\n".join([*parts, "</svg>", ""])


def main():
    """Prints the drawing."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    report = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
    if not report["curve"]:
        sys.exit(f"{sys.argv[1]} has no curve: tests/bench/run --row curve")
    sys.stdout.write(svg(report))


if __name__ == "__main__":
    main()
