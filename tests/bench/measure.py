"""What is measured and how it is compared: rounds in turn, medians, rows with their bars."""

import dataclasses
import statistics

FIGURES = ("per_s", "p50_us", "p99_us")


class Skipped(Exception):
    """A row cannot be measured here; the text says why."""


@dataclasses.dataclass
class Target:
    """Something that load can be sent to: its name in the tables, the address that operations are below, its headers."""

    name: str
    base: str
    headers: tuple = ()


@dataclasses.dataclass
class Ratio:
    """One comparison of a row. bar and aim: None where the issue names none. sense: it is to be ">=" or "<=" these, or "±"
    them, away from 1. values: of each round. unit: "" for a true ratio."""

    what: str
    value: float
    bar: float | None = None
    aim: float | None = None
    sense: str = ">="
    values: list = dataclasses.field(default_factory=list)
    unit: str = ""

    def misses(self, limit):
        """True if it is on the wrong side of the bar or aim."""
        if limit is None:
            return False
        if self.sense == "±":
            return abs(self.value - 1) > limit
        return self.value < limit if self.sense == ">=" else self.value > limit


@dataclasses.dataclass
class Row:
    """One row of the table: the figures of each contestant, and what they are held against."""

    name: str
    title: str
    figures: dict  # contestant: {figure: value}
    ratios: list
    notes: dict = dataclasses.field(default_factory=dict)


def in_turn(rounds, measures):
    """
    {name: [what each of so many rounds gave]} of {name: function(round)}: A B C, C B A, … so that the machine's moods and
    what one leaves behind for the next meet all alike.
    """
    found = {name: [] for name in measures}
    for number in range(rounds):
        for name in sorted(measures, key=list(measures).index, reverse=number % 2 == 1):
            found[name].append(measures[name](number))
    return found


def median_ratio(what, above, below, **limits):
    """The Ratio of two lists of figures, round by round."""
    values = [a / b for a, b in zip(above, below)]
    return Ratio(what, statistics.median(values), values=[round(v, 3) for v in values], **limits)


def summary(runs):
    """The medians of each figure of some runs of wrk."""
    return {figure: round(statistics.median(getattr(run, figure) for run in runs), 1) for figure in FIGURES}


def rates(runs):
    """Requests a second of each run."""
    return [run.per_s for run in runs]
