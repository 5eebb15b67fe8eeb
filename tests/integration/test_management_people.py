"""The pages about people, their tablets, and what they did."""

from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import new_id
from pickup.staff import audit, pins, service
from pickup.staff.models import AuditEntry, Device, StaffMember
from tests.integration.managers import (
    ASSOCIATE,
    HEAD_OFFICE,
    MANAGER,
    OTHER_MANAGER,
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
from tests.tablet import Tablet


@pytest.fixture
def stores(world):
    return two_stores(world)


@pytest.fixture
def manager(app, stores):
    made = signed_in(app, MANAGER)
    page(made, "/admin/staff/new")
    return made


@pytest.fixture
def head_office(app, stores):
    made = signed_in(app, HEAD_OFFICE)
    page(made, "/admin/staff/new")
    return made


def named(name):
    db.session.rollback()
    return db.session.query(StaffMember).filter_by(name=name).populate_existing().one()


def names(html, label="Staff"):
    return [row.split()[0] for row in rows_of(html, label)]


# Who sees whom


def test_an_associate_sees_nobody(app, stores):
    tablet = signed_in(app, ASSOCIATE)

    for path in ("/admin/staff", "/admin/staff/new", "/admin/staff/devices", "/admin/staff/1", "/admin/audit"):
        page(tablet, path, 403)


def test_a_manager_sees_their_people_and_head_office_all(manager, head_office):
    assert names(page(manager, "/admin/staff")) == ["Ana", "Max", "Olga"]
    assert names(page(manager, "/admin/staff?store=2")) == ["Ana", "Max", "Olga"]
    assert names(page(head_office, "/admin/staff")) == ["Ana", "Max", "Olga", "Joe"]
    assert names(page(head_office, "/admin/staff?store=2")) == ["Joe"]
    assert names(page(head_office, "/admin/staff?q=ma")) == ["Max"]
    assert "There is no store 77." in page(head_office, "/admin/staff?store=77")
    page(manager, f"/admin/staff/{named('Joe').id}", 404)
    page(manager, "/admin/staff/4711", 404)


def test_the_list_comes_in_pages_and_whole_as_a_file(stores, head_office):
    with unit_of_work():
        for number in range(30):
            db.session.add(StaffMember(store_id=stores[1].id, name=f"P{number:02}", role="associate", pin_hash="none"))

    first = page(head_office, "/admin/staff")
    second = page(head_office, next_of(first))

    assert (len(rows_of(first, "Staff")), len(rows_of(second, "Staff"))) == (25, 9)
    rows = file_of(head_office, "/admin/staff?format=csv")
    assert len(rows) == 34
    assert (rows[1]["store_ref"], rows[1]["name"], rows[1]["role"], rows[1]["left_at"]) == ("1", "Max", "manager", "")
    assert "pin" not in "".join(rows[0])


# Adding


@pytest.mark.parametrize("role", ["associate", "manager"])
def test_a_manager_adds_people_to_their_own_store_only(app, manager, stores, role):
    html = send(manager, "/admin/staff/new", store="2", name="Eve", role=role, pin="2468")

    assert "Eve may sign in from now on." in html
    assert (named("Eve").store_id, named("Eve").role) == (stores[0].id, role)
    signed_in(app, "2468")
    assert trail() == [("Max", "create_member", stores[0].id, {"of": "Eve", "role": role})]


def test_only_head_office_adds_head_office_and_people_of_other_stores(manager, head_office, stores):
    html = send(manager, "/admin/staff/new", 422, name="Eve", role="head_office", pin="2468")
    assert "Choose one of these." in html
    assert 'value="head_office"' not in html
    assert db.session.query(StaffMember).filter_by(name="Eve").count() == 0

    send(head_office, "/admin/staff/new", store="2", name="Eve", role="head_office", pin="2468")
    assert (named("Eve").store_id, named("Eve").role) == (stores[1].id, "head_office")


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"name": "Max"}, "name", "Rogers (1) has somebody named"),
        ({"name": ""}, "name", "Must be 1 to 60 printable characters."),
        ({"pin": MANAGER}, "pin", "Somebody at Rogers (1) has this PIN already"),
        ({"pin": "12"}, "pin", "Must be 4 to 8 digits."),
        ({"store": "77"}, "store", "There is no store"),
        ({"role": "king"}, "role", "Choose one of these."),
    ],
)
def test_somebody_who_cannot_be_added_is_said_so_and_what_was_typed_stays(head_office, form, field, words):
    form = {"store": "1", "name": "Eve", "role": "manager", "pin": "2468"} | form

    html = send(head_office, "/admin/staff/new", 422, **form)

    assert f'id="field-{field}-words">{words}' in html
    assert f'name="name" value="{form["name"]}"' in html
    assert form["pin"] not in html
    assert {action for _, action, _, _ in trail()} <= {"pin_taken"}


# New PINs


def test_a_new_pin_ends_the_sessions_of_the_old_one(app, manager, stores):
    ana, tablet = named("Ana"), signed_in(app, ASSOCIATE)

    html = send(manager, f"/admin/staff/{ana.id}/pin", pin="13579")

    assert "Ana has a new PIN" in html
    assert tablet.get("/staff").status_code == 303, "signed out"
    assert Tablet(app).sign_in(pin=ASSOCIATE).status_code == 403
    signed_in(app, "13579")
    assert trail() == [("Max", "change_pin", stores[0].id, {"of": "Ana"})]


@pytest.mark.parametrize(("pin", "words"), [("abc", "Must be 4 to 8 digits."), (MANAGER, "Somebody at this store has")])
def test_a_pin_that_cannot_be_is_refused(manager, pin, words):
    ana = named("Ana")

    html = send(manager, f"/admin/staff/{ana.id}/pin", 422, pin=pin)

    assert f'id="field-pin-words">{words}' in html
    assert pins.matches(ASSOCIATE, named("Ana").pin_hash)


def test_the_pin_of_who_has_left_is_free_again(manager):
    send(manager, f"/admin/staff/{named('Ana').id}/end")

    with unit_of_work():
        db.session.add(StaffMember(store_id=named("Max").store_id, name="Eve", role="associate", pin_hash="none"))
    send(manager, f"/admin/staff/{named('Eve').id}/pin", pin=ASSOCIATE)

    assert pins.matches(ASSOCIATE, named("Eve").pin_hash)


# Ends


def test_who_is_ended_is_in_the_list_of_those_who_left(manager, stores):
    ana = named("Ana")

    html = send(manager, f"/admin/staff/{ana.id}/end")

    assert "Ana cannot sign in any more." in html
    assert named("Ana").left_at is not None
    assert names(page(manager, "/admin/staff")) == ["Max", "Olga"]
    assert names(page(manager, "/admin/staff?left=1")) == ["Ana", "Max", "Olga"]
    assert "has left and cannot sign in" in page(manager, f"/admin/staff/{ana.id}")
    assert trail() == [("Max", "end_member", stores[0].id, {"of": "Ana"})]
    for path in ("end", "pin"):
        assert manager.post(f"/admin/staff/{ana.id}/{path}", pin="2468").status_code == 404


def test_nobody_ends_themselves(manager):
    me = named("Max")

    assert "You cannot end yourself" in page(manager, f"/admin/staff/{me.id}")
    assert manager.post(f"/admin/staff/{me.id}/end").status_code == 409
    assert named("Max").left_at is None
    assert trail() == []


def test_a_manager_does_nothing_to_head_office_nor_to_another_store(manager):
    olga, joe = named("Olga"), named("Joe")

    assert "changed by head office" in page(manager, f"/admin/staff/{olga.id}")
    for person, status in ((olga, 403), (joe, 404)):
        for path in ("end", "pin"):
            assert manager.post(f"/admin/staff/{person.id}/{path}", pin="2468").status_code == status
    assert named("Olga").left_at is named("Joe").left_at is None
    assert trail() == []


def test_the_last_manager_of_a_store_is_ended_with_a_warning(head_office):
    joe = named("Joe")

    assert "Nobody else manages this store." in page(head_office, f"/admin/staff/{joe.id}")
    send(head_office, f"/admin/staff/{joe.id}/end")

    assert named("Joe").left_at is not None


# Tablets


@pytest.fixture
def devices(stores):
    now = utcnow()
    made = [
        Device(
            store_id=store.id,
            name=f"Tablet {store.ref}",
            token_digest=store.ref.encode(),
            enrolled_at=now,
            enrolled_by="Max",
            seen_at=now,
        )
        for store in stores
    ]
    with unit_of_work():
        db.session.add_all(made)
    return made


def test_tablets_are_seen_and_revoked_by_their_own_store(manager, head_office, devices, stores):
    html = page(manager, "/admin/staff/devices")
    assert len(rows_of(html, "Tablets")) == 1
    assert len(rows_of(page(head_office, "/admin/staff/devices"), "Tablets")) == 2
    assert len(rows_of(page(head_office, "/admin/staff/devices?store=2"), "Tablets")) == 1
    assert manager.post(f"/admin/staff/devices/{devices[1].id}/revoke").status_code == 404
    assert manager.post("/admin/staff/devices/4711/revoke").status_code == 404

    html = send(manager, f"/admin/staff/devices/{devices[0].id}/revoke")

    assert "by Max" in rows_of(html, "Tablets")[0]
    db.session.rollback()
    assert [device.revoked_by for device in db.session.query(Device).order_by(Device.id).populate_existing()] == [
        "Max",
        None,
    ]
    send(head_office, f"/admin/staff/devices/{devices[0].id}/revoke")
    assert trail() == [("Max", "revoke_device", stores[0].id, {"revoked": devices[0].id, "name": "Tablet 1"})], "once"
    rows = file_of(head_office, "/admin/staff/devices?format=csv")
    assert [(row["name"], row["revoked_by"]) for row in rows] == [("Tablet 1", "Max"), ("Tablet 2", "")]


# The trail


def lines(html):
    """What is in the trail but that somebody has signed in."""
    return [row for row in rows_of(html, "Audit trail") if "Sign in" not in row]


@pytest.fixture
def entries(world, shop, stores):
    world.stock(stores[0], world.product("A"), 5)
    order = world.place(shop, {"A": 1})
    now = utcnow()
    max_, joe = named("Max"), named("Joe")
    with unit_of_work():
        audit.record(max_, "pause_store", now=now - timedelta(days=3), move_orders=True)
        audit.record(max_, "hand_over", now=now - timedelta(days=1), order_id=order.id)
        audit.record(joe, "change_store", now=now, hold_days=[7, None], units={"A": 2})
    return order


def test_the_trail_is_read_newest_first_by_who_may(manager, head_office, entries):
    rows = lines(page(head_office, "/admin/audit"))

    assert all(words in row for words, row in zip(("Change store", "Hand over", "Pause store"), rows, strict=True))
    assert "hold days: 7 → nothing" in rows[0]
    assert "units: A × 2" in rows[0]
    assert str(entries.number) in rows[1]
    assert len(lines(page(manager, "/admin/audit"))) == 2
    assert len(lines(page(manager, "/admin/audit?store=2"))) == 2


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("person=ma", 2),
        ("action=Hand+over", 1),
        ("action=hand_over&person=joe", 0),
        ("order={number}", 1),
        ("from={yesterday}", 3),
        ("to={yesterday}", 2),
        ("from={yesterday}&to={yesterday}", 1),
        ("store=2", 1),
    ],
)
def test_the_trail_is_searched(head_office, entries, query, count):
    yesterday = (utcnow() - timedelta(days=1)).date().isoformat()
    query = query.format(number=entries.number, yesterday=yesterday)

    assert len(rows_of(page(head_office, f"/admin/audit?{query}"), "Audit trail")) == count
    assert len(file_of(head_office, f"/admin/audit?{query}&format=csv")) == count


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("order=1", "There is no order 1."),
        ("order=x", "There is no order x."),
        ("order=" + "9" * 40, "There is no order 9"),
        ("from=2026-02-30", "Write days as year-month-day"),
        ("store=77", "There is no store 77."),
    ],
)
def test_what_cannot_be_searched_for_is_said(head_office, entries, query, words):
    html = page(head_office, f"/admin/audit?{query}")

    assert words in html
    assert rows_of(html, "Audit trail") == []


def test_that_another_store_has_an_order_is_not_said(app, manager, head_office, entries):
    joe = signed_in(app, OTHER_MANAGER, "2")
    path = f"/admin/audit?order={entries.number}"

    assert f"There is no order {entries.number}." in page(joe, path)
    assert "There is no order 1." in page(joe, "/admin/audit?order=1")
    for tablet in (manager, head_office):
        assert len(lines(page(tablet, path))) == 1
    with unit_of_work():
        audit.record(named("Joe"), "send_transfer", now=utcnow(), order_id=entries.id)
    (line,) = lines(page(joe, path))
    assert "Send transfer" in line, "what they did with it themselves"


def test_the_trail_comes_in_pages_and_whole_as_a_file(stores, head_office):
    now, max_ = utcnow(), named("Max")
    with unit_of_work():
        for number in range(30):
            audit.record(max_, "count", now=now, number=number, note="=HYPERLINK()" if number == 29 else "")

    first = page(head_office, "/admin/audit?person=Max")
    second = page(head_office, next_of(first))

    assert (len(rows_of(first, "Audit trail")), len(rows_of(second, "Audit trail"))) == (25, 5)
    assert "person=Max" in next_of(first)
    assert len(file_of(head_office, "/admin/audit?format=csv")) == db.session.query(AuditEntry).count()


def test_an_order_of_nobody_is_no_trouble(stores, head_office):
    with unit_of_work():
        audit.record(named("Max"), "hand_over", now=utcnow(), order_id=new_id(), store_id=4711)

    (row,) = lines(page(head_office, "/admin/audit"))
    assert "Hand over" in words_of(row)


def test_that_a_pin_is_taken_helps_nobody_to_find_one(app, world):
    store = world.store("pins")
    with unit_of_work():
        service.create_member(store_ref="pins", name="Max", role="manager", pin="998877")
        service.create_member(store_ref="pins", name="Ana", role="associate", pin="1234")
    tablet = Tablet(app)
    tablet.sign_in(store="pins", pin="998877")
    form = {"store": store.ref, "role": "associate", "pin": "1234"}
    tablet.get("/admin/staff/new")
    statuses = [tablet.post("/admin/staff/new", name=f"N{number}", **form).status_code for number in range(6)]
    assert statuses == [422] * 5 + [429]
