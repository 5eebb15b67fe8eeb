"""Payments for management: pages, filters, one with its ledger, and sums."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from pickup.core.clock import rfc3339
from pickup.core.db import db, unit_of_work
from pickup.core.types import new_id, time_of_id
from pickup.payments import service as payments
from pickup.payments.queries import payment_of


@pytest.fixture
def orders(world, shop):
    """One collected in part, one cancelled, one declined, one open; two currencies."""
    world.stock(world.store("1"), product := world.product("A"), 50)
    yen = world.store("2", lat=35.68, lon=139.69, price_zone="jp")
    world.price(product, 500, currency="JPY", zone="jp")
    world.stock(yen, product, 50)
    collected, cancelled, open_order = (world.place(shop, {"A": 2}, {"store_ref": ref}) for ref in ("1", "1", "2"))
    shop.order(world.order_body({"A": 1}, token="tok_declined"))
    world.work()
    shop.post(f"/v1/orders/{cancelled.id}/cancel")
    with unit_of_work():
        db.session.execute(
            text("UPDATE orders SET status = 'collected', total_amount = 359 WHERE id = :id"), {"id": collected.id}
        )
        payments.unsettle(collected.id, now=collected.placed_at)
    world.work()
    return collected, cancelled, open_order


def read(admin, **query):
    answer = admin.get("/v1/payments", **query)
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


def test_what_is_shown_of_a_payment(admin, orders):
    payment = payment_of(orders[0].id)

    assert read(admin)[0] == {
        "id": str(payment.id),
        "order_id": str(orders[0].id),
        "method": "sandbox",
        "status": "captured",
        "reference": f"sandbox_{payment.id.hex}",
        "amount": {"amount": 718, "currency": "USD"},
        "authorised": {"amount": 718, "currency": "USD"},
        "captured": {"amount": 359, "currency": "USD"},
        "voided": {"amount": 359, "currency": "USD"},
        "refunded": {"amount": 0, "currency": "USD"},
        "written_off": {"amount": 0, "currency": "USD"},
        "capture_before": None,
        "problem": None,
        "created_at": rfc3339(payment.created_at),
    }


def test_page_after_page_brings_each_once_oldest_first(admin, orders):
    seen, after = [], {}
    while True:
        page = admin.get("/v1/payments", limit=1, **after).json
        seen += [payment["id"] for payment in page["data"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert len(seen) == 4
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("status", ["captured", "voided", "declined", "authorised"])
def test_by_status(admin, orders, status):
    assert [payment["status"] for payment in read(admin, status=status)] == [status]


def test_by_order_by_problem_and_by_time(admin, orders):
    second = payment_of(orders[1].id)
    with unit_of_work():
        db.session.execute(
            text("UPDATE payments SET problem = 'not_paid', problem_at = now() WHERE id = :id"), {"id": second.id}
        )
    at = time_of_id(second.id)

    def ids(**query):
        return [payment["id"] for payment in read(admin, **query)]

    everything = ids()
    assert ids(order_id=str(orders[1].id)) == [str(second.id)]
    assert ids(order_id=str(new_id())) == []
    assert (ids(problem="true"), len(ids(problem="false"))) == ([str(second.id)], 3)
    assert ids(until=rfc3339(at)) == everything[:1]
    assert ids(since=rfc3339(at)) == everything[1:]
    assert ids(since=rfc3339(at), until=rfc3339(at + timedelta(milliseconds=1))) == [str(second.id)]
    assert ids(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z") == everything


def test_an_order_with_two_payments_shows_both(admin, orders):
    with unit_of_work():
        db.session.execute(text("UPDATE payments SET is_current = false WHERE order_id = :id"), {"id": orders[2].id})
        db.session.execute(
            text("""
                INSERT INTO payments (id, order_id, method, token, status, amount, currency, created_at)
                SELECT :new, order_id, method, token, 'pending', amount, currency, created_at FROM payments
                WHERE order_id = :id
            """),
            {"id": orders[2].id, "new": new_id()},
        )

    assert [payment["status"] for payment in read(admin, order_id=str(orders[2].id))] == ["authorised", "pending"]


def test_one_with_its_ledger(admin, orders):
    payment = payment_of(orders[0].id)

    shown = admin.get(f"/v1/payments/{payment.id}").json

    assert [(entry["kind"], entry["amount"], entry["note"]) for entry in shown["entries"]] == [
        ("authorisation", {"amount": 718, "currency": "USD"}, None),
        ("capture", {"amount": 359, "currency": "USD"}, None),
        ("void", {"amount": 359, "currency": "USD"}, None),
    ]
    del shown["entries"]
    assert shown == read(admin)[0]


@pytest.mark.parametrize("payment_id", ["none", str(uuid.UUID(int=0)), "totals2"])
def test_one_that_is_not_there(admin, orders, payment_id):
    answer = admin.get(f"/v1/payments/{payment_id}")

    assert (answer.status_code, answer.json["code"]) == (404, "payment_not_found")


def test_sums(admin, orders):
    yen, dollars = sorted(admin.get("/v1/payments/totals").json["data"], key=lambda total: total["currency"])

    assert dollars == {
        "currency": "USD",
        "method": "sandbox",
        "payments": 3,
        "by_status": {"captured": 1, "voided": 1, "declined": 1},
        "amount": {"amount": 1795, "currency": "USD"},
        "authorised": {"amount": 1436, "currency": "USD"},
        "captured": {"amount": 359, "currency": "USD"},
        "voided": {"amount": 1077, "currency": "USD"},
        "refunded": {"amount": 0, "currency": "USD"},
        "written_off": {"amount": 0, "currency": "USD"},
    }
    assert (yen["payments"], yen["authorised"]) == (1, {"amount": 1000, "currency": "JPY"})


def test_sums_of_a_span(admin, orders):
    at = rfc3339(time_of_id(payment_of(orders[1].id).id))

    (before,) = admin.get("/v1/payments/totals", until=at).json["data"]
    assert (before["payments"], before["captured"]["amount"]) == (1, 359)
    assert sum(each["payments"] for each in admin.get("/v1/payments/totals", since=at).json["data"]) == 3
    assert admin.get("/v1/payments/totals", until="2001-01-01T00:00:00Z").json == {"data": []}


BAD = [
    {"status": "none"},
    {"since": "yesterday"},
    {"until": "2026-03-01"},
    {"problem": "perhaps"},
    {"order_id": "none"},
    {"after": "none"},
    {"after": "WyJub25lIl0"},
    {"limit": "0"},
]


@pytest.mark.parametrize("query", BAD, ids=str)
def test_what_cannot_be_asked(admin, query):
    answer = admin.get("/v1/payments", **query)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")


@pytest.mark.parametrize("path", ["", "/totals", f"/{uuid.UUID(int=1)}"])
def test_it_is_managements_business(shop, path):
    assert shop.get(f"/v1/payments{path}").status_code == 403
