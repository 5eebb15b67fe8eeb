"""The pickup as an entry for a calendar (RFC 5545), and when it is. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

LINE_MAX_OCTETS = 75  # RFC 5545 §3.1, without the line break
# Less is not worth a walk, if there is more later.
WINDOW_MIN = timedelta(minutes=30)
# Where the doors never close, an entry of days would hide all others.
WINDOW_MAX = timedelta(hours=12)
ESCAPES = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}

Span = tuple[datetime, datetime]
EntryStatus = Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the calendar shows. The same `uid` with a higher `sequence` replaces what was there."""

    uid: str
    sequence: int
    changed_at: datetime
    starts: datetime
    ends: datetime
    summary: str
    description: str
    location: str
    lat: float
    lon: float
    url: str
    status: EntryStatus


def first_window(openings: Iterable[Span], start: datetime, end: datetime) -> Span | None:
    """The first time that is good to collect at.

    Args:
        openings: when the doors are open, in order.
        start: from when on the goods are there.
        end: until when they are kept.

    Returns:
        Half an hour at least; where nothing is as long, the longest there is; None where the doors stay shut.
    """
    spans = ((max(opens, start), min(closes, end)) for opens, closes in openings)
    best: Span | None = None
    for opens, closes in spans:
        if closes <= opens:
            continue
        if closes - opens >= WINDOW_MIN:
            return opens, min(closes, opens + WINDOW_MAX)
        if best is None or closes - opens > best[1] - best[0]:
            best = opens, closes
    return best


def write(entry: Entry, *, now: datetime) -> bytes:
    """A calendar with this entry, as a file."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Store pickup//Pickup page//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{entry.uid}",
        f"SEQUENCE:{entry.sequence}",
        f"DTSTAMP:{_utc(now)}",
        f"LAST-MODIFIED:{_utc(entry.changed_at)}",
        f"DTSTART:{_utc(entry.starts)}",
        f"DTEND:{_utc(entry.ends)}",
        f"SUMMARY:{escape(entry.summary)}",
        f"DESCRIPTION:{escape(entry.description)}",
        f"LOCATION:{escape(entry.location)}",
        f"GEO:{entry.lat:.6f};{entry.lon:.6f}",
        f"URL:{entry.url}",
        f"STATUS:{entry.status}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(part + b"\r\n" for line in lines for part in fold(line))


def escape(text: str) -> str:
    """A TEXT value (§3.3.11): on one line, and without what a calendar could not hold."""
    kept = (each for each in text.replace("\r\n", "\n") if each.isprintable() or each.isspace())
    return "".join(ESCAPES.get(each, " " if each.isspace() else each) for each in kept)


def fold(line: str) -> Iterator[bytes]:
    """The line in parts of at most 75 octets, of which all but the first begin with a space (§3.1).

    No character is torn apart: some calendars unfold what they have decoded.
    """
    part = b""
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > LINE_MAX_OCTETS:
            yield part
            part = b" "
        part += octets
    yield part


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
