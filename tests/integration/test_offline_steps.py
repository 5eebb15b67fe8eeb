"""Steps that were taken without a network, as the server judges them: once each, in order, by whoever took them."""

import hashlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries as orders
from pickup.orders import service as order_service
from pickup.orders.models import OrderHistory
from pickup.staff import devices, offline, service
from pickup.staff.models import AuditEntry, Device, OfflineAction, StaffMember
from pickup.staff.people import at_work
from tests.tablet import Tablet

ANA, MAX = "1234", "998877"


class Offline(Tablet):
    """A tablet that has taken along what it needs."""

    def __init__(self, app, pin=ANA, store="1"):
        super().__init__(app)
        self.sign_in(store=store, pin=pin)
        self.luggage = self.get("/staff/offline/orders").json

    def step(self, order, action, code=None, **more):
        """One step, as the page makes it."""
        codes = self.luggage["codes"]
        made = {
            "key": str(uuid.uuid4()),
            "shift": self.luggage["shift"],
            "order_id": str(order.id),
            "action": action,
            "at": rfc3339(utcnow()),
        }
        if code:
            salt = bytes.fromhex(codes["salt"])
            proof = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, codes["rounds"]).hex()
            made |= {"proof": proof, "salt_day": codes["salt_day"], "age_checked": True}
        return made | more

    def send(self, step):
        headers = {"X-CSRFToken": self.luggage["csrf_token"], "Accept": "application/problem+json"}
        return Context().run(self.client.post, "/staff/offline/steps", json=step, headers=headers)


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.stock(made, world.product("A", name="Milk"), 50)
    world.store("2", name="Lowell")
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ANA)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MAX)
        service.create_member(store_ref="2", name="Zed", role="manager", pin="7777")
    return made


@pytest.fixture
def order(world, shop, store):
    placed = world.place(shop, {"A": 2})
    world.work()
    return placed


@pytest.fixture
def tablet(app, order):
    return Offline(app)


def member(name):
    return db.session.scalars(select(StaffMember).where(StaffMember.name == name)).one()


def steps_of(order, action):
    db.session.rollback()
    taken = select(func.count()).where(OrderHistory.order_id == order.id, OrderHistory.action == action)
    return db.session.scalar(taken)


def test_from_the_shelf_to_the_customer(tablet, world, order):
    for action, code in (("start_picking", None), ("mark_ready", None), ("hand_over", order.pickup_code)):
        answer = tablet.send(tablet.step(order, action, code))
        assert (answer.status_code, answer.json["outcome"]) == (200, "done")
    assert world.order(order.id).status == "collected"


def test_a_step_that_is_sent_again_is_taken_once_and_answered_alike(tablet, order):
    step = tablet.step(order, "start_picking")
    first, again = tablet.send(step), tablet.send(step)
    assert first.json == again.json
    assert steps_of(order, "start_picking") == 1


def test_the_same_step_twenty_times_at_once(app, tablet, order):
    """Twenty requests with one key at one instant: one effect, one row, one answer for all."""
    step, gate = tablet.step(order, "start_picking"), threading.Barrier(20)
    tablets = [Offline(app) for _ in range(20)]

    def send(sender):
        gate.wait()
        return sender.send(step).json

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, tablets))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["outcome"] == "done"
    assert steps_of(order, "start_picking") == 1
    assert db.session.scalar(select(func.count()).select_from(OfflineAction)) == 1


def test_control_without_its_own_lock_the_same_key_is_judged_twice(app, tablet, order, monkeypatch):
    """What the order's lock is for: two that have both looked for the key before either has written it."""
    step, both_have_looked = tablet.step(order, "start_picking"), threading.Barrier(2, timeout=20)
    real = db.session.get

    def look(model, *arguments, **options):
        found = real(model, *arguments, **options)
        if model is OfflineAction:
            both_have_looked.wait()
        return found

    def read(order_id, **_):
        return orders.get_order(order_id)

    monkeypatch.setattr(offline.orders, "lock_order", read)
    monkeypatch.setattr(db.session, "get", look)
    tablets = [Offline(app) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda sender: sender.send(step).status_code, tablets))
    assert statuses != [200, 200]


def test_a_key_belongs_to_one_step(tablet, world, shop, order):
    other = world.place(shop, {"A": 1})
    world.work()
    step = tablet.step(order, "start_picking")
    tablet.send(step)
    answer = tablet.send(tablet.step(other, "start_picking", key=step["key"]))
    assert (answer.status_code, answer.json["code"]) == (409, "step_key_used")
    assert world.order(other.id).status == "reserved"


def test_the_own_step_whose_answer_was_lost(tablet, order):
    with unit_of_work():
        service.start_picking(at_work(member("Ana")), order.id, now=utcnow())
    assert tablet.send(tablet.step(order, "start_picking")).json["outcome"] == "already"


def test_somebody_elses_step(tablet, order):
    with unit_of_work():
        service.start_picking(at_work(member("Max")), order.id, now=utcnow())
    answer = tablet.send(tablet.step(order, "start_picking")).json
    assert (answer["outcome"], answer["detail"]) == ("conflict", "picking")
    assert answer["words"] == "Ana began to pick it without a network, but somebody else was picking it."


def ready(order):
    with unit_of_work():
        service.start_picking(at_work(member("Max")), order.id, now=utcnow())
        service.mark_ready(at_work(member("Max")), order.id, now=utcnow())


def test_a_code_that_is_no_code_of_the_order(tablet, world, order):
    ready(order)
    answer = tablet.send(tablet.step(order, "hand_over", "QQQ-QQQ-QQQ")).json
    assert (answer["outcome"], answer["detail"]) == ("conflict", "wrong_code")
    assert tablet.send(tablet.step(order, "hand_over")).status_code == 422  # not even a proof
    assert world.order(order.id).status == "ready"


def test_five_wrong_codes_before_that(tablet, world, order):
    ready(order)
    with unit_of_work():
        orders.lock_order(order.id).wrong_codes = 5
    answer = tablet.send(tablet.step(order, "hand_over", order.pickup_code)).json
    assert (answer["outcome"], answer["detail"]) == ("conflict", "code_locked")
    assert world.order(order.id).status == "ready"


def test_what_another_store_has_by_now(app, tablet, world, order):
    with unit_of_work():
        orders.lock_order(order.id).store_id = member("Zed").store_id
    answer = tablet.send(tablet.step(order, "start_picking")).json
    assert (answer["outcome"], answer["detail"]) == ("conflict", "elsewhere")


def test_a_shift_of_another_store_counts_for_nothing_here(app, tablet, order):
    answer = Offline(app, "7777", "2").send(tablet.step(order, "start_picking"))
    assert answer.json["errors"] == [{"pointer": "/shift", "detail": "belongs to another store"}]


def test_a_shift_is_good_for_a_week(tablet, order, app):
    step = tablet.step(order, "start_picking")
    with time_machine.travel(utcnow() + timedelta(days=8)):
        later = Offline(app)
        assert later.send(step).json["errors"][0]["pointer"] == "/shift"


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("key", "x", "/key"),
        ("key", None, "/key"),
        ("shift", "", "/shift"),
        ("shift", "forged.by.me", "/shift"),
        ("order_id", "x", "/order_id"),
        ("order_id", "6f1c1f0e-0000-4000-8000-000000000000", "/order_id"),
        ("action", "cancel", "/action"),
        ("action", 7, "/action"),
        ("at", "yesterday", "/at"),
        ("proof", "K7M-3QX-9TP", "/proof"),
        ("salt_day", "2020-02-30", "/salt_day"),
        ("age_checked", "yes", "/age_checked"),
        ("price", 1, "/price"),
    ],
)
def test_bad_fields_are_named(tablet, order, field, value, pointer):
    answer = tablet.send(tablet.step(order, "start_picking") | {field: value})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_what_is_no_step_at_all(tablet, body):
    headers = {
        "X-CSRFToken": tablet.luggage["csrf_token"],
        "Accept": "application/problem+json",
        "Content-Type": "application/json",
    }
    answer = tablet.client.post("/staff/offline/steps", data=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json["code"] in ("malformed_request", "invalid_fields")


def test_a_forged_form_takes_no_step(tablet, world, order):
    tablet.luggage["csrf_token"] = "forged"
    assert tablet.send(tablet.step(order, "start_picking")).status_code == 403
    assert world.order(order.id).status == "reserved"


def test_nobody_is_signed_in(tablet, order):
    step = tablet.step(order, "start_picking")
    tablet.get("/staff")
    tablet.post("/staff/sign-out")
    assert tablet.send(step).status_code in (401, 403)


def test_a_locked_tablet_sends_what_was_done_while_it_was_open(tablet, order):
    tablet.post("/staff/lock")
    assert tablet.send(tablet.step(order, "start_picking")).json["outcome"] == "done"
    assert tablet.get("/staff").location.startswith("/staff/locked")


def test_the_trail_names_the_tablet_on_which_it_was_done(app, tablet, order):
    manager = Offline(app, MAX)
    manager.get("/staff/device")
    manager.post("/staff/device", name="Counter 1")
    manager.luggage = manager.get("/staff/offline/orders").json
    manager.send(manager.step(order, "start_picking"))
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "offline_start_picking")).one()
    assert (entry.member_name, entry.device_name, entry.detail["outcome"]) == ("Max", "Counter 1", "done")
    with unit_of_work():
        devices.revoke(at_work(member("Max")), db.session.scalars(select(Device.id)).one(), now=utcnow())
    assert manager.send(manager.step(order, "mark_ready")).status_code == 401


def test_a_conflict_stands_until_somebody_settles_it(app, tablet, order):
    ready(order)
    with unit_of_work():
        order_service.cancel(orders.lock_order(order.id), actor=Actor("shop", "x"), reason="customer", now=utcnow())
    step = tablet.step(order, "hand_over", order.pickup_code)
    assert tablet.send(step).json["outcome"] == "conflict"
    assert "it had been cancelled" in tablet.get("/staff").text
    assert tablet.post(f"/staff/offline/conflicts/{step['key']}").status_code == 403  # goods are gone
    manager = Offline(app, MAX)
    manager.get("/staff")
    for _ in range(2):
        assert manager.post(f"/staff/offline/conflicts/{step['key']}").status_code == 303
    assert "it had been cancelled" not in manager.get("/staff").text
    row = db.session.get(OfflineAction, uuid.UUID(step["key"]))
    assert row.settled_by == "Max"
    other = Offline(app, "7777", "2")
    other.get("/staff")
    assert other.post(f"/staff/offline/conflicts/{step['key']}").status_code == 404


def test_of_a_code_a_tablet_knows_no_more_than_a_proof(tablet, order):
    taken = tablet.get("/staff/offline/orders").text
    assert str(order.number) in taken
    assert order.pickup_code not in taken
    assert order.page_token not in taken
    assert order.customer_email not in taken


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_tablet_whose_clock_is_mad_breaks_no_board(tablet, order, at):
    ready(order)
    tablet.send(tablet.step(order, "hand_over", "QQQ-QQQ-QQQ", at=at))
    assert tablet.get("/staff").status_code == 200


@pytest.mark.parametrize("shift", ["\ud800", "x\0y", "x" * 501])
def test_a_shift_that_nobody_can_have_signed(tablet, order, shift):
    assert tablet.send(tablet.step(order, "start_picking", shift=shift)).status_code == 422


def test_what_is_nested_without_end(tablet):
    headers = {"X-CSRFToken": tablet.luggage["csrf_token"], "Content-Type": "application/json"}
    answer = tablet.client.post("/staff/offline/steps", data=b"[" * 100_000, headers=headers)
    assert answer.status_code == 400


def test_who_could_not_begin_does_not_set_it_ready(tablet, world, order):
    with unit_of_work():
        service.start_picking(at_work(member("Max")), order.id, now=utcnow())
    outcomes = [tablet.send(tablet.step(order, action)).json["outcome"] for action in ("start_picking", "mark_ready")]
    assert outcomes == ["conflict", "conflict"]
    assert world.order(order.id).status == "picking"


def test_past_a_managers_limits_goes_only_what_a_manager_sends(app, tablet, world, order):
    ready(order)
    with unit_of_work():
        orders.lock_order(order.id).wrong_codes = 5
    manager = Offline(app, MAX)
    answer = tablet.send(manager.step(order, "hand_over", order.pickup_code)).json
    assert (answer["outcome"], answer["detail"]) == ("conflict", "code_locked")
    assert manager.send(manager.step(order, "hand_over", order.pickup_code)).json["outcome"] == "done"
