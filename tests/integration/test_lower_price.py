"""Whoever collects when the shelf has become cheaper pays what the shelf says, and is told so."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import event, select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event
from pickup.core.types import Actor
from pickup.orders import lapsing, money_checks, queries, service, short_picks
from pickup.payments.models import PaymentEntry
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import HOLD, SandboxGateway
from pickup.staff import handover
from pickup.staff import service as staff
from pickup.staff.models import StaffMember
from tests.concurrency.together import at_once, in_own_session
from tests.tablet import Tablet

ANA = Actor("staff", "Ana")


@pytest.fixture
def store(world):
    return world.store("1", name="Rogers")


@pytest.fixture
def milk(world, store):
    made = world.product("A", name="Milk", price=100)
    world.stock(store, made, 20)
    return made


@pytest.fixture
def bread(world, store):
    made = world.product("B", name="Bread", price=50)
    world.stock(store, made, 20)
    return made


@pytest.fixture
def order(world, shop, milk, bread):
    """Three of A and one of B, for 350."""
    placed = world.place(shop, {"A": 3, "B": 1})
    world.work()
    return placed


@pytest.fixture
def tablet(app, store):
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="manager", pin="1234")
    made = Tablet(app)
    made.sign_in()
    return made


@pytest.fixture
def guarantee(database, monkeypatch):
    def switch(is_on):
        settings = replace(database.extensions["settings"], lower_price_at_handover=is_on)
        monkeypatch.setitem(database.extensions, "settings", settings)

    return switch


def take(order, step, *args, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        return step(locked, *args, actor=ANA, now=utcnow(), **values)


def make_ready(order):
    take(order, service.start_picking)
    take(order, service.mark_ready)


def collect_and_pay(world, order):
    world.collect(order)
    world.work()


def take_early(world):
    lapsing.keep_holds(utcnow() + HOLD - timedelta(hours=23))
    world.work()


def hand_over(order):
    locked = queries.lock_order(order.id)
    assert service.hand_over(locked, order.pickup_code, actor=ANA, is_manager=False, now=utcnow())


def give_back(shop, order, units):
    answer = shop.post(f"/v1/orders/{order.id}/returns", {"items": [{"sku": "A", "quantity": units}]})
    assert answer.status_code == 201, answer.text


def entries(order):
    db.session.rollback()
    rows = select(PaymentEntry.kind, PaymentEntry.amount).where(PaymentEntry.payment_id == payment_of(order.id).id)
    return [tuple(row) for row in db.session.execute(rows.order_by(PaymentEntry.id))]


def differences():
    now = utcnow()
    return list(money_checks.differences(now - timedelta(days=1), now=now))


def usd(amount):
    return {"amount": amount, "currency": "USD"}


class TestTheMoney:
    @pytest.fixture(autouse=True)
    def books_agree(self, world, order):
        yield
        world.work()
        assert differences() == []

    def test_less_is_taken(self, world, shop, milk, order):
        world.price(milk, 80)
        collect_and_pay(world, order)

        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["total"], shown["reduced_by"], shown["payment"]["captured"]) == (usd(290), usd(60), usd(290))
        assert [(line["unit_price"], line["reduced_to"], line["total"]) for line in shown["lines"]] == [
            (usd(100), usd(80), usd(240)),
            (usd(50), None, usd(50)),
        ]
        assert entries(order) == [("authorisation", 350), ("capture", 290), ("void", 60)]

    def test_what_was_taken_early_is_given_back(self, world, milk, order):
        take_early(world)
        world.price(milk, 80)
        collect_and_pay(world, order)

        assert entries(order) == [("authorisation", 350), ("capture", 350), ("refund", 60)]

    def test_what_is_being_taken_early_while_it_is_handed_over(self, world, milk, order, monkeypatch):
        """The gateway takes what was due a moment ago; what is due now is settled after it."""
        make_ready(order)
        world.price(milk, 80)
        capture = SandboxGateway.capture

        def be_overtaken(*args):
            view = capture(*args)
            at_once([in_own_session(world.app, partial(hand_over, order))])
            return view

        monkeypatch.setattr(SandboxGateway, "capture", be_overtaken)
        take_early(world)

        assert world.order(order.id).status == "collected"
        assert entries(order) == [("authorisation", 350), ("capture", 350), ("refund", 60)]

    def test_what_was_not_found_is_reduced_by_nothing(self, world, milk, bread, order):
        for product in (milk, bread):
            world.price(product, 40)
        take(order, service.start_picking)
        take(order, short_picks.short_pick, milk.id, 1)
        take(order, short_picks.short_pick, bread.id, 1)
        take(order, service.mark_ready)
        take(order, service.hand_over, order.pickup_code, is_manager=False)
        world.work()

        after = world.order(order.id)
        assert (after.total_amount, after.reduced_amount) == (80, 120)
        assert [line.reduced_to for line in after.lines] == [40, None]
        assert entries(order) == [("authorisation", 350), ("capture", 80), ("void", 270)]

    @pytest.mark.parametrize("is_early", [True, False])
    def test_what_comes_back_gives_back_what_was_paid_for_it(self, world, shop, milk, order, is_early):
        if is_early:
            take_early(world)
        world.price(milk, 80)
        collect_and_pay(world, order)
        give_back(shop, order, 1)
        world.work()
        world.price(milk, 20)
        give_back(shop, order, 2)
        world.work()

        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["total"], shown["returned"]) == (usd(290), usd(240))
        assert [each["amount"] for each in shown["returns"]] == [usd(80), usd(160)]
        payment = payment_of(order.id)
        assert (payment.captured - payment.refunded, payment.captured) == (50, 350 if is_early else 290)

    def test_what_comes_back_before_the_money_is_taken(self, world, shop, milk, order):
        world.price(milk, 80)
        world.collect(order)
        give_back(shop, order, 3)
        world.work()

        assert entries(order) == [("authorisation", 350), ("capture", 50), ("void", 300)]

    @pytest.mark.parametrize("is_early", [True, False])
    def test_what_costs_nothing_by_now_is_free(self, world, mailbox, milk, bread, order, is_early):
        if is_early:
            take_early(world)
        for product in (milk, bread):
            world.price(product, 0)
        collect_and_pay(world, order)

        last = ("capture", 350), ("refund", 350)
        assert entries(order) == [("authorisation", 350), *(last if is_early else [("void", 350)])]
        assert "You pay nothing." in bodies(mailbox)[0]


class TestWhatCounts:
    def reduced(self, world, order):
        collect_and_pay(world, order)
        after = world.order(order.id)
        assert after.total_amount + after.reduced_amount == 350
        assert payment_of(order.id).captured == after.total_amount
        return after.reduced_amount

    @pytest.mark.parametrize(
        "price",
        [
            {"amount": 100},
            {"amount": 120},
            {"amount": 80, "currency": "EUR"},
            {"amount": 80, "zone": "elsewhere"},
        ],
        ids=["the same", "dearer", "another currency", "another zone"],
    )
    def test_nothing_changes(self, world, milk, order, price):
        world.price(milk, **price)

        assert self.reduced(world, order) == 0
        assert all(line.reduced_to is None for line in world.order(order.id).lines)
        assert "reduced_amount" not in data_of("order.collected")

    def test_nor_by_a_price_for_later(self, world, milk, order):
        world.price(milk, 80, valid_from=utcnow() + timedelta(minutes=1))

        assert self.reduced(world, order) == 0

    def test_nor_where_the_retailer_does_not_want_it(self, world, milk, order, guarantee):
        guarantee(False)
        world.price(milk, 80)

        assert self.reduced(world, order) == 0

    def test_the_shelf_at_the_handover_counts_and_not_one_in_between(self, world, milk, order):
        world.price(milk, 20)
        make_ready(order)
        world.price(milk, 90)
        take(order, service.hand_over, order.pickup_code, is_manager=False)

        assert world.order(order.id).reduced_amount == 30
        assert data_of("order.collected")["reduced_amount"] == 30

    def test_the_zone_of_the_store_that_it_went_to(self, world, shop, milk):
        """Who loses the race for the goods goes on to the next store, and pays what the shelf there says, if less."""
        world.price(milk, 70, zone="west")
        world.stock(world.store("2", lat=36.9, price_zone="west"), milk, 9)
        world.place(shop, {"A": 15})
        loser = world.place(shop, {"A": 9})
        collect_and_pay(world, loser)

        after = world.order(loser.id)
        assert (after.store.ref, after.reduced_amount, after.total_amount) == ("2", 270, 630)

    def test_a_step_that_is_refused_reduces_nothing(self, world, milk, order, tablet):
        world.price(milk, 80)
        assert "is not picked yet" in tablet.hand_over(order.pickup_code)
        make_ready(order)
        tablet.hand_over("QQQ-QQQ-QQQ", f"/staff/orders/{order.id}/hand-over")
        assert world.order(order.id).reduced_amount == 0

        tablet.hand_over(order.pickup_code)
        world.price(milk, 60)
        assert "already collected" in tablet.hand_over(order.pickup_code)
        assert world.order(order.id).reduced_amount == 60

    def test_while_the_age_is_asked_nothing_is_reduced(self, world, shop, store, tablet):
        wine = world.product("W", price=900, minimum_age=21)
        world.stock(store, wine, 5)
        order = world.place(shop, {"W": 1})
        world.work()
        make_ready(order)
        world.price(wine, 700)

        tablet.hand_over(order.pickup_code)
        assert world.order(order.id).reduced_amount == 0
        world.price(wine, 800)
        tablet.hand_over(order.pickup_code, age_checked="yes")
        assert (world.order(order.id).reduced_amount, world.order(order.id).total_amount) == (100, 800)


def test_the_mail_says_what_was_saved_and_what_was_paid(world, mailbox, milk, order):
    world.price(milk, 80)
    collect_and_pay(world, order)

    plain, html = bodies(mailbox)
    assert "has gone down since you ordered, so you pay $0.60 less.\n\nWe charge $2.90 to" in plain.replace("\r", "")
    assert "so you pay <strong>$0.60</strong> less" in html
    assert "We charge <strong>$2.90</strong>" in html


def test_the_mail_says_nothing_where_nothing_is_saved(world, mailbox, order):
    collect_and_pay(world, order)

    assert not any("gone down" in body for body in bodies(mailbox))


def test_the_customers_page_says_it(app, world, milk, order):
    def page():
        return Tablet(app).get(f"/p/{order.page_token}").text

    world.price(milk, 80)
    assert "gone down" not in page()
    collect_and_pay(world, order)

    assert 'so you pay <strong class="nowrap">$0.60</strong> less.' in page()
    assert page().count("$0.80 each, not $1.00.") == 1
    assert '<td class="amount">$2.40</td>' in page()
    assert '<th colspan="2" scope="row">Total</th><td class="amount">$2.90</td>' in page()


def test_the_tablet_says_what_to_tell_the_customer(world, milk, order, tablet):
    world.price(milk, 80)
    make_ready(order)

    assert "Tell the customer: the price has gone down. They pay $2.90, $0.60 less." in tablet.hand_over(
        order.pickup_code
    )
    assert "Less than ordered: the shelf was cheaper" in tablet.get(f"/staff/orders/{order.id}").text


def test_the_tablet_says_nothing_where_nothing_is_saved(order, tablet):
    make_ready(order)

    assert "Tell the customer" not in tablet.hand_over(order.pickup_code)
    assert "Less than ordered" not in tablet.get(f"/staff/orders/{order.id}").text


def test_it_costs_one_statement(world, shop, order, tablet, guarantee):
    def statements_of_a_handover(is_on):
        guarantee(is_on)
        placed = world.place(shop, {"A": 1, "B": 1})
        world.work()
        make_ready(placed)
        member = db.session.scalars(select(StaffMember)).one()
        statements = []
        event.listen(db.engine, "before_cursor_execute", count := lambda *args: statements.append(args[2]))
        try:
            with unit_of_work():
                assert handover.hand_over(member, placed.id, placed.pickup_code, age_checked=False, now=utcnow())
        finally:
            event.remove(db.engine, "before_cursor_execute", count)
        return len(statements)

    assert statements_of_a_handover(True) == statements_of_a_handover(False) + 1


def data_of(event_type):
    db.session.rollback()
    return db.session.scalars(select(Event.data).where(Event.type == event_type)).one()


def bodies(mailbox):
    """The last mail, as text and as HTML."""
    mail = mailbox.mails[-1]
    return [mail.get_body((kind,)).get_content() for kind in ("plain", "html")]
