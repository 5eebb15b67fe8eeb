"""The pages about stores: who sees which, what each may change, and what is written down of it."""

from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.core.models import Event
from pickup.stores.models import SpecialDay, Store
from tests.integration.managers import (
    ASSOCIATE,
    HEAD_OFFICE,
    MANAGER,
    file_of,
    next_of,
    page,
    rows_of,
    send,
    signed_in,
    trail,
    two_stores,
    words_of,
)


@pytest.fixture
def stores(world):
    return two_stores(world)


@pytest.fixture
def manager(app, stores):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, stores):
    return signed_in(app, HEAD_OFFICE)


def settings_of(ref="1"):
    db.session.rollback()
    store = db.session.query(Store).filter_by(ref=ref).populate_existing().one()
    names = ("name", "country", "timezone", "opening_hours", "prep_minutes", "hourly_capacity", "hold_days", "phone")
    return {name: "" if getattr(store, name) is None else str(getattr(store, name)) for name in names}


def store_now(ref="1"):
    db.session.rollback()
    return db.session.query(Store).filter_by(ref=ref).populate_existing().one()


def in_days(number):
    return (utcnow().date() + timedelta(days=number)).isoformat()


# Who sees which


@pytest.mark.parametrize("path", ["", "/1", "/1/pause"])
def test_an_associate_sees_none_of_it(app, stores, path):
    tablet = signed_in(app, ASSOCIATE)

    if path.endswith("pause"):
        assert tablet.post(f"/admin/stores{path}").status_code == 403
    else:
        assert "A manager has to do this" in page(tablet, f"/admin/stores{path}", 403)
    assert store_now().paused_at is None


def test_a_manager_sees_their_store_and_head_office_all(manager, head_office):
    assert [row.split()[0] for row in rows_of(page(manager, "/admin/stores"), "Stores")] == ["Rogers"]
    assert [row.split()[0] for row in rows_of(page(head_office, "/admin/stores"), "Stores")] == ["Rogers", "Joplin"]
    assert [row.split()[0] for row in rows_of(page(head_office, "/admin/stores?q=jop"), "Stores")] == ["Joplin"]
    assert "No store that you see" in page(manager, "/admin/stores?q=jop")


def test_another_store_is_not_there_for_a_manager(manager):
    page(manager, "/admin/stores/2", 404)
    page(manager, "/admin/stores/nowhere", 404)
    for path, form in (
        ("", settings_of("2")),
        ("/pause", {}),
        ("/resume", {}),
        ("/special-days", {"day": in_days(3), "hours": "off"}),
        (f"/special-days/{in_days(3)}/remove", {}),
    ):
        assert manager.post(f"/admin/stores/2{path}", **form).status_code == 404, path
    assert store_now("2").paused_at is None
    assert trail() == []


def test_the_list_comes_in_pages_and_whole_as_a_file(world, head_office, manager):
    for number in range(30):
        world.store(f"x{number:02}", name="=1+1" if number == 0 else f"Branch {number}")

    first = page(head_office, "/admin/stores")
    second = page(head_office, next_of(first))
    rows = file_of(head_office, "/admin/stores?format=csv")

    assert (len(rows_of(first, "Stores")), len(rows_of(second, "Stores"))) == (25, 7)
    assert len(rows) == 32
    assert (rows[0]["ref"], rows[0]["opening_hours"], rows[2]["name"]) == ("1", "Mo-Su 08:00-21:00", "'=1+1")
    assert [row["ref"] for row in file_of(head_office, "/admin/stores?q=branch+2&format=csv")][:2] == ["x02", "x20"]
    assert [row["ref"] for row in file_of(manager, "/admin/stores?format=csv")] == ["1"]


# Settings


def test_a_manager_changes_settings_and_the_trail_says_which(manager, stores):
    page(manager, "/admin/stores/1")
    form = settings_of() | {"hourly_capacity": " 12 ", "opening_hours": "Mo-Fr 09:00-18:00", "prep_minutes": "45"}

    html = send(manager, "/admin/stores/1", **form)

    assert "Saved." in html
    store = store_now()
    assert (store.hourly_capacity, store.prep_minutes, store.city) == (12, 45, ""), "a field that is empty empties"
    ((name, action, store_id, detail),) = trail()
    assert (name, action, store_id) == ("Max", "change_store", stores[0].id)
    assert detail == {
        "hourly_capacity": [None, 12],
        "opening_hours": ["Mo-Su 08:00-21:00", "Mo-Fr 09:00-18:00"],
        "prep_minutes": [None, 45],
        "city": ["Bentonville", ""],
    }


def test_what_head_office_decides_stays_whatever_a_manager_sends(manager):
    page(manager, "/admin/stores/1")
    html = send(
        manager, "/admin/stores/1", **settings_of() | {"city": "Rogers"}, kind="warehouse", lat="0", price_zone="x"
    )

    store = store_now()
    assert (store.kind, store.lat, store.price_zone, store.city) == ("store", 36.3728, "", "Rogers")
    assert 'name="lat"' not in html


def test_head_office_moves_a_store_and_its_time_zone_follows(head_office):
    page(head_office, "/admin/stores/2")
    form = settings_of("2") | {"city": "Boise", "timezone": "", "lat": "43.6", "lon": "-116.2", "kind": "partner"}

    send(head_office, "/admin/stores/2", **form, price_zone="west")

    store = store_now("2")
    assert (store.timezone, store.kind, store.price_zone, store.lat) == ("America/Boise", "partner", "west", 43.6)


def test_a_form_that_changes_nothing_leaves_no_trace(manager, stores):
    page(manager, "/admin/stores/1")

    html = send(manager, "/admin/stores/1", **settings_of() | {"city": "Bentonville"})

    assert "Nothing was changed." in html
    assert trail() == []


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", "", "Is empty."),
        ("opening_hours", "Mo-Xx", "Not in OpenStreetMap"),
        ("hourly_capacity", "many", "Must be a whole number from 0 to 1000000"),
        ("hold_days", "0", "Must be a whole number from 1 to 365"),
        ("timezone", "Mars/Olympus", "There is no time zone"),
        ("country", "USA", "Must be the two letters of ISO 3166"),
        ("phone", "1" * 300, "Is longer than 200 characters."),
        ("email", "nobody at home", "Must be a mail address"),
    ],
)
def test_a_wrong_field_says_so_and_what_was_typed_stays(manager, field, typed, words):
    page(manager, "/admin/stores/1")
    form = settings_of() | {"street": "18 Orchard Lane", field: typed}

    html = send(manager, "/admin/stores/1", 422, **form)

    assert f'id="field-{field}-words">{words}' in html
    assert f'name="{field}" value="{typed}"' in html
    assert 'value="18 Orchard Lane"' in html
    assert "One field is not right. Nothing was changed." in html
    assert store_now().street == ""
    assert trail() == []


def test_a_form_of_another_site_changes_nothing(manager):
    manager.token = "made up"

    assert manager.post("/admin/stores/1/pause").status_code == 403
    assert store_now().paused_at is None


# Special days


def test_special_days_are_added_changed_and_removed(manager, stores):
    page(manager, "/admin/stores/1")
    day = in_days(3)
    html = send(manager, "/admin/stores/1/special-days", day=day, hours="10:00-14:00")
    assert f"{day} has hours of its own: 10:00-14:00." in html
    assert "10:00–14:00 special" in words_of(html)

    html = send(manager, "/admin/stores/1/special-days", day=day, hours="off")
    assert "closed special" in words_of(html)

    html = send(manager, f"/admin/stores/1/special-days/{day}/remove")
    assert "every day has the regular hours" in html
    assert db.session.query(SpecialDay).count() == 0
    assert [(action, detail.get("hours")) for _, action, _, detail in trail()] == [
        ("set_special_day", "10:00-14:00"),
        ("set_special_day", "off"),
        ("drop_special_day", None),
    ]


@pytest.mark.parametrize(
    ("day", "hours", "field", "words"),
    [
        ("", "off", "field-day", "Choose a day"),
        ("2020-01-01", "off", "field-day", "This day is over."),
        ("soon", "off", "field-day", "Choose a day"),
        ("3", "now and then", "special-hours", "Not the hours of one day"),
    ],
)
def test_a_special_day_that_is_none_says_so(manager, day, hours, field, words):
    page(manager, "/admin/stores/1")
    day = in_days(3) if day == "3" else day

    html = send(manager, "/admin/stores/1/special-days", 422, day=day, hours=hours)

    assert f'id="{field}-words">{words}' in html
    assert f'value="{hours}"' in html
    assert db.session.query(SpecialDay).count() == 0


# Pause and resume


def test_a_store_is_paused_by_somebody_and_takes_orders_again(manager, stores):
    page(manager, "/admin/stores/1")

    html = words_of(send(manager, "/admin/stores/1/pause"))
    assert "paused since" in html
    assert ", by Max, until somebody resumes it." in html
    assert db.session.query(Event).filter_by(type="store.closed").count() == 0

    html = words_of(send(manager, "/admin/stores/1/resume"))
    assert "The store takes orders again." in html
    assert store_now().paused_at is None
    assert [(action, detail) for _, action, _, detail in trail()] == [
        ("pause_store", {"move_orders": False}),
        ("resume_store", {}),
    ]


def test_with_its_orders_a_store_is_cleared(manager):
    page(manager, "/admin/stores/1")

    send(manager, "/admin/stores/1/pause", move_orders="1")

    assert db.session.query(Event).filter_by(type="store.closed").count() == 1


def test_who_paused_over_the_api_is_a_program(manager, admin, stores):
    admin.post("/v1/stores/1/pause")

    assert ", by a program, until" in words_of(page(manager, "/admin/stores/1"))
