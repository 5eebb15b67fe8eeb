"""Somebody wants to be forgotten: nothing of them is found any more, and the figures are what they were."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor, new_id
from pickup.notifications.models import Message
from pickup.orders import collectors, queries, returns, service
from pickup.orders.basket import Item
from pickup.orders.models import Order, Signature
from pickup.payments.models import ReceivedEvent
from pickup.privacy import erasing

ANA = Actor("staff", "Ana")
NAME, EMAIL, PHONE, NOTE, COLLECTOR = (
    "Zebulon Quixote",
    "zq@example.com",
    "+14792730815",
    "purple hearse",
    "Ottoline Quux",
)
SEEDED = (NAME, EMAIL, PHONE, NOTE, COLLECTOR, "36.3", "-94.2")
FIGURES = """
    SELECT orders.number, status, total_amount, returned_amount, store_id, placed_at, quantity, unit_amount,
           (SELECT sum(captured) FROM payments WHERE order_id = orders.id)
    FROM orders JOIN order_lines ON order_id = orders.id ORDER BY number
"""


@pytest.fixture
def place(world, shop):
    store = world.store("1", lat=36.4, lon=-94.3, opening_hours="24/7")
    world.stock(store, world.product("A", name="Milk"), 50)

    def make(email=EMAIL, name=NAME):
        near = {"near": {"lat": 36.301, "lon": -94.201}}
        customer = {"name": name, "email": email, "phone": PHONE}
        order = world.place(shop, {"A": 3}, near, customer=customer)
        world.work()
        return order

    return make


def take(order, step, *args, **values):
    with unit_of_work():
        return step(queries.lock_order(order.id), *args, now=utcnow(), **values)


def live(order):
    """An order with everything that may say whose it is."""
    take(order, collectors.name_collector, {"name": COLLECTOR, "email": "oq@example.com"}, actor=Actor("customer"))
    take(order, service.start_picking, actor=ANA)
    take(order, service.mark_ready, actor=ANA)
    take(order, service.arrive, NOTE)
    code = queries.get_order(order.id).collector_code
    assert take(order, service.hand_over, code, actor=ANA, is_manager=False)
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        returns.take_back(locked, [Item("A", 1)], actor=ANA, restock=True, reason=f"{NAME} is ill", now=utcnow())
        payment = db.session.execute(text("SELECT id FROM payments WHERE order_id = :id"), {"id": order.id}).scalar()
        body = json.dumps({"receipt_email": EMAIL, "name": NAME})
        received = {"event_id": str(new_id()), "type": "x", "body": body, "payment_id": payment}
        db.session.add(ReceivedEvent(id=new_id(), gateway="stripe", received_at=utcnow(), **received))
        db.session.add(Signature(order_id=order.id, at=utcnow(), strokes=[[[1, 2]]]))
        outbox.emit("order.ready", {order.id: {}}, at=utcnow())
        ids = db.session.execute(text("SELECT id FROM outbox_tasks WHERE subject_id = :id"), {"id": order.id}).scalars()
        outbox.postpone(list(ids), error=f"550 no {EMAIL}", now=utcnow())


def found(app):
    """Where in the database and in Redis something stands that was seeded."""
    db.session.rollback()
    tables = db.session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
    places = set()
    for table in tables:
        for row in db.session.execute(text(f'SELECT "{table}"::text, to_jsonb("{table}")::text FROM "{table}"')):
            places |= {(table, words) for words in SEEDED if any(words in str(each) for each in row)}
        for (body,) in db.session.execute(
            text("SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE body <> ''")
        ):
            places |= {("idempotency_keys", words) for words in SEEDED if words in body}
    client = app.extensions["redis"]
    for key in client.scan_iter("*"):
        dumped = client.dump(key) or b""
        places |= {("redis", words) for words in SEEDED if words.encode() in dumped + key}
    db.session.rollback()
    return places


def forget(app, email=EMAIL):
    return app.test_cli_runner().invoke(args=["customers", "erase", email])


def test_nothing_is_found_of_who_wants_to_be_forgotten(app, world, shop, place, mailbox):
    order, other = place(), place("other@example.com", "Somebody Else")
    preference = {"email": EMAIL, "channels": {"*": ["email"]}}
    assert shop.put("/v1/contact-preferences", preference).status_code == 200
    live(order)
    figures = db.session.execute(text(FIGURES)).all()
    before = found(app)
    assert {table for table, _ in before} >= {
        "orders", "messages", "order_history", "returns", "gateway_events", "outbox_tasks", "contact_preferences",
        "idempotency_keys",
    }  # fmt: skip

    answer = forget(app, EMAIL.upper())

    assert (answer.exit_code, answer.output) == (0, "erased 1 orders, 0 wait until they are closed\n")
    assert {place for place in found(app) if place[1] not in (PHONE, "36.3", "-94.2")} == set()
    assert {table for table, _ in found(app)} <= {"orders", "idempotency_keys"}, "of the other order"
    assert db.session.execute(text(FIGURES)).all() == figures
    assert world.order(other.id).customer_name == "Somebody Else"
    assert forget(app).output == "erased 0 orders, 0 wait until they are closed\n"


def test_an_order_that_is_open_waits_until_it_is_closed(app, world, place):
    order = place()
    answer = forget(app)
    assert (answer.exit_code, answer.output) == (1, "erased 0 orders, 1 wait until they are closed\n")
    assert world.order(order.id).customer_name == NAME

    live(order)
    assert erasing.erase_due(utcnow()) == 1
    assert world.order(order.id).customer_name == ""


def test_what_the_mail_catcher_has_caught_goes_too(app, place, tmp_path, monkeypatch):
    live(place())
    home = replace(app.extensions["settings"], home=tmp_path, mail_catcher_folder=None, development=True)
    monkeypatch.setitem(app.extensions, "settings", home)
    (tmp_path / "mail").mkdir()
    for name, to in (("mine", f"Zoe <{EMAIL.upper()}>"), ("other", "other@example.com")):
        (tmp_path / "mail" / f"{name}.eml").write_text(f"To: {to}\n\nHello")

    assert forget(app).exit_code == 0
    assert [path.name for path in (tmp_path / "mail").iterdir()] == ["other.eml"]


def test_who_only_collected_is_forgotten_too(app, world, place):
    order = place()
    live(order)
    answer = forget(app, "oq@example.com")
    assert answer.exit_code == 0
    assert not {words for _, words in found(app)} & {COLLECTOR, "oq@example.com"}
    assert world.order(order.id).customer_name == NAME


def test_who_also_collected_for_others_is_forgotten_there_too(app, world, place):
    own, other = place(EMAIL, NAME), place("other@example.com", "Somebody Else")
    collector = {"name": COLLECTOR, "email": EMAIL, "phone": "+14792730899"}
    take(other, collectors.name_collector, collector, actor=Actor("customer"))
    take(other, service.start_picking, actor=ANA)
    take(other, service.mark_ready, actor=ANA)
    world.work()
    by_text = {"id": new_id(), "event_id": 1, "order_id": other.id, "kind": "collector", "channel": "sms"}
    with unit_of_work():
        text_message = {"recipient": "+14792730899", "text_body": f"{COLLECTOR}, collect", "created_at": utcnow()}
        db.session.add(Message(**by_text, **text_message, subject="", html_body=""))
    assert COLLECTOR in {words for table, words in found(app) if table == "messages"}

    forget(app)

    left = [message for message in db.session.scalars(select(Message)) if message.order_id == other.id]
    assert [message for message in left if message.recipient in (EMAIL, "+14792730899")] == []
    assert not [message for message in left if COLLECTOR in message.text_body + message.html_body]
    assert [message for message in left if message.recipient == "other@example.com"]
    assert world.order(own.id).customer_name == NAME, "it is open"


def test_what_woke_a_tablet_says_no_name_any_more(app, world, place):
    order = place()
    with unit_of_work():
        words = {"kind": "store_customer_here", "channel": "push", "recipient": "1", "text_body": f"{NAME} is here"}
        db.session.add(
            Message(id=new_id(), event_id=1, order_id=order.id, **words, subject="", html_body="", created_at=utcnow())
        )
    live(order)
    forget(app)
    (message,) = db.session.scalars(select(Message).where(Message.channel == "push"))
    assert (message.recipient, message.text_body) == ("1", "")


def test_it_is_kept_no_longer_than_the_setting_says(app, world, place, monkeypatch):
    old, new, still_open = place(), place(), place()
    for order in (old, new):
        live(order)
    with unit_of_work():
        for order, days in ((old, 31), (new, 29), (still_open, 99)):
            changed = utcnow() - timedelta(days=days)
            db.session.execute(update(Order).where(Order.id == order.id).values(changed_at=changed))
    settings = app.extensions["settings"]
    monkeypatch.setitem(app.extensions, "settings", replace(settings, keep_personal_data_days=0))
    assert erasing.erase_due(utcnow()) == 0
    monkeypatch.setitem(app.extensions, "settings", replace(settings, keep_personal_data_days=30))
    assert erasing.erase_due(utcnow()) == 1
    names = [world.order(order.id).customer_name for order in (old, new, still_open)]
    assert names == ["", NAME, NAME]


def test_a_repetition_after_the_erasure_orders_nothing(app, world, shop, place):
    place()
    body = world.order_body({"A": 1}, customer={"name": NAME, "email": EMAIL})
    first = shop.order(body, key="once")
    world.work()
    take(world.order(first.json["id"]), service.cancel, actor=Actor("shop"), reason="customer")
    forget(app)
    again = shop.order(body, key="once")
    assert (again.status_code, again.json["code"]) == (404, "not_found")
    assert EMAIL not in again.text


def test_pages_of_an_order_that_is_erased(app, world, shop, place):
    order = place()
    live(order)
    token = order.page_token
    forget(app)
    assert app.test_client().get(f"/p/{token}").status_code == 404
    shown = shop.get(f"/v1/orders/{order.id}")
    assert (shown.status_code, shown.json["customer"]["name"]) == (200, "")
    assert app.test_client().get(f"/p/{world.order(order.id).page_token}").status_code == 200
