"""Opening hours against the clock on the wall: an instant is open when the local clock shows an open time."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import opening_hours as osm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pickup.stores.opening_hours import OpeningHours, time_zone, timezone_at, validate, validate_special_day

REAL_STORES = Path(__file__).parents[2].parent / "shared" / "data" / "stores" / "walmart_us_2022.csv"

CHRISTMAS = date(2026, 12, 25)  # a Friday
DAY = timedelta(days=1)

# Both changes of 2026, as the instant at which the clocks jump.
CHANGES = [
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/Chicago", datetime(2026, 3, 8, 8, tzinfo=UTC)),
    ("America/Chicago", datetime(2026, 11, 1, 7, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Australia/Sydney", datetime(2026, 4, 4, 16, tzinfo=UTC)),
    ("Australia/Sydney", datetime(2026, 10, 3, 16, tzinfo=UTC)),
]


def local(zone: str, text: str, start: date, days: int, **options) -> list[str]:
    """The openings of some local days as the store's own clock shows them: `Fri 09:00 - Fri 17:00`."""
    here = ZoneInfo(zone)
    begin = datetime.combine(start, time.min, here)
    end = datetime.combine(start + days * DAY, time.min, here)
    spans = OpeningHours(text, zone, **options).open_intervals(begin, end)
    return [f"{a.astimezone(here):%a %H:%M} - {b.astimezone(here):%a %H:%M}" for a, b in spans]


class TestSummerTime:
    @pytest.mark.parametrize(("zone", "change"), CHANGES)
    @pytest.mark.parametrize(
        ("text", "spans"),
        [
            ("Mo-Su 06:00-23:00", [(6, 23)]),
            ("Mo-Su 08:00-12:00,13:00-17:30", [(8, 12), (13, 17.5)]),
            ("Mo-Su 22:00-06:00", [(22, 24), (0, 6)]),
            ("Mo-Su 20:00-27:30,04:00-05:00", [(20, 24), (0, 3.5), (4, 5)]),
            ("Mo-Su 00:00-24:00", [(0, 24)]),
        ],
    )
    def test_every_quarter_hour_is_open_when_the_wall_clock_says_so(self, zone, change, text, spans):
        hours = OpeningHours(text, zone)
        openings = list(hours.open_intervals(change - 2 * DAY, change + 2 * DAY))
        moment = change - 2 * DAY
        while moment < change + 2 * DAY:
            wall = moment.astimezone(ZoneInfo(zone))
            expected = any(opens <= wall.hour + wall.minute / 60 < closes for opens, closes in spans)
            assert any(a <= moment < b for a, b in openings) is expected, wall
            assert hours.is_open(moment) is expected, wall
            moment += timedelta(minutes=15)

    def test_a_night_is_an_hour_shorter_or_longer(self):
        hours = OpeningHours("Sa 22:00-06:00", "America/New_York")
        for change, length in [(CHANGES[0][1], 7), (CHANGES[1][1], 9)]:
            ((opens, closes),) = hours.open_intervals(change - DAY, change + DAY)
            assert closes - opens == timedelta(hours=length)

    def test_a_time_shown_twice_opens_at_the_second_and_closes_at_the_first(self):
        autumn = datetime(2026, 11, 1, 4, tzinfo=UTC)  # midnight in New York; 01:00 comes at 05:00 and 06:00 UTC

        def openings(text: str) -> list[tuple[datetime, datetime]]:
            return list(OpeningHours(text, "America/New_York").open_intervals(autumn, autumn + timedelta(hours=8)))

        assert openings("01:30-04:00") == [(datetime(2026, 11, 1, 6, 30, tzinfo=UTC), autumn + timedelta(hours=5))]
        assert openings("00:30-01:30") == [(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), autumn + timedelta(hours=1.5))]
        assert openings("01:10-01:50") == []
        assert openings("00:30-01:30,01:30-04:00") == [(autumn + timedelta(hours=0.5), autumn + timedelta(hours=5))]

    def test_a_time_not_shown_is_the_instant_of_the_jump(self):
        spring = datetime(2026, 3, 8, 5, tzinfo=UTC)  # midnight in New York; the clocks jump at 07:00 UTC
        jump = datetime(2026, 3, 8, 7, tzinfo=UTC)

        def openings(text: str) -> list[tuple[datetime, datetime]]:
            return list(OpeningHours(text, "America/New_York").open_intervals(spring, spring + timedelta(hours=8)))

        assert openings("02:15-04:00") == [(jump, jump + timedelta(hours=1))]
        assert openings("01:00-02:30") == [(jump - timedelta(hours=1), jump)]
        assert openings("02:15-02:45") == []
        assert openings("01:00-02:10,02:50-04:00") == [(jump - timedelta(hours=1), jump + timedelta(hours=1))]

    def test_where_midnight_comes_twice_always_open_stays_open(self):
        """Cuba falls back from 01:00 to 00:00; a seam at midnight must not open a gap."""
        start = datetime(2025, 11, 1, tzinfo=UTC)
        hours = OpeningHours("Mo-Su 00:00-24:00", "America/Havana")
        assert list(hours.open_intervals(start, start + 3 * DAY)) == [(start, start + 3 * DAY)]

    def test_where_a_date_goes_on_after_the_next_has_begun(self):
        """Newfoundland fell back from 00:01 to 23:01 of the day before, until 2011."""
        start = datetime(2010, 11, 7, 2, tzinfo=UTC)
        hours = OpeningHours("", "America/St_Johns")
        for minutes in range(15, 120, 15):
            end = start + timedelta(minutes=minutes)
            assert list(hours.open_intervals(start, end)) == [(start, end)]

    def test_a_date_that_never_was(self):
        """Samoa went from 29 to 31 December 2011."""
        assert local("Pacific/Apia", "12:00-14:00", date(2011, 12, 29), 3) == [
            "Thu 12:00 - Thu 14:00",
            "Sat 12:00 - Sat 14:00",
        ]


class TestIntervals:
    def test_results_are_utc_whatever_zone_was_asked_in(self):
        start = datetime(2026, 7, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
        for opens, closes in OpeningHours("09:00-17:00", "America/Chicago").open_intervals(start, start + 3 * DAY):
            assert opens.tzinfo is UTC
            assert closes.tzinfo is UTC

    def test_cut_at_both_ends(self):
        hours = OpeningHours("09:00-17:00", "UTC")
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
        assert list(hours.open_intervals(noon, noon + timedelta(hours=1))) == [(noon, noon + timedelta(hours=1))]
        assert list(hours.open_intervals(noon, noon)) == []

    def test_the_doors_are_open_at_opening_and_shut_at_closing(self):
        hours = OpeningHours("09:00-17:00", "UTC")
        assert hours.is_open(datetime(2026, 7, 1, 9, tzinfo=UTC))
        assert not hours.is_open(datetime(2026, 7, 1, 17, tzinfo=UTC))

    def test_openings_that_touch_are_one(self):
        expected = ["Fri 08:00 - Sat 12:00"]
        assert local("UTC", "Fr 08:00-12:00,12:00-24:00; Sa 00:00-12:00", CHRISTMAS, 2) == expected

    def test_empty_text_is_always_open(self):
        start = datetime(2026, 7, 1, tzinfo=UTC)
        for text in ("", "  ", "24/7"):
            spans = OpeningHours(text, "America/Chicago").open_intervals(start, start + 30 * DAY)
            assert list(spans) == [(start, start + 30 * DAY)]

    def test_never_open(self):
        start = datetime(2026, 7, 1, tzinfo=UTC)
        assert list(OpeningHours("off", "UTC").open_intervals(start, start + 30 * DAY)) == []

    def test_naive_moments_are_refused_at_the_call(self):
        with pytest.raises(ValueError, match="aware"):
            OpeningHours("", "UTC").open_intervals(datetime(2026, 7, 1), datetime(2026, 7, 2, tzinfo=UTC))

    def test_unknown_and_commented_hours_are_not_open(self):
        assert local("UTC", 'Fr 08:00-12:00 unknown; Sa 08:00-12:00 "by appointment"', CHRISTMAS, 2) == []

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["Mo-Fr 08:00-20:00; Sa 10:00-16:00", "22:00-04:00", "24/7", "Mo 06:00-48:00; We 01:00-03:00"]),
        st.sampled_from(sorted({zone for zone, _ in CHANGES} | {"Asia/Kathmandu", "America/Havana", "UTC"})),
        st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
        st.integers(0, 20 * 24),
        st.dictionaries(
            st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.sampled_from(["off", "24/7", "10:00-27:00"]), max_size=60
        ),
    )
    def test_always_in_order_apart_and_inside_and_the_same_in_two_halves(self, text, zone, start, hours, special_days):
        start = start.replace(tzinfo=UTC)
        end = start + timedelta(hours=hours)
        store = OpeningHours(text, zone, special_days=special_days)
        spans = list(store.open_intervals(start, end))
        assert all(start <= opens < closes <= end for opens, closes in spans)
        assert all(first[1] < second[0] for first, second in pairwise(spans))
        middle = start + (end - start) / 2
        halves = [*store.open_intervals(start, middle), *store.open_intervals(middle, end)]
        assert sum((b - a for a, b in halves), timedelta()) == sum((b - a for a, b in spans), timedelta())


class TestSpecialDays:
    def test_closed(self):
        assert local("America/Chicago", "09:00-17:00", CHRISTMAS - DAY, 3, special_days={CHRISTMAS: "off"}) == [
            "Thu 09:00 - Thu 17:00",
            "Sat 09:00 - Sat 17:00",
        ]

    def test_other_hours_replace_the_regular_ones(self):
        special = {CHRISTMAS: "10:00-12:00, 13:00-14:00"}
        assert local("America/Chicago", "Mo-Su 09:00-17:00; PH off", CHRISTMAS, 1, special_days=special) == [
            "Fri 10:00 - Fri 12:00",
            "Fri 13:00 - Fri 14:00",
        ]

    def test_open_on_a_day_that_is_regularly_closed(self):
        assert local("UTC", "Mo-Th 09:00-17:00", CHRISTMAS, 1, special_days={CHRISTMAS: "24/7"}) == [
            "Fri 00:00 - Sat 00:00"
        ]

    def test_always_open_but_for_one_day(self):
        assert local("UTC", "", CHRISTMAS - DAY, 3, special_days={CHRISTMAS: "off"}) == [
            "Thu 00:00 - Fri 00:00",
            "Sat 00:00 - Sun 00:00",
        ]

    def test_the_night_before_ends_at_midnight_and_the_own_night_does_not_begin(self):
        assert local("UTC", "22:00-02:00", CHRISTMAS - DAY, 4, special_days={CHRISTMAS: "off"}) == [
            "Thu 00:00 - Thu 02:00",
            "Thu 22:00 - Fri 00:00",
            "Sat 22:00 - Sun 02:00",
            "Sun 22:00 - Mon 00:00",
        ]

    def test_a_special_night_runs_on_into_the_next_day(self):
        special = {CHRISTMAS: "20:00-02:00", CHRISTMAS + DAY: "off"}
        assert local("UTC", "09:00-17:00", CHRISTMAS, 3, special_days=special) == [
            "Fri 20:00 - Sat 02:00",
            "Sun 09:00 - Sun 17:00",
        ]

    def test_the_date_is_the_stores_own(self):
        """Christmas begins in Sydney when it is still the 24th in UTC."""
        hours = OpeningHours("", "Australia/Sydney", special_days={CHRISTMAS: "off"})
        assert not hours.is_open(datetime(2026, 12, 24, 13, tzinfo=UTC))
        assert hours.is_open(datetime(2026, 12, 25, 13, tzinfo=UTC))


class TestPublicHolidays:
    def test_of_the_country(self):
        text, july = "Mo-Fr 09:00-17:00; PH off", date(2026, 7, 13)
        assert len(local("Europe/Paris", text, july, 2, country="FR")) == 1  # Bastille Day
        assert len(local("Europe/Paris", text, july, 2, country="fr")) == 1
        assert len(local("America/Chicago", text, july, 2, country="US")) == 2

    def test_a_country_without_a_calendar_has_none(self):
        assert len(local("Pacific/Guam", "Mo-Fr 09:00-17:00; PH off", CHRISTMAS, 1, country="GU")) == 1

    def test_the_night_of_a_holiday_does_not_come_back_after_midnight(self):
        assert local("America/Chicago", "22:00-02:00; PH off", CHRISTMAS, 2, country="US") == ["Sat 22:00 - Sun 00:00"]

    def test_nor_when_the_question_begins_after_midnight(self):
        hours = OpeningHours("22:00-02:00; PH off", "UTC", country="US")
        assert not hours.is_open(datetime(2026, 12, 26, 1, tzinfo=UTC))
        assert hours.is_open(datetime(2026, 12, 27, 1, tzinfo=UTC))


class TestThePackageUnderneath:
    """Why this module does not simply ask the package. Where one of these fails, some code may go."""

    def test_does_not_accept_timezone_utc(self):
        hours = osm.OpeningHours("24/7", timezone=ZoneInfo("UTC"))
        with pytest.raises(TypeError):
            hours.is_open(datetime(2026, 7, 1, tzinfo=UTC))

    def test_closes_at_the_second_of_two_times(self):
        hours = osm.OpeningHours("00:30-01:30", timezone=ZoneInfo("America/New_York"))
        between = datetime(2026, 11, 1, 1, 0, fold=1, tzinfo=ZoneInfo("America/New_York"))
        assert hours.is_open(between)

    def test_leaves_a_closed_holiday_its_small_hours(self):
        hours = osm.OpeningHours("22:00-02:00; 2026 Dec 25 off")
        assert not hours.is_open(datetime(2026, 12, 25, 23))
        assert hours.is_open(datetime(2026, 12, 26, 1))


class TestValidation:
    @pytest.mark.parametrize("text", ["", "24/7", "off", "Mo-Fr 09:00-17:00; PH off", 'Dec 25 off "Christmas"'])
    def test_good(self, text):
        validate(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("Mo-Fr 9-17", "syntax at character 7: 'Mo-Fr 9-17'"),
            ("Monday to Friday", "syntax at character"),
            ("Mo-Fr 09:00-17:00;", "syntax at character"),
            ('Mo-Fr 09:00-17:00 || "by appointment"', "by appointment"),
            ('Mo-Fr 09:00-17:00 "ring the bell"', "ring the bell"),
        ],
    )
    def test_bad(self, text, message):
        with pytest.raises(ValueError, match=message):
            validate(text)

    @pytest.mark.parametrize(
        "text", ["off", "closed", "24/7", "10:00-14:00", "10:00-14:00,15:00 - 18:00", "22:00-26:00"]
    )
    def test_good_special_days(self, text):
        validate_special_day(text)

    @pytest.mark.parametrize(
        "text", ["", "open", "Fr 10:00-14:00", "25:00-26:00", "10:00-49:00", "10:61-11:00", "10-14"]
    )
    def test_bad_special_days(self, text):
        with pytest.raises(ValueError):
            validate_special_day(text)

    @pytest.mark.parametrize("name", ["", "America", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "a\0b"])
    def test_no_such_time_zone(self, name):
        with pytest.raises(ValueError, match="no time zone"):
            time_zone(name)


class TestTimezoneAt:
    @pytest.mark.parametrize(
        ("lat", "lon", "name"),
        [
            (36.3728, -94.2088, "America/Chicago"),
            (33.4484, -112.0740, "America/Phoenix"),
            (51.5074, -0.1278, "Europe/London"),
            (-33.8688, 151.2093, "Australia/Sydney"),
            (0.0, -160.0, "Etc/GMT+11"),
        ],
    )
    def test_names_the_zone_of_the_place(self, lat, lon, name):
        assert timezone_at(lat, lon) == name


def test_the_real_stores():
    if not REAL_STORES.exists():
        pytest.skip("the real stores are not beside this checkout (../shared/data)")
    with REAL_STORES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    tuesday = datetime(2026, 11, 3, 18, tzinfo=UTC)  # noon in Chicago
    for row in rows:
        validate(row["opening_hours"])
        assert any(OpeningHours(row["opening_hours"], row["timezone"]).open_intervals(tuesday, tuesday + 7 * DAY))
    moved = [row["ref"] for row in rows if timezone_at(float(row["lat"]), float(row["lon"])) != row["timezone"]]
    assert len(moved) <= 5  # borders of time zones are redrawn now and then
