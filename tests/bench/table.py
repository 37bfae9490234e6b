"""How rows are shown: line by line while they are measured, and as one table of Markdown at the end."""

CONTESTANTS = ("floor", "peer", "chats")
HEAD = f"{'':36}" + "".join(f"{who:>12}" for who in CONTESTANTS)


def shown(value):
    """A number with as many digits as tell something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def limit(ratio, value):
    """A bar or an aim in words."""
    return "" if value is None else f"{ratio.sense} {shown(value)}{ratio.unit}"


def verdict(ratio):
    """Whether bar and aim are reached."""
    bar = "" if ratio.bar is None else "MISSED" if ratio.misses(ratio.bar) else "held"
    aim = "" if ratio.aim is None else "aim missed" if ratio.misses(ratio.aim) else "aim reached"
    return ", ".join(word for word in (bar, aim) if word)


def print_row(row):
    """Its title; a line for each figure, the contestants side by side; a line for each comparison."""
    print(f"{row.name}: {row.title}")
    others = [who for who in row.figures if who not in CONTESTANTS]
    for figure in dict.fromkeys(figure for found in row.figures.values() for figure in found):
        cells = [row.figures.get(who, {}).get(figure) for who in (*CONTESTANTS, *others)]
        line = "".join(f"{'-' if cell is None else shown(cell):>12}" for cell in cells)
        print(f"    {figure:32}{line}{'  <- ' + ', '.join(others) if others else ''}")
    for ratio in row.ratios:
        limits = f"   bar {limit(ratio, ratio.bar):10}" if ratio.bar is not None else ""
        limits += f"   aim {limit(ratio, ratio.aim):10}" if ratio.aim is not None else ""
        print(f"    {ratio.what:56}{shown(ratio.value):>12}{ratio.unit}{limits}   {verdict(ratio)}")
    if row.notes:
        print(f"    {row.notes}")
    print(end="", flush=True)


def cell(row, who):
    """A contestant's figures in a few words."""
    found = row.figures.get(who)
    if found is None:
        return ""
    if "per_s" not in found:
        return ", ".join(f"{name} {shown(value)}" for name, value in found.items())
    return f"{shown(found['per_s'])}/s; {found['p50_us'] / 1000:.2f}, {found['p99_us'] / 1000:.2f} ms"


def markdown(rows):
    """All comparisons. Of load: answers a second; p50, p99. A row's figures stand in its first line."""
    lines = ["", "| row | floor | peer | chats | ratio | bar | aim |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        others = [f"{who}: {cell(row, who)}" for who in row.figures if who not in CONTESTANTS]
        cells = [row.title, ", ".join(filter(None, [cell(row, "floor"), *others])), cell(row, "peer"), cell(row, "chats")]
        for ratio in row.ratios:
            value = f"{shown(ratio.value)}{ratio.unit} {ratio.what}"
            bar = f"{limit(ratio, ratio.bar)}{', MISSED' if ratio.misses(ratio.bar) else ''}"
            lines.append(f"| {' | '.join(cells)} | {value} | {bar} | {limit(ratio, ratio.aim)} |")
            cells = ["", "", "", ""]
    return "\n".join([*lines, ""])
