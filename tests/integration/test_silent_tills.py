"""What a store whose tills say nothing is trusted with: less, then nothing, and all of it with the next word."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from pickup.core import revisions
from pickup.core.db import db, unit_of_work
from pickup.stores import queries as store_queries
from pickup.stores.directory import fresh_directory
from pickup.stores.models import SpecialDay, Store
from pickup.tills import queries, silence
from pickup.tills.models import TillRegister
from pickup.tills.service import see
from pickup.tills.silence import watch_tills

NOON = datetime(2026, 3, 3, 18, tzinfo=UTC)  # a Tuesday in Chicago
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAYTIME = "Mo-Su 08:00-20:00"


@pytest.fixture
def settings(database, monkeypatch):
    """Sets settings for a test."""

    def set_to(**values):
        monkeypatch.setitem(database.extensions, "settings", replace(database.extensions["settings"], **values))
        database.extensions["stores"].forget()

    set_to(safety_stock={}, stale_safety_stock=2, till_stale_minutes=240, till_silent_minutes=1440)
    return set_to


@pytest.fixture
def hear(settings):
    """A till of a store speaks."""

    def speak(store, at=NOON, register="r1"):
        with unit_of_work():
            see(fresh_directory().by_id[store.id], register, 0, now=at)

    return speak


def feed(store):
    db.session.rollback()
    return db.session.execute(select(Store.feed_state, Store.feed_changed_at).where(Store.id == store.id)).one()


def revision():
    return store_queries.revision()


class TestTheSteps:
    def test_first_stale_then_silent_then_heard_again(self, world, hear):
        store = world.store("1", opening_hours="")
        hear(store)

        assert watch_tills(NOON + 4 * HOUR - timedelta(seconds=1)) == 0
        assert feed(store) == ("heard", None)
        assert watch_tills(NOON + 4 * HOUR) == 1
        assert feed(store) == ("stale", NOON + 4 * HOUR)
        assert watch_tills(NOON + 5 * HOUR) == 0
        assert watch_tills(NOON + 24 * HOUR) == 1
        assert feed(store) == ("silent", NOON + 24 * HOUR)

        hear(store, NOON + 30 * HOUR, "another")

        assert feed(store) == ("heard", NOON + 30 * HOUR)
        assert watch_tills(NOON + 31 * HOUR) == 0

    def test_the_directory_knows_what_follows(self, world, hear, settings):
        settings(safety_stock={"partner": 5}, stale_safety_stock=3)
        own, partner = world.store("1"), world.store("2", kind="partner", hourly_capacity=7)
        hear(own)
        hear(partner)

        def known():
            entries = fresh_directory().by_ref
            return [(entries[ref].safety_floor, entries[ref].takes_orders) for ref in ("1", "2")]

        assert known() == [(0, True), (5, True)]
        watch_tills(NOON + 4 * HOUR)
        assert known() == [(3, True), (8, True)]
        watch_tills(NOON + 24 * HOUR)
        assert known() == [(3, False), (8, False)]
        hear(own, NOON + 24 * HOUR)
        assert known() == [(0, True), (8, False)]
        assert fresh_directory().by_ref["2"].hourly_capacity == 7

    def test_a_store_that_never_had_a_till_is_not_missed(self, world, settings):
        store = world.store("1")

        assert watch_tills(NOON + 365 * DAY) == 0
        assert feed(store).feed_state == "heard"

    def test_the_last_word_of_any_register_counts(self, world, hear):
        store = world.store("1", opening_hours="")
        hear(store, NOON, "r1")
        hear(store, NOON + 3 * HOUR, "r2")

        assert watch_tills(NOON + 6 * HOUR) == 0
        assert watch_tills(NOON + 7 * HOUR) == 1

    def test_a_message_that_changes_nothing_touches_no_store(self, world, hear):
        store = world.store("1")
        before = revision()

        hear(store)
        hear(store, NOON + HOUR)

        assert revision() == before


class TestOpenTime:
    def test_a_night_is_no_silence(self, world, hear):
        store = world.store("1", opening_hours=DAYTIME)
        hear(store, NOON + 8 * HOUR)  # 20:00, and closed until 08:00

        assert watch_tills(NOON + 23 * HOUR) == 0  # 11:00
        assert watch_tills(NOON + 24 * HOUR) == 1  # 12:00
        assert feed(store).feed_state == "stale"

    def test_special_days_of_long_ago_count_too(self, world, hear):
        """The directory forgets special days after a week; the silence may be older."""
        store = world.store("1", opening_hours="Mo-Su 08:00-09:00")
        hear(store, NOON)
        with unit_of_work():
            closed = [date(2026, 3, 4) + number * DAY for number in range(30)]
            db.session.add_all(SpecialDay(store_id=store.id, day=day, hours="off") for day in closed)

        assert watch_tills(NOON + 30 * DAY) == 0
        assert watch_tills(NOON + 33 * DAY) == 0
        assert watch_tills(NOON + 34 * DAY) == 1

    def test_new_hours_are_looked_at_again(self, world, hear):
        store = world.store("1", opening_hours="")
        hear(store)
        watch_tills(NOON + 5 * HOUR)
        with unit_of_work():
            db.session.execute(Store.__table__.update().values(opening_hours="Mo-Su 00:00-00:30"))
            revisions.bump("stores")

        assert watch_tills(NOON + 6 * HOUR) == 1
        assert feed(store).feed_state == "heard"


class TestSettings:
    @pytest.mark.parametrize(
        ("stale", "silent", "state"), [(240, 0, "stale"), (0, 1440, "silent"), (0, 0, "heard"), (2880, 1440, "silent")]
    )
    def test_each_step_can_be_turned_off(self, world, hear, settings, stale, silent, state):
        settings(till_stale_minutes=stale, till_silent_minutes=silent)
        store = world.store("1", opening_hours="")
        hear(store)

        watch_tills(NOON + 24 * HOUR)

        assert feed(store).feed_state == state

    def test_turned_off_later_it_lets_every_store_come_back(self, world, hear, settings):
        store = world.store("1", opening_hours="")
        hear(store)
        watch_tills(NOON + 24 * HOUR)

        settings(till_stale_minutes=0, till_silent_minutes=0)

        assert watch_tills(NOON + 25 * HOUR) == 1
        assert feed(store).feed_state == "heard"


class TestManyStores:
    def test_the_revision_moves_once(self, world, hear):
        stores = [world.store(str(number), opening_hours="") for number in range(4)]
        for number, store in enumerate(stores):
            hear(store, NOON + number * 12 * HOUR)
        before = revision()

        assert watch_tills(NOON + 41 * HOUR) == 4

        assert [feed(store).feed_state for store in stores] == ["silent", "silent", "stale", "stale"]
        assert revision() == before + 1
        assert watch_tills(NOON + 41 * HOUR) == 0
        assert revision() == before + 1

    def test_hours_are_not_computed_for_those_just_heard_of(self, world, hear, monkeypatch):
        for number in range(3):
            hear(world.store(str(number)))

        def fail(*args, **kwargs):
            raise AssertionError("hours were computed")

        monkeypatch.setattr(silence, "OpeningHours", fail)

        assert watch_tills(NOON + 3 * HOUR) == 0

    def test_each_change_is_a_line_in_the_log(self, world, hear, monkeypatch):
        lines = []

        class Log:
            def warning(self, event, **details):
                lines.append((event, details["store"], details["state"], details["last_word"]))

        monkeypatch.setattr(silence, "log", Log())
        hear(world.store("1", opening_hours=""))

        watch_tills(NOON + 24 * HOUR)
        watch_tills(NOON + 25 * HOUR)

        assert lines == [("till_feed_changed", "1", "silent", "2026-03-03T18:00:00+00:00")]


class TestAtTheSameTime:
    def test_who_speaks_while_it_is_looked_at_stays_heard(self, world, hear, database, monkeypatch):
        """The word comes between the look and the lock, and its message found the store heard."""
        store = world.store("1", opening_hours="")
        hear(store)
        really_lock = queries.lock_last_words

        def speak():
            with database.app_context():
                hear(store, NOON + 24 * HOUR)
                db.session.remove()

        def lock_later(store_ids):
            other = threading.Thread(target=speak)
            other.start()
            other.join()
            return really_lock(store_ids)

        monkeypatch.setattr(queries, "lock_last_words", lock_later)

        assert watch_tills(NOON + 24 * HOUR) == 0
        assert feed(store).feed_state == "heard"

    def test_without_the_second_look_it_would_not(self, world, hear, database, monkeypatch):
        """The control: what the first look saw is old by the time of the lock."""
        store = world.store("1", opening_hours="")
        hear(store)
        seen = queries.last_words()

        def speak_and_trust_the_first_look(store_ids):
            hear_elsewhere = threading.Thread(target=speak)
            hear_elsewhere.start()
            hear_elsewhere.join()
            return seen

        def speak():
            with database.app_context():
                hear(store, NOON + 24 * HOUR)
                db.session.remove()

        monkeypatch.setattr(queries, "lock_last_words", speak_and_trust_the_first_look)

        assert watch_tills(NOON + 24 * HOUR) == 1
        assert feed(store).feed_state == "silent"
        monkeypatch.undo()
        assert watch_tills(NOON + 24 * HOUR) == 1, "and the next turn mends it"

    def test_two_clocks_make_one_change(self, world, hear, database):
        hear(world.store("1", opening_hours=""))
        before, done = revision(), []
        db.session.rollback()
        barrier = threading.Barrier(2)

        def watch():
            with database.app_context():
                barrier.wait()
                done.append(watch_tills(NOON + 24 * HOUR))
                db.session.remove()

        clocks = [threading.Thread(target=watch) for _ in range(2)]
        for clock in clocks:
            clock.start()
        for clock in clocks:
            clock.join()

        assert sorted(done) == [0, 1]
        assert revision() == before + 1
        assert db.session.query(TillRegister).count() == 1
