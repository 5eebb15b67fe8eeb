"""Opening hours as a customer reads them."""

from datetime import UTC, date, datetime

import pytest

from pickup.stores.week import coming_days

FRIDAY = datetime(2026, 3, 13, 17, tzinfo=UTC)  # noon in Chicago


def week(hours, *, now=FRIDAY, timezone="America/Chicago"):
    return {f"{day.date:%a}": day.hours for day in coming_days(hours, timezone, "US", now=now)}


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("Mo-Fr 06:00-23:00; Sa 08:00-20:00; Su off", {"Fri": "06:00–23:00", "Sat": "08:00–20:00", "Sun": "closed"}),
        ("Mo-Sa 09:00-12:00,14:00-18:00", {"Fri": "09:00–12:00, 14:00–18:00", "Sun": "closed"}),
        ("", {"Fri": "open all day", "Thu": "open all day"}),
        ("Fr-Sa 22:00-02:00", {"Fri": "22:00–02:00", "Sat": "22:00–02:00", "Sun": "closed"}),
        ("Th 22:00-02:00", {"Fri": "closed", "Thu": "22:00–02:00"}),
        ("Mo-Su 06:00-24:00", {"Fri": "06:00–24:00", "Sun": "06:00–24:00"}),
        (
            "Sa 10:00-24:00; Su 00:00-24:00; Mo 00:00-08:00",
            {"Sat": "10:00–24:00", "Sun": "open all day", "Mon": "00:00–08:00"},
        ),
    ],
)
def test_a_line_a_day(hours, expected):
    assert week(hours) | expected == week(hours)


def test_the_week_begins_today_by_the_stores_calendar():
    late = datetime(2026, 3, 14, 3, tzinfo=UTC)  # still Friday in Chicago
    assert next(iter(week("24/7", now=late))) == "Fri"
    assert next(iter(week("24/7", now=late, timezone="Europe/Berlin"))) == "Sat"


def test_the_day_on_which_the_clock_jumps_is_one_line():
    before = datetime(2026, 3, 6, 18, tzinfo=UTC)
    assert week("Mo-Su 06:00-23:00", now=before)["Sun"] == "06:00–23:00"
    assert week("24/7", now=before)["Sun"] == "open all day"


def test_a_holiday_goes_before_the_regular_hours():
    special = {date(2026, 3, 14): "off", date(2026, 3, 15): "10:00-14:00"}
    days = coming_days("24/7", "America/Chicago", "US", special, now=FRIDAY)

    assert [day.hours for day in days[:4]] == ["open all day", "closed", "10:00–14:00", "open all day"]
