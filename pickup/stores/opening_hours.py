"""When a store's doors are open, from OpenStreetMap's `opening_hours` syntax to moments in UTC.

The `opening-hours-py` package parses the syntax and says which hours of the wall clock are open. From there on this
module does its own work, for three reasons that tests hold down: the package does not accept `timezone.utc`; of an
hour that the clock shows twice it knows only the second; and it lets the small hours after a night stand when the
evening of that night is closed by a holiday. So it sees naive local times, one date at a time.

On the two odd nights of the year
---------------------------------
*The clock jumps forward*: a time that the clock does not show is the instant of the jump.
*The clock falls back*: a time that it shows twice opens the doors at the second and closes them at the first. Nobody
can know which one the store means, and a promise must not fall into an hour when the doors may be shut.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import opening_hours as osm
import tzfpy

ALWAYS_OPEN = "24/7"
DAY = timedelta(days=1)
PARSED_KEPT = 4096  # a chain of 4,600 stores has some 50 different texts

# 22:00-02:00 and 22:00-26:00 both run on into the next date.
_TIME_SPAN = re.compile(r"(?P<opens>\d{1,2}:\d{2})\s*-\s*(?P<closes>\d{1,2}:\d{2})", re.ASCII)
_COMMENT = re.compile(r'(?P<state>\w*)\s*"(?P<comment>[^"]*)"')

Span = tuple[datetime, datetime]
"""Half-open: the doors are open at the first moment and shut at the second."""


class OpeningHours:
    """One store's hours: regular ones, and dates that go before them. Immutable and cheap: parsing is cached."""

    def __init__(
        self,
        text: str,
        timezone: str,
        *,
        country: str | None = None,
        special_days: Mapping[date, str] | None = None,
    ) -> None:
        """Read the hours.

        Args:
            text: OpenStreetMap `opening_hours`; empty means always open.
            timezone: an IANA name; the hours are what its clocks show.
            country: ISO 3166 of two letters, whose public holidays `PH` means. One that the package has no calendar
                for has no public holidays.
            special_days: local dates whose hours replace the regular ones, see `validate_special_day`. The night
                before ends at midnight, and the date's own regular night does not begin.

        Raises:
            ValueError: a text is not in its syntax, or there is no such time zone.
        """
        self._zone = time_zone(timezone)
        self._regular = _parse(text.strip() or ALWAYS_OPEN, country and country.upper())
        self._special = {day: _parse_special_day(hours) for day, hours in (special_days or {}).items()}

    def is_open(self, at: datetime) -> bool:
        """Whether the doors are open at this moment (aware)."""
        return any(self.open_intervals(at, at + timedelta.resolution))

    def open_intervals(self, start: datetime, end: datetime) -> Iterator[Span]:
        """The openings between two moments, in order, as aware UTC; lazily, so that the first one costs little.

        Openings that touch are one, across midnight too. What lies across `start` or `end` is cut there.

        Raises:
            ValueError: a moment has no time zone; raised here, not at the first step.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("start and end must be aware datetimes")
        return self._open_intervals(start.astimezone(UTC), end.astimezone(UTC))

    def _open_intervals(self, start: datetime, end: datetime) -> Iterator[Span]:
        # One date before, whose evening tells whether a night goes on, and one after: a clock that falls back over
        # midnight shows the end of a date after it has shown the next one.
        first = start.astimezone(self._zone).date() - DAY
        last = end.astimezone(self._zone).date() + DAY
        for opens, closes in _joined(self._instants(_joined(self._wall_clock(first, last)))):
            if opens >= end:
                return
            if max(opens, start) < min(closes, end):
                yield max(opens, start), min(closes, end)

    def _instants(self, spans: Iterable[Span]) -> Iterator[Span]:
        for opens, closes in spans:
            yield _instant(opens, self._zone, fold=1), _instant(closes, self._zone, fold=0)

    def _wall_clock(self, first: date, last: date) -> Iterator[Span]:
        """Open spans of the local clock, date by date; they may touch and, after a special night, overlap."""
        night_goes_on = True  # unknown for the first date, whose small hours nobody asked for
        day = first
        while day <= last:
            midnight = datetime.combine(day, time.min)
            if day in self._special:
                spans = [(midnight + opens, midnight + closes) for opens, closes in self._special[day]]
                night_goes_on = False
            else:
                hours = self._regular.whole if night_goes_on else self._regular.without_nights_before
                spans = _spans(hours, midnight)
                night_goes_on = bool(spans) and spans[-1][1] == midnight + DAY
            yield from spans
            day += DAY


def validate(text: str) -> None:
    """Check regular hours as they come from outside.

    Raises:
        ValueError: the text is not `opening_hours` syntax, or has a comment where it should say open or closed.
            OpenStreetMap reads `Sa "by appointment"` as "perhaps open", and nobody can promise a perhaps.
    """
    _parse(text.strip() or ALWAYS_OPEN, None)
    for found in _COMMENT.finditer(text):
        if found["state"] not in {"off", "closed", "unknown"}:
            raise ValueError(f'the comment "{found["comment"]}" leaves open whether the store is open: leave it out')


def validate_special_day(text: str) -> None:
    """Check the hours of one date: `off`, `closed`, `24/7`, or times such as `10:00-14:00,15:00-18:00`.

    A closing time at or before the opening time, or beyond 24:00, is the next morning's.

    Raises:
        ValueError: the text is none of these.
    """
    _parse_special_day(text)


def time_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none. (ZoneInfo raises KeyError, ValueError or OSError, by how the name is wrong.)
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None


def timezone_at(lat: float, lon: float) -> str:
    """The IANA name of the time zone at a place (degrees on WGS-84); at sea, the nautical one.

    Raises:
        ValueError: no time zone covers the place.
    """
    name = tzfpy.get_tz(lon, lat)
    if not name:
        raise ValueError(f"no time zone covers {lat}, {lon}")
    return name


class _Regular(NamedTuple):
    """A text, parsed twice: as it stands, and with every night cut off at midnight.

    The second tells which of a date's small hours are its own (24/7) and which belong to the night before
    (22:00-02:00). Where the evening before was shut, by a holiday or a special day, only its own count.
    """

    whole: osm.OpeningHours
    without_nights_before: osm.OpeningHours


@lru_cache(maxsize=PARSED_KEPT)
def _parse(text: str, country: str | None) -> _Regular:
    return _Regular(_parse_osm(text, country), _parse_osm(_TIME_SPAN.sub(_until_midnight, text), country))


def _parse_osm(text: str, country: str | None) -> osm.OpeningHours:
    try:
        return osm.OpeningHours(text, country=country)
    except osm.UnknownCountryError:  # type: ignore[attr-defined]  # missing from the package's stub
        return _parse_osm(text, None)
    except osm.ParserError as error:  # type: ignore[attr-defined]  # missing too
        column = re.search(r"--> 1:(\d+)", str(error))
        where = f" at character {column[1]}" if column else ""
        raise ValueError(f"not in OpenStreetMap's opening_hours syntax{where}: {text!r}") from error


def _until_midnight(span: re.Match[str]) -> str:
    opens, closes = _since_midnight(span["opens"]), _since_midnight(span["closes"])
    return f"{span['opens']}-24:00" if closes <= opens or closes > DAY else span[0]


@lru_cache(maxsize=PARSED_KEPT)
def _parse_special_day(text: str) -> tuple[tuple[timedelta, timedelta], ...]:
    """The open spans, counted from the date's midnight."""
    text = text.strip()
    if text in {"off", "closed"}:
        return ()
    if text == ALWAYS_OPEN:
        return ((timedelta(), DAY),)
    spans = [_special_span(part) for part in text.split(",")]
    return tuple(sorted(spans))


def _special_span(text: str) -> tuple[timedelta, timedelta]:
    found = _TIME_SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not the hours of one day (off, 24/7, or times such as 10:00-14:00): {text!r}")
    opens, closes = _since_midnight(found["opens"]), _since_midnight(found["closes"])
    if opens >= DAY or closes > 2 * DAY:
        raise ValueError(f"a day opens before 24:00 and closes by 48:00: {text!r}")
    return opens, closes if closes > opens else closes + DAY


def _since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    if int(minutes) > 59:
        raise ValueError(f"an hour has sixty minutes: {clock!r}")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _spans(hours: osm.OpeningHours, midnight: datetime) -> list[Span]:
    """What is open between this midnight and the next; `unknown` and commented hours ("perhaps") are not."""
    return [
        (opens, closes)
        for opens, closes, state, comment in hours.intervals(midnight, midnight + DAY)
        if state == osm.State.OPEN and not comment
    ]


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in order, without the empty ones, those that touch or overlap made one."""
    current: Span | None = None
    for opens, closes in spans:
        if opens >= closes:
            continue
        if current is None:
            current = opens, closes
        elif opens <= current[1]:
            current = current[0], max(current[1], closes)
        else:
            yield current
            current = opens, closes
    if current is not None:
        yield current


def _instant(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """The moment at which the local clock shows `wall`: of two the first (fold 0) or second (1), of none the jump."""
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # PEP 495: in a gap, fold 1 yields a moment before the jump and fold 0 one after it. Halve until they meet.
    before = int(wall.replace(tzinfo=zone, fold=1).timestamp())
    after = int(wall.replace(tzinfo=zone, fold=0).timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)
