"""The tablet's door: enrolled tablets, names and PINs, the lock, and the trail of who did what on which tablet."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from pickup.app import create_app
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.staff import devices, queries, service
from pickup.staff.models import AuditEntry, Device, StaffMember
from pickup.staff.people import at_work
from tests.tablet import Tablet

ANA, MAX = "1234", "998877"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.stock(made, world.product("A", name="Milk"), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ANA)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MAX)
    return made


@pytest.fixture
def tablet(app, store):
    """One of the store's, with nobody at it."""
    made = Tablet(app)
    made.sign_in(pin=MAX)
    made.get("/staff/device")
    assert made.post("/staff/device", name="Counter 1").status_code == 303
    made.get("/staff")
    made.post("/staff/sign-out")
    return made


def member(name):
    db.session.rollback()
    return db.session.scalars(select(StaffMember).where(StaffMember.name == name)).one()


def enter(tablet, name, pin):
    tablet.get("/staff/sign-in")
    answer = tablet.post("/staff/sign-in", member=member(name).id, pin=pin)
    if answer.status_code == 303:
        tablet.get("/staff")
    return answer


def trail():
    db.session.rollback()
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.action, row.member_name, row.device_name) for row in rows]


def test_people_sign_in_by_name_on_a_tablet_of_their_store(tablet):
    page = tablet.get("/staff/sign-in").text
    assert "Who are you?" in page
    assert "Ana" in page
    assert 'name="store"' not in page
    assert enter(tablet, "Ana", ANA).location == "/staff"
    assert "Counter 1" in tablet.get("/staff").text


def test_a_pin_belongs_to_its_name(tablet):
    assert enter(tablet, "Ana", MAX).status_code == 403
    assert enter(tablet, "Max", ANA).status_code == 403
    assert tablet.get("/staff").location == "/staff/sign-in"


@pytest.mark.parametrize("person", ["", "0", "-1", "x", "99999999999999999999", "424242"])
def test_nobody_of_that_name(tablet, person):
    tablet.get("/staff/sign-in")
    assert tablet.post("/staff/sign-in", member=person, pin=ANA).status_code == 403


def test_five_wrong_pins_lock_one_person_for_half_an_hour_and_nobody_else(tablet):
    start = utcnow()
    with time_machine.travel(start, tick=False):
        assert [enter(tablet, "Ana", "0000").status_code for _ in range(5)] == [403] * 5
        assert enter(tablet, "Ana", ANA).status_code == 429
        assert enter(tablet, "Max", MAX).status_code == 303
        tablet.post("/staff/sign-out")
    with time_machine.travel(start + timedelta(minutes=29, seconds=59), tick=False):
        assert enter(tablet, "Ana", ANA).status_code == 429
    with time_machine.travel(start + timedelta(minutes=30), tick=False):
        assert enter(tablet, "Ana", ANA).status_code == 303


def test_somebody_of_another_store_does_not_get_in(tablet, world):
    world.store("2")
    with unit_of_work():
        service.create_member(store_ref="2", name="Zed", role="manager", pin="7777")
    assert enter(tablet, "Zed", "7777").status_code == 403


def test_who_has_left_does_not_get_in(tablet, app):
    enter(tablet, "Ana", ANA)
    with unit_of_work():
        queries.member(member("Ana").id).left_at = utcnow()
    assert tablet.get("/staff").location == "/staff/sign-in"
    assert enter(tablet, "Ana", ANA).status_code == 403
    assert "Ana" not in tablet.get("/staff/sign-in").text
    assert Tablet(app).sign_in(pin=ANA).status_code == 403
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ANA)  # name and PIN are free again
    assert Tablet(app).sign_in(pin=ANA).status_code == 303


def test_a_tablet_that_was_taken_back_is_no_tablet_any_more(tablet):
    enter(tablet, "Ana", ANA)
    with unit_of_work():
        devices.revoke(at_work(member("Max")), db.session.scalars(select(Device.id)).one(), now=utcnow())
    assert tablet.get("/staff").location == "/staff/sign-in"
    assert 'name="store"' in tablet.get("/staff/sign-in").text


def test_only_a_manager_makes_a_tablet_the_stores(app, store):
    tablet = Tablet(app)
    tablet.sign_in()
    assert tablet.get("/staff/device").status_code == 403
    assert tablet.post("/staff/device", name="Mine").status_code == 403
    assert db.session.scalars(select(Device)).all() == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x07b"])
def test_a_tablet_needs_a_name(app, store, name):
    tablet = Tablet(app)
    tablet.sign_in(pin=MAX)
    tablet.get("/staff/device")
    answer = tablet.post("/staff/device", name=name)
    assert answer.status_code == 422
    assert "must be 1 to 60 printable characters" in answer.text


def test_only_the_digest_of_a_token_is_kept(tablet):
    token = tablet.client.get_cookie("pickup_device").value
    device = db.session.scalars(select(Device)).one()
    assert token.encode() not in device.token_digest
    assert devices.device_of(token).id == device.id
    assert devices.device_of(token + "x") is None
    assert devices.device_of("") is None


def test_a_tablet_that_nobody_touches_is_locked(tablet):
    start = utcnow()
    with time_machine.travel(start, tick=False):
        enter(tablet, "Ana", ANA)
    with time_machine.travel(start + timedelta(minutes=4, seconds=59), tick=False):
        assert tablet.get("/staff").status_code == 200
    with time_machine.travel(start + timedelta(minutes=9, seconds=58), tick=False):
        assert tablet.get("/staff").status_code == 200  # the last touch counts
    with time_machine.travel(start + timedelta(minutes=14, seconds=58), tick=False):
        assert tablet.get("/staff?x=1").location == "/staff/locked?next=/staff?x%3D1"
        assert tablet.unlock("0000").status_code == 403
        assert tablet.unlock(MAX).status_code == 403
        answer = tablet.unlock(ANA)
        assert (answer.status_code, answer.location) == (303, "/staff")
        assert tablet.get("/staff").status_code == 200


def test_what_a_page_asks_for_by_itself_keeps_no_tablet_open(tablet):
    start = utcnow()
    with time_machine.travel(start, tick=False):
        enter(tablet, "Ana", ANA)
    for minutes in range(1, 5):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            assert tablet.get("/staff/board").status_code == 200
    with time_machine.travel(start + timedelta(minutes=5), tick=False):
        assert tablet.get("/staff/board").location.startswith("/staff/locked")


def test_a_step_from_a_locked_tablet_is_not_taken_and_said(tablet, world, shop):
    order = world.place(shop, {"A": 1})
    world.work()
    enter(tablet, "Ana", ANA)
    tablet.post("/staff/lock")
    answer = tablet.post(f"/staff/orders/{order.id}/start-picking")
    assert answer.location.startswith("/staff/locked")
    assert world.order(order.id).status == "reserved"
    tablet.get("/staff/locked")
    tablet.post("/staff/locked", pin=ANA)
    assert "the last step was not taken" in tablet.get("/staff").text


def test_guessing_at_the_lock_ends(tablet):
    enter(tablet, "Ana", ANA)
    tablet.post("/staff/lock")
    assert [tablet.unlock("0000").status_code for _ in range(6)] == [403] * 5 + [429]
    assert tablet.unlock(ANA).status_code == 429


def test_a_locked_tablet_is_for_somebody_else_after_signing_out(tablet):
    enter(tablet, "Ana", ANA)
    tablet.post("/staff/lock")
    tablet.get("/staff/locked")
    tablet.post("/staff/sign-out")
    assert enter(tablet, "Max", MAX).status_code == 303


def test_the_way_back_never_leads_elsewhere(tablet):
    enter(tablet, "Ana", ANA)
    tablet.post("/staff/lock")
    tablet.get("/staff/locked")
    assert tablet.post("/staff/locked?next=//evil.example", pin=ANA).location == "/staff"


def test_management_is_locked_as_well(tablet):
    enter(tablet, "Max", MAX)
    tablet.post("/staff/lock")
    assert tablet.get("/admin/prices").location == "/staff/locked?next=/admin/prices"


def test_the_trail_says_who_did_what_on_which_tablet(tablet, world, shop):
    order = world.place(shop, {"A": 1})
    world.work()
    enter(tablet, "Ana", "0000")
    enter(tablet, "Ana", ANA)
    tablet.post(f"/staff/orders/{order.id}/start-picking")
    tablet.get("/staff")
    tablet.post(f"/staff/orders/{order.id}/ready")
    tablet.get("/staff")
    tablet.hand_over("QQQ-QQQ-QQQ")
    tablet.hand_over("QQQ-QQQ-QQQ", f"/staff/orders/{order.id}/hand-over")
    tablet.hand_over(order.pickup_code)
    assert trail()[3:] == [
        ("wrong_pin", "Ana", ""),
        *(
            (action, "Ana", "Counter 1")
            for action in ("sign_in", "start_picking", "mark_ready", "unknown_code", "wrong_code", "hand_over")
        ),
    ]
    assert trail()[:3] == [("sign_in", "Max", ""), ("enrol_device", "Max", ""), ("sign_out", "Max", "Counter 1")]
    about = db.session.scalars(select(AuditEntry).where(AuditEntry.order_id == order.id)).all()
    assert [row.action for row in about] == ["start_picking", "mark_ready", "wrong_code", "hand_over"]


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries"])
def test_nobody_changes_the_trail(tablet, change):
    before = trail()
    with pytest.raises(DBAPIError, match="added, never changed"):
        db.session.execute(text(change))
    assert trail() == before


def test_only_managers_sign_in_elsewhere_if_the_retailer_wants_it(app, store):
    settings = app.extensions["settings"]
    app.extensions["settings"] = replace(settings, enrolled_tablets_only=True)
    try:
        refused = Tablet(app).sign_in(pin=ANA)
        assert refused.status_code == 403
        assert "not one of the store's tablets" in refused.text
        assert Tablet(app).sign_in(pin=MAX).status_code == 303
    finally:
        app.extensions["settings"] = settings


@pytest.fixture
def behind_proxy(app, store):
    settings = replace(app.extensions["settings"], public_url="https://pickup.example", trusted_proxies=1)
    return create_app(settings)


def test_cookies_over_https_belong_to_this_host_alone(behind_proxy):
    with behind_proxy.app_context():
        client = behind_proxy.test_client()
        cookies = client.get("/staff/sign-in", base_url="https://pickup.example").headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


def test_behind_a_proxy_each_network_guesses_for_itself(behind_proxy):
    def guess(address, pin="0000"):
        with behind_proxy.app_context():
            tablet = Tablet(behind_proxy)
            tablet.base_url = "https://pickup.example"
            tablet.headers["X-Forwarded-For"] = address
            tablet.get("/staff/sign-in")
            return tablet.post("/staff/sign-in", store="1", pin=pin).status_code

    assert [guess("203.0.113.1, 198.51.100.1") for _ in range(6)] == [403] * 5 + [429]
    # What a client says itself stands before what our own proxy adds.
    assert guess("203.0.113.9, 198.51.100.1") == 429
    assert guess("198.51.100.2", ANA) == 303
