"""What the dashboard shows, as plain values: a few figures, and panels, each with a plot and the same as a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from babel.dates import format_date
from sqlalchemy import Row

from pickup.core.languages import spoken
from pickup.management import dashboard_queries as queries
from pickup.management.bars import Bars, Group, Look, Series, draw_bars
from pickup.management.dashboard_queries import Days, Spread
from pickup.management.period import Period
from pickup.management.wording import day_words

# More days than these are gathered by the week.
DAYS_BY_DAY_MAX = 62
# Where a part of the plot ends, in minutes after the promise. What is ready on the very minute is in time.
IN_TIME = 1e-9
PROMISE_BOUNDS = (-120, -60, -30, -15, IN_TIME, 15, 30, 60, 120)
PROMISE_EDGES = ("−2 h", "−1 h", "−30", "−15", "0", "15", "30", "1 h", "2 h")
PROMISE_GROUPS = (
    *(f"{span} early" for span in ("more than 2 h", "1 to 2 h", "30 to 60 min", "15 to 30 min", "up to 15 min")),
    *(f"{span} late" for span in ("up to 15 min", "15 to 30 min", "30 to 60 min", "1 to 2 h", "more than 2 h")),
)
PROMISE_AT = PROMISE_BOUNDS.index(IN_TIME) + 1
# In minutes after the customer said that they are there.
WAIT_BOUNDS = (2, 5, 10, 15, 30)
WAIT_EDGES = tuple(f"{minutes} min" for minutes in WAIT_BOUNDS)
WAIT_GROUPS = ("up to 2 min", "2 to 5 min", "5 to 10 min", "10 to 15 min", "15 to 30 min", "more than 30 min")

NONE = "–"
UNBROKEN = "\u00a0"


class Tile(NamedTuple):
    """A figure, large, and what it is of."""

    name: str
    figure: str
    note: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot with a sentence, and the same figures as a table. Where there are none, the sentence says so."""

    key: str
    title: str
    words: str
    plot: Bars | None = None
    legend: Sequence[tuple[Look, str]] = ()
    axis: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str | int]] = ()
    is_open: bool = False
    """Whether the table is what the panel is about: then it is shown at once."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All of it."""

    tiles: Sequence[Tile]
    panels: Sequence[Panel]

    def rows(self) -> Iterator[Sequence[object]]:
        """Every figure as a row of its own: panel, group, what is counted, how many."""
        for panel in self.panels:
            for row in panel.rows:
                for name, count in zip(panel.header[1:], row[1:], strict=True):
                    yield panel.title, row[0], name, count


def present_dashboard(period: Period, store_id: int | None, *, now: datetime) -> Dashboard:
    """What happened in some days at a store, or at all of them."""
    days = Days(period.first, period.last, store_id)
    counts = _Counts(queries.happened(days))
    ready = queries.ready_after_promise(days, PROMISE_BOUNDS)
    waits = queries.waited(days, WAIT_BOUNDS)
    lines, short_lines = queries.lines_picked(days)
    worst = queries.worst_found(days)
    breaches = queries.breaches_by_day(days)
    return Dashboard(
        tiles=[
            Tile("Orders", f"{counts.all('pay'):,}", "paid in these days"),
            Tile("Collected", f"{counts.all('hand_over'):,}", "handed over in these days"),
            _promise_tile(ready),
            _wait_tile(waits),
            _short_tile(lines, short_lines, worst),
            _no_shows_tile(counts),
            Tile("Breaches", f"{sum(breaches.values()):,}", "of parity, at tills", is_bad=bool(breaches)),
            _late_tile(queries.late_now(store_id, now=now)),
        ],
        panels=[
            _hours_panel(counts),
            _promise_panel(ready),
            _wait_panel(waits),
            _days_panel("no-shows", "No-shows", "no-shows", period, counts.by_day("expire"), NO_SHOW_WORDS),
            _days_panel("parity", "Parity", "breaches", period, breaches, BREACH_WORDS),
            _short_panel(worst),
        ],
    )


def share(part: int, whole: int) -> str:
    """So much of something, in per cent: all and nothing are said only of all and nothing."""
    if not whole:
        return NONE
    percent = round(100 * part / whole)
    return f"{percent if part in (0, whole) else min(max(percent, 1), 99)}%"


def minutes_words(minutes: float | None) -> str:
    """How long, as people say it."""
    if minutes is None:
        return NONE
    whole = round(minutes)
    hours, left = divmod(whole, 60)
    parts = ["under 1 min"] if whole < 1 else [f"{hours} h"] * bool(hours) + [f"{left} min"] * bool(left)
    return " ".join(parts).replace(" ", UNBROKEN)


def day_groups(period: Period) -> list[tuple[Group, Sequence[date]]]:
    """The days of a period, each by itself, or, where they are many, by the week; with what they are called."""
    size = 1 if period.days <= DAYS_BY_DAY_MAX else 7
    begins = [period.first + timedelta(days=number) for number in range(0, period.days, size)]
    groups: list[tuple[Group, Sequence[date]]] = []
    for begin in begins:
        end = min(begin + timedelta(days=size - 1), period.last)
        words = (
            day_words(begin, with_year=True)
            if size == 1
            else f"{day_words(begin, with_year=True)} to {day_words(end, with_year=True)}"
        )
        days = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
        groups.append((Group(str(format_date(begin, "d MMM", locale=spoken().formats)), words), days))
    return groups


class _Counts:
    """How many orders took a step, by day and by hour."""

    def __init__(self, rows: Sequence[Row[Any]]) -> None:
        self._days = {(row.action, row.day): row.orders for row in rows if row.day is not None}
        self._hours = {(row.action, row.hour): row.orders for row in rows if row.hour is not None}

    def all(self, action: str) -> int:
        """In all of the days."""
        return sum(self.by_day(action).values())

    def by_day(self, action: str) -> dict[date, int]:
        """On each day that had any."""
        return {day: orders for (each, day), orders in self._days.items() if each == action}

    def by_hour(self, action: str) -> list[int]:
        """In each hour of the day, from midnight on."""
        return [self._hours.get((action, hour), 0) for hour in range(24)]


def _promise_tile(ready: Spread) -> Tile:
    count = sum(ready.counts)
    return Tile("Promise kept", share(sum(ready.counts[:PROMISE_AT]), count), f"of {count:,} that were set ready")


def _wait_tile(waits: Spread) -> Tile:
    note = f"9 of 10 within {minutes_words(waits.most)}" if waits.most is not None else "nobody said they were there"
    return Tile("Wait at the counter", minutes_words(waits.median), note)


def _short_tile(lines: int, short: int, worst: Sequence[Row[Any]]) -> Tile:
    units = worst[0].all_units if worst else 0
    return Tile("Short lines", share(short, lines), f"{_count(units, 'unit')} not found")


def _no_shows_tile(counts: _Counts) -> Tile:
    expired = counts.all("expire")
    return Tile("No-shows", share(expired, expired + counts.all("hand_over")), f"{_count(expired, 'order')} put back")


def _late_tile(late: int) -> Tile:
    return Tile("Late now", f"{late:,}", "should stand ready, and do not", is_bad=late > 0)


def _hours_panel(counts: _Counts) -> Panel:
    placed, collected = counts.by_hour("pay"), counts.by_hour("hand_over")
    if not any(placed + collected):
        return Panel("hours", "Orders by hour", "No order was paid or collected in these days.")
    groups = [Group(str(hour), f"{hour:02}:00 to {hour:02}:59") for hour in range(24)]
    busiest = max(range(24), key=lambda hour: placed[hour] + collected[hour])
    return Panel(
        "hours",
        "Orders by hour",
        f"Most happens from {groups[busiest].words}.",
        draw_bars(groups, [Series("placed", placed, ["first"]), Series("collected", collected, ["second"])]),
        [("first", "placed and paid"), ("second", "collected")],
        "hour of the day",
        ("Hour", "Placed", "Collected"),
        [(group.words, *each) for group, *each in zip(groups, placed, collected, strict=True) if any(each)],
    )


def _promise_panel(ready: Spread) -> Panel:
    title, count = "Ready against the promise", sum(ready.counts)
    if not count:
        return Panel("promise", title, "No order was set ready in these days.")
    groups = [Group("", words) for words in PROMISE_GROUPS]
    looks: list[Look] = ["good" if position < PROMISE_AT else "bad" for position in range(len(groups))]
    kept = sum(ready.counts[:PROMISE_AT])
    return Panel(
        "promise",
        title,
        f"{share(kept, count)} in time: {kept:,} of {count:,}. Half were ready within {minutes_words(ready.taken)}.",
        draw_bars(groups, [Series("orders", ready.counts, looks)], edges=PROMISE_EDGES, divider=PROMISE_AT),
        [("good", "in time"), ("bad", "late")],
        "minutes after the promised time",
        ("Ready", "Orders"),
        list(zip(PROMISE_GROUPS, ready.counts, strict=True)),
    )


def _wait_panel(waits: Spread) -> Panel:
    title, count = "Waiting at the counter", sum(waits.counts)
    if not count:
        return Panel("waiting", title, "Nobody who collected said before that they were there.")
    groups = [Group("", words) for words in WAIT_GROUPS]
    return Panel(
        "waiting",
        title,
        f"Half of {_count(count, 'customer')} waited at most {minutes_words(waits.median)}, "
        f"9 of 10 at most {minutes_words(waits.most)}.",
        draw_bars(groups, [Series("customers", waits.counts, ["first"])], edges=WAIT_EDGES),
        [],
        "from “I’m here” to the handover",
        ("Waited", "Customers"),
        list(zip(WAIT_GROUPS, waits.counts, strict=True)),
    )


def _short_panel(worst: Sequence[Row[Any]]) -> Panel:
    title = "Not found on the shelf"
    if not worst:
        return Panel("short", title, "Everything that was picked in these days was found.")
    return Panel(
        "short",
        title,
        f"{_count(worst[0].all_units, 'unit')} in all. The products of which most were not found:",
        header=("Product", "Units", "Orders"),
        rows=[(f"{row.name} ({row.sku})" if row.name else row.sku, row.units, row.orders) for row in worst],
        is_open=True,
    )


NO_SHOW_WORDS = ("order was not collected in time.", "orders were not collected in time.", "Every order was collected.")
BREACH_WORDS = (
    "time a till charged something else than the ledger says.",
    "times a till charged something else than the ledger says.",
    "Every till charged what the ledger says.",
)


def _days_panel(
    key: str, title: str, name: str, period: Period, counts: Mapping[date, int], words: tuple[str, str, str]
) -> Panel:
    """What happened by day. Of a single day there is nothing to draw."""
    total = sum(counts.values())
    one, many, none = words
    if not total:
        return Panel(key, title, none)
    groups = day_groups(period)
    figures = [sum(counts.get(day, 0) for day in days) for _, days in groups]
    return Panel(
        key,
        title,
        f"{total:,} {one if total == 1 else many}",
        draw_bars([group for group, _ in groups], [Series(name, figures, ["bad"])]) if len(groups) > 1 else None,
        [],
        "day" if len(groups) == period.days else "week that begins on",
        ("Days" if len(groups) != period.days else "Day", name.capitalize()),
        [(group.words, figure) for (group, _), figure in zip(groups, figures, strict=True) if figure],
    )


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
