"""Who is told what, in which language, and what is not said any more."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.notifications.models import Message
from pickup.orders import queries, rerouting, service, short_picks
from pickup.orders.models import Order
from pickup.payments import recording

SAM, CUSTOMER = Actor("staff", "Sam"), Actor("customer")
STORE_MAIL = "rogers@example.com"


@pytest.fixture
def near(world):
    return world.store("near", name="Rogers", email=STORE_MAIL, phone="+1 479 555 0101")


@pytest.fixture
def milk(world, near):
    made, far = world.product("A", name="Milk", price=100), world.store("far", name="Springdale", lat=36.6)
    for store in (near, far):
        world.stock(store, made, 9)
    return made


def take(order, step, *args, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        return step(locked, *args, now=utcnow(), **values)


def make_ready(order):
    take(order, service.start_picking, actor=SAM)
    take(order, service.mark_ready, actor=SAM)


def happens(event, order, data=None, *, at=None):
    with unit_of_work():
        outbox.emit(event, {order.id: data or {}}, at=at or utcnow())


def change(order, **values):
    with unit_of_work():
        db.session.execute(update(Order).where(Order.id == order.id).values(**values))


def kinds(order=None):
    db.session.rollback()
    return list(db.session.scalars(select(Message.kind).order_by(Message.id)))


def to_customer():
    return [kind for kind in kinds() if not kind.startswith("store_")]


def to_store():
    return [kind for kind in kinds() if kind.startswith("store_")]


@pytest.mark.parametrize(
    ("locale", "words"),
    [("es-MX", "Hola, Ada Example"), ("zh-Hans-CN", "Ada Example，您好"), ("fr", "Hello Ada"), ("en-GB", "Hello Ada")],
)
def test_a_customer_reads_their_language(world, shop, milk, mailbox, locale, words):
    order = world.place(shop, {"A": 1})
    change(order, locale=locale)
    world.work()
    make_ready(order)
    world.work()

    bodies = [mail.get_body(("plain",)).get_content() for mail in mailbox.mails if mail["To"] == "ada@example.com"]
    assert [words in body for body in bodies] == [True, True]


class TestMoved:
    def test_another_store_after_a_promise_is_told_as_a_change(self, world, shop, milk, mailbox):
        order = world.place(shop, {"A": 2}, if_short="move")
        world.work()
        take(order, service.start_picking, actor=SAM)
        take(order, short_picks.short_pick, milk.id, 1, actor=SAM)
        world.work()
        take(order, rerouting.choose, "move", actor=CUSTOMER)
        world.work()

        assert to_customer() == ["confirmed", "choice", "moved"]
        assert "now ready by" in mailbox.mails[-1]["Subject"]
        assert "Springdale" in mailbox.mails[-1]["Subject"]

    def test_another_store_before_anybody_was_told_is_no_change(self, world, shop, near):
        rare, far = world.product("R"), world.store("far", lat=36.5)
        world.stock(near, rare, 1)
        world.stock(far, rare, 1)
        for _ in range(2):
            world.place(shop, {"R": 1})
        world.work()

        assert to_customer() == ["confirmed", "confirmed"]


class TestOutOfDate:
    @pytest.fixture
    def order(self, world, shop, milk):
        placed = world.place(shop, {"A": 2})
        world.work()
        make_ready(placed)
        return placed

    def collect(self, world, order):
        now = world.order(order.id)
        assert take(order, service.hand_over, now.pickup_code, actor=SAM, is_manager=False)

    def test_a_reminder_and_a_warning_are_said(self, world, order):
        world.work()
        change(order, remind_at=None, warn_at=None)
        happens("order.reminded", order)
        happens("order.expiring", order)
        world.work()

        assert to_customer()[-2:] == ["reminder", "expiring"]

    @pytest.mark.parametrize("event", ["order.reminded", "order.expiring"])
    def test_nobody_is_reminded_of_what_they_have(self, world, order, event):
        happens(event, order)
        self.collect(world, order)
        world.work()

        assert to_customer() == ["confirmed", "collected"], "nor told that it is ready"
        assert db.session.query(OutboxTask).count() == 0

    def test_nobody_is_reminded_of_what_is_kept_no_longer(self, world, order):
        world.work()
        change(order, hold_until=utcnow() - timedelta(seconds=1))
        happens("order.reminded", order)
        world.work()

        assert to_customer() == ["confirmed", "ready"]

    def test_where_it_is_kept_longer_the_next_warning_is_said(self, world, order):
        world.work()
        change(order, warn_at=utcnow() + timedelta(hours=5))
        happens("order.expiring", order)
        world.work()

        assert to_customer() == ["confirmed", "ready"]

    def test_an_order_that_was_called_off_at_once_is_not_confirmed(self, world, shop, milk):
        from worker import jobs

        order = world.place(shop, {"A": 1})
        db.session.rollback()
        jobs.run("reserve_stock", list(db.session.scalars(select(OutboxTask.id))))
        take(order, service.cancel, actor=CUSTOMER, reason="customer")
        world.work()

        assert to_customer() == ["cancelled"]


class TestRefunded:
    @pytest.fixture
    def collected(self, world, shop, milk):
        order = world.collect(world.place(shop, {"A": 3}))
        world.work()
        return order

    def test_goods_that_came_back(self, world, shop, collected, mailbox):
        answer = shop.post(f"/v1/orders/{collected.id}/returns", {"items": [{"sku": "A", "quantity": 2}]})
        assert answer.status_code == 201
        world.work()

        assert to_customer()[-1] == "refunded"
        text = mailbox.mails[-1].get_body(("plain",)).get_content()
        assert "we have sent $2.00 back" in text
        assert "now comes to $1.00" in text

    def test_what_goes_back_with_the_handover_says_the_receipt(self, world, collected):
        with unit_of_work():
            recording.tell(
                collected.id, captured=0, refunded=50, currency="USD", now=collected.changed_at + timedelta(minutes=1)
            )
        world.work()

        assert "refunded" not in kinds()

    def test_what_goes_back_days_later_is_news(self, world, collected):
        change(collected, changed_at=utcnow() - timedelta(days=2))
        with unit_of_work():
            recording.tell(collected.id, captured=0, refunded=50, currency="USD", now=utcnow())
        world.work()

        assert to_customer()[-1] == "refunded"

    def test_of_an_order_that_came_to_nothing_its_end_speaks_of_the_money(self, world, shop, milk):
        order = world.place(shop, {"A": 1})
        world.work()
        take(order, service.cancel, actor=CUSTOMER, reason="customer")
        with unit_of_work():
            recording.tell(order.id, captured=0, refunded=100, currency="USD", now=utcnow() + timedelta(days=1))
        world.work()

        assert to_customer() == ["confirmed", "cancelled"]


class TestStores:
    @pytest.fixture
    def order(self, world, shop, milk, mailbox):
        placed = world.place(shop, {"A": 2})
        world.work()
        return placed

    def test_a_store_hears_of_its_new_order(self, order, mailbox):
        assert to_store() == ["store_new_order"]
        (mail,) = [mail for mail in mailbox.mails if mail["To"] == STORE_MAIL]
        assert mail["Subject"].startswith(f"New order {order.number}")
        assert "2 x Milk" in mail.get_body(("plain",)).get_content()

    def test_a_store_without_an_address_costs_no_task(self, world, shop):
        world.stock(world.store("1"), world.product("B"), 1)
        world.place(shop, {"B": 1})
        world.work()

        assert kinds() == ["confirmed"]

    def test_the_first_word_of_an_arrival_counts(self, world, order, mailbox):
        take(order, service.arrive, "by the door", bay="4")
        take(order, service.arrive, "in the red car")
        world.work()

        assert to_store() == ["store_new_order", "store_customer_here"]
        assert "not ready yet" in mailbox.mails[-1].get_body(("plain",)).get_content()

    def test_who_has_been_served_is_not_announced(self, world, order):
        make_ready(order)
        take(order, service.arrive, None)
        assert take(order, service.hand_over, order.pickup_code, actor=SAM, is_manager=False)
        world.work()

        assert to_store() == ["store_new_order"]

    def test_what_is_overdue(self, world, order):
        happens("order.overdue", order)
        world.work()
        assert to_store()[-1] == "store_overdue"

        make_ready(order)
        happens("order.overdue", order)
        world.work()
        assert to_store().count("store_overdue") == 1

    def test_an_address_that_is_refused_has_nobody_else_told_twice(self, world, shop, milk, mailbox):
        mailbox.unknown = {STORE_MAIL}
        world.place(shop, {"A": 1})
        for _ in range(3):
            world.work()
            with unit_of_work():
                db.session.execute(update(OutboxTask).values(due_at=utcnow() - timedelta(seconds=1)))

        assert [mail["To"] for mail in mailbox.mails] == ["ada@example.com"]
        assert [task.handler for task in db.session.query(OutboxTask)] == ["notify_store"]

    def test_in_the_language_of_the_house(self, world, shop, milk, mailbox, monkeypatch):
        from dataclasses import replace

        from worker.app import app

        monkeypatch.setitem(app.extensions, "settings", replace(app.extensions["settings"], store_language="es"))
        order = world.place(shop, {"A": 1})
        world.work()

        assert f"Pedido nuevo {order.number}" in mailbox.mails[-1]["Subject"]
