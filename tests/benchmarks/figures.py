"""What a benchmark says: a figure, the goal we have set ourselves for it, and whether it is met."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

GOAL_SIGNS = {"at most": "≤", "at least": "≥", "exactly": "="}
HEADINGS = ("figure", "value", "unit", "goal", "met", "")


@dataclass(frozen=True)
class Goal:
    """What a figure should be."""

    kind: Literal["at most", "at least", "exactly"]
    limit: float

    def is_met_by(self, value: float) -> bool:
        """Whether the figure is as it should be; nothing that is not a number is."""
        if self.kind == "at most":
            return value <= self.limit
        if self.kind == "at least":
            return value >= self.limit
        return value == self.limit

    def __str__(self) -> str:
        return f"{GOAL_SIGNS[self.kind]} {self.limit:g}"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """None without a goal."""
        return None if self.goal is None else self.goal.is_met_by(self.value)

    def as_json(self) -> dict[str, Any]:
        """As `var/bench.json` keeps it."""
        goal = None if self.goal is None else asdict(self.goal)
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "goal": goal,
            "met": self.is_met,
            "note": self.note,
        }


def at_most(limit: float) -> Goal:
    """A figure that should be small."""
    return Goal("at most", limit)


def at_least(limit: float) -> Goal:
    """A figure that should be large."""
    return Goal("at least", limit)


def exactly(limit: float) -> Goal:
    """A figure that is right or wrong."""
    return Goal("exactly", limit)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest of the values that at least this part of them does not exceed; not a number where there are none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def ratio(value: float, to: float) -> float:
    """How many times as large; not a number where there is nothing to compare with."""
    return value / to if to else math.nan


def table(figures: Sequence[Figure]) -> str:
    """The figures as people read them."""
    rows = [HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    return "\n".join(_line(row, widths).rstrip() for row in rows)


def write(figures: Sequence[Figure], details: dict[str, Any], path: Path) -> None:
    """Keep the figures, and what lies behind them, as JSON."""
    path.parent.mkdir(exist_ok=True)
    found = {"figures": [figure.as_json() for figure in figures], **details}
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def _cells(figure: Figure) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "NO"}[figure.is_met]
    return figure.name, f"{figure.value:,.2f}", figure.unit, str(figure.goal or ""), met, figure.note


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, value, *others = (
        cell.rjust(width) if column == 1 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=False))
    )
    return "  ".join([name, value, *others, row[-1]])
