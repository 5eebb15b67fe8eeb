"""The entry for a calendar, read again as RFC 5545 says."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pickup.customer.calendar import LINE_MAX_OCTETS, WINDOW_MAX, Entry, first_window, write

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNESCAPED = {"\\\\": "\\", "\\;": ";", "\\,": ",", "\\n": "\n"}


def entry(**values):
    given_ = {
        "uid": "018f@pickup.example.com",
        "sequence": 3,
        "changed_at": NOON,
        "starts": NOON + HOUR,
        "ends": NOON + 2 * HOUR,
        "summary": "Collect order 1000001 at Rogers",
        "description": "Ready.",
        "location": "Rogers, 2110 West Walnut Street",
        "lat": 36.3728,
        "lon": -94.2088,
        "url": "https://pickup.example.com/p/abc",
        "status": "CONFIRMED",
    }
    return Entry(**given_ | values)


def read(octets):
    """The properties, unfolded and unescaped; each line break is CRLF and nothing else."""
    assert octets.endswith(b"\r\n")
    lines = octets.removesuffix(b"\r\n").split(b"\r\n")
    for line in lines:
        assert len(line) <= LINE_MAX_OCTETS
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # no character is torn apart
    text = octets.decode().replace("\r\n ", "").removesuffix("\r\n")
    pairs = [line.partition(":")[::2] for line in text.split("\r\n")]
    return {name: re.sub(r"\\.", lambda found: UNESCAPED[found[0]], value) for name, value in pairs}


def test_what_is_in_it():
    assert read(write(entry(), now=NOON)) == {
        "BEGIN": "VEVENT",
        "VERSION": "2.0",
        "PRODID": "-//Store pickup//Pickup page//EN",
        "CALSCALE": "GREGORIAN",
        "METHOD": "PUBLISH",
        "UID": "018f@pickup.example.com",
        "SEQUENCE": "3",
        "DTSTAMP": "20260302T120000Z",
        "LAST-MODIFIED": "20260302T120000Z",
        "DTSTART": "20260302T130000Z",
        "DTEND": "20260302T140000Z",
        "SUMMARY": "Collect order 1000001 at Rogers",
        "DESCRIPTION": "Ready.",
        "LOCATION": "Rogers, 2110 West Walnut Street",
        "GEO": "36.372800;-94.208800",
        "URL": "https://pickup.example.com/p/abc",
        "STATUS": "CONFIRMED",
        "TRANSP": "TRANSPARENT",
        "END": "VCALENDAR",
    }


# Odd, and as long as they like, but with nothing in them that a calendar could not hold.
shown = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"), include_characters=" \n")
)


@given(shown, shown)
def test_any_name_comes_out_as_it_went_in(name, address):
    said = read(write(entry(summary=name, location=f"{name}, {address}"), now=NOON))

    assert said["SUMMARY"] == name
    assert said["LOCATION"] == f"{name}, {address}"


@given(st.text())
def test_no_name_writes_a_property_of_its_own(name):
    said = read(write(entry(summary=name), now=NOON))

    assert list(said) == list(read(write(entry(), now=NOON)))


@given(st.integers(-12, 14), st.integers(0, 10**6))
def test_instants_are_utc_wherever_they_come_from(offset, minutes):
    at = NOON + timedelta(minutes=minutes)
    local = at.astimezone(timezone(timedelta(hours=offset)))

    assert write(entry(starts=local), now=NOON) == write(entry(starts=at), now=NOON)


def at(*hours):
    return tuple(NOON + hour * HOUR for hour in hours)


def test_the_window_is_the_first_of_half_an_hour_while_the_goods_are_kept():
    assert first_window([at(-5, 0.25), at(10, 20)], *at(0, 15)) == at(10, 15)
    assert first_window([at(-5, 0.5), at(10, 20)], *at(0, 15)) == at(0, 0.5)
    assert first_window([at(-5, 0.25), at(14.75, 20)], *at(0, 15)) == at(0, 0.25)
    assert first_window([at(-5, 0), at(15, 20)], *at(0, 15)) is None
    assert first_window([], *at(0, 15)) is None


def test_where_the_doors_never_close_it_is_not_all_week():
    assert first_window([at(-100, 100)], *at(0, 90)) == (NOON, NOON + WINDOW_MAX)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20))), st.integers(0, 100), st.integers(0, 50))
def test_the_window_lies_in_an_opening_and_in_the_time_that_goods_are_kept(openings, start, length):
    spans = sorted((NOON + begin * HOUR / 4, NOON + (begin + long) * HOUR / 4) for begin, long in openings)
    first, last = NOON + start * HOUR / 4, NOON + (start + length) * HOUR / 4

    window = first_window(spans, first, last)

    if window is not None:
        assert first <= window[0] < window[1] <= last
        assert any(opens <= window[0] and window[1] <= closes for opens, closes in spans)
