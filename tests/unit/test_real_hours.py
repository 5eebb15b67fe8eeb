"""Promises of 4,622 real stores against their hours, read here once more and by other means.

`PICKUP_TEST_PAIRS=100000` for as many pairs of a store and an instant; half of them lie around the nights on which the
clocks change.
"""

import csv
import os
import random
import re
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from pickup.config import Settings
from pickup.orders import promising
from pickup.stores.directory import StoreEntry

REAL_STORES = Path(__file__).parents[2].parent / "shared" / "data" / "stores" / "walmart_us_2022.csv"
PAIRS = int(os.environ.get("PICKUP_TEST_PAIRS", "20000"))
EVERY = 10  # of which the messages are looked at, too

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PREP = (0, 15, 60, 240)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
# The nights on which the clocks of these stores change; in UTC the hour differs from zone to zone.
NIGHTS = (datetime(2026, 3, 8, 8, tzinfo=UTC), datetime(2026, 11, 1, 8, tzinfo=UTC))

RULE = re.compile(r"(\w\w)(?:-(\w\w))? (\d\d):(\d\d)-(\d\d):(\d\d)")
WEEK = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


@cache
def week_of(text):
    """Minutes since midnight at which a store opens and closes, by weekday; the few shapes that these files have."""
    days = {}
    for part in text.split("; ") if text else ["Mo-Su 00:00-24:00"]:
        first, last, *clock = RULE.fullmatch(part).groups()
        opens, closes = (int(clock[n]) * 60 + int(clock[n + 1]) for n in (0, 2))
        for day in range(WEEK.index(first), WEEK.index(last or first) + 1):
            days[day] = (opens, closes or 24 * 60)
    return days


def is_open(week, zone, moment):
    """What the clock on the wall says."""
    wall = moment.astimezone(zone)
    opens, closes = week.get(wall.weekday(), (0, 0))
    return opens <= wall.hour * 60 + wall.minute < closes


def openings(week, zone, since):
    """The openings of the days from yesterday on. No store of the file opens or closes in the odd hours of a night."""
    day = since.astimezone(zone).date() - DAY
    for _ in range(16):
        if day.weekday() in week:
            opens, closes = week[day.weekday()]
            midnight, next_one = (datetime.combine(each, time.min, zone) for each in (day, day + DAY))
            first = datetime.combine(day, time(opens // 60, opens % 60), zone) if opens else midnight
            last = next_one if closes == 24 * 60 else datetime.combine(day, time(closes // 60, closes % 60), zone)
            yield first.astimezone(UTC), last.astimezone(UTC)
        day += DAY


def expected_promise(week, zone, now, minutes):
    """So many open minutes after the order, at a moment when the doors are open."""
    now += timedelta(seconds=-now.second % 60)
    left = minutes * MINUTE
    spans = list(openings(week, zone, now))
    for (opens, closes), following in zip(spans, [*spans[1:], (None, None)], strict=True):
        span = max(closes - max(opens, now), timedelta())
        if left < span or (left == span > timedelta() and closes == following[0]):
            return max(opens, now) + left
        left -= span
    return None


@pytest.fixture(scope="module")
def stores():
    if not REAL_STORES.exists():
        pytest.skip("the real stores are not beside this checkout (../shared/data)")
    with REAL_STORES.open(encoding="utf-8", newline="") as file:
        return [entry(row) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def app():
    made = Flask("hours")
    made.extensions["settings"] = Settings.from_environment()
    return made


def entry(row):
    return StoreEntry(
        id=1,
        ref=row["ref"],
        name=row["name"],
        address=row["street"],
        phone=row["phone"],
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        opening_hours=row["opening_hours"],
        timezone=row["timezone"],
        country="US",
        prep_minutes=PREP[int(row["ref"]) % len(PREP)],
        hourly_capacity=None,
        hold_days=None,
        price_zones=(),
        kind="store",
        paused_at=None,
        feed_state="heard",
        special_days={},
        safety_floor=0,
    )


def instants(chance):
    while True:
        yield NEW_YEAR + timedelta(seconds=chance.randrange(365 * 24 * 3600))
        yield chance.choice(NIGHTS) + timedelta(seconds=chance.randrange(-36 * 3600, 36 * 3600))


def test_the_other_reading_reads():
    assert week_of("Mo-Fr 07:00-19:00; Sa 09:00-13:00") == {0: (420, 1140), 1: (420, 1140), 2: (420, 1140)} | {
        3: (420, 1140),
        4: (420, 1140),
        5: (540, 780),
    }
    assert week_of("Mo-Su 06:00-00:00")[6] == (360, 1440)


@pytest.mark.timeout(600)
def test_no_promise_falls_into_a_closed_hour(app, stores):
    chance = random.Random(20261101)
    with app.app_context():
        for number, now in zip(range(PAIRS), instants(chance), strict=False):
            store = chance.choice(stores)
            week, zone = week_of(store.opening_hours), ZoneInfo(store.timezone)
            promise = promising.ready_by_at(store, now=now)
            assert promise == expected_promise(week, zone, now, store.prep_minutes), (store.ref, now)
            assert is_open(week, zone, promise), (store.ref, now)
            if number % EVERY == 0:
                look_at_the_hold(store, week, zone, promise)


def look_at_the_hold(store, week, zone, ready):
    """It ends with the doors, and nobody is written to while they are closed, or at night."""
    until = promising.hold_until_at(store, ready, None)
    if store.opening_hours:
        assert until in [closes for _, closes in openings(week, zone, until)], (store.ref, ready)
        assert not is_open(week, zone, until)
    assert until - ready > 4 * DAY
    messages = promising.messages_at(store, ready, until)
    for moment in messages:
        assert moment is not None, (store.ref, ready)
        assert is_open(week, zone, moment), (store.ref, ready)
        assert time(9) <= moment.astimezone(zone).time() < time(20), (store.ref, ready)
    assert ready + DAY <= messages.remind_at < messages.warn_at < until
