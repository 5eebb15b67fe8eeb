"""What is not taken at the handover: not paid, free for others, and nothing that can come back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.errors import InvalidFields
from pickup.core.types import Actor
from pickup.inventory.models import StockMovement
from pickup.inventory.reconciliation import differences as stock_differences
from pickup.orders import lapsing, money_checks, queries, service, short_picks
from pickup.payments.models import PaymentEntry
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import HOLD
from pickup.staff import service as staff
from pickup.staff.models import AuditEntry
from tests.integration.test_staff import Tablet

ANA = Actor("staff", "Ana")


@pytest.fixture
def milk(world, store):
    return stocked(world, store, "A", 150, name="Milk")


@pytest.fixture
def bread(world, store):
    return stocked(world, store, "B", 80, name="Bread")


@pytest.fixture
def wine(world, store):
    return stocked(world, store, "WINE", 1000, name="Wine", minimum_age=21)


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="manager", pin="1234")
    return made


@pytest.fixture
def ready(world, shop, milk, bread):
    """Two of milk and one of bread for 3.80, ready."""
    return make_ready(world, shop, {"A": 2, "B": 1})


@pytest.fixture
def tablet(app, store):
    made = Tablet(app)
    made.sign_in()
    return made


def stocked(world, store, sku, price, **values):
    product = world.product(sku, price=price, **values)
    world.stock(store, product, 10)
    return product


def make_ready(world, shop, items, **extra):
    order = world.place(shop, items, **extra)
    world.work()
    take(order, service.start_picking)
    take(order, service.mark_ready)
    return world.order(order.id)


def take(order, step, *args, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        return step(locked, *args, actor=ANA, now=utcnow(), **values)


def hand_over(order, **refused_by_sku):
    refused = {line.product_id: refused_by_sku.get(line.product.sku, 0) for line in order.lines}
    return take(order, service.hand_over, order.pickup_code, is_manager=False, refused=refused)


def entries(order):
    db.session.rollback()
    rows = select(PaymentEntry.kind, PaymentEntry.amount).where(PaymentEntry.payment_id == payment_of(order.id).id)
    return [tuple(row) for row in db.session.execute(rows.order_by(PaymentEntry.id))]


def assert_all_books_agree():
    now = utcnow() + timedelta(minutes=10)  # by then the workers must have taken it
    assert list(money_checks.differences(now - timedelta(days=1), now=now)) == []
    assert stock_differences() == []


def shelf(world, store, product):
    level = world.level(store, product)
    return level.on_hand, level.reserved


class TestTheBooks:
    def test_what_is_taken_is_paid_and_leaves_the_rest_is_free(self, world, store, milk, bread, ready):
        assert hand_over(ready, A=1)
        world.work()

        after = world.order(ready.id)
        assert (after.status, after.total_amount) == ("collected", 230)
        assert {line.product.sku: (line.refused, line.charged_units) for line in after.lines} == {
            "A": (1, 1),
            "B": (0, 1),
        }
        assert entries(ready) == [("authorisation", 380), ("capture", 230), ("void", 150)]
        assert (shelf(world, store, milk), shelf(world, store, bread)) == ((9, 0), (9, 0))
        assert_all_books_agree()

    def test_the_movements_say_what_was_released_and_what_left(self, world, milk, ready):
        hand_over(ready, A=1)

        rows = db.session.execute(
            select(StockMovement.kind, StockMovement.on_hand_change, StockMovement.reserved_change)
            .where(StockMovement.order_id == ready.id, StockMovement.product_id == milk.id)
            .order_by(StockMovement.id)
        )
        assert [tuple(row) for row in rows] == [("reservation", 0, 2), ("release", 0, -1), ("handover", -1, -1)]

    def test_a_whole_line_is_refused(self, world, store, bread, ready):
        hand_over(ready, B=1)
        world.work()

        assert entries(ready)[1:] == [("capture", 300), ("void", 80)]
        assert shelf(world, store, bread) == (10, 0)
        assert_all_books_agree()

    def test_beside_what_was_not_found(self, world, shop, store, milk, bread):
        order = world.place(shop, {"A": 3, "B": 1})
        world.work()
        take(order, service.start_picking)
        take(order, short_picks.short_pick, milk.id, 1)
        take(order, service.mark_ready)
        hand_over(world.order(order.id), A=1)
        world.work()

        after = world.order(order.id)
        assert [(line.short, line.refused, line.charged_units) for line in after.lines] == [(1, 1, 1), (0, 0, 1)]
        assert after.total_amount == 230
        assert_all_books_agree()

    def test_what_has_become_cheaper_is_only_what_is_taken(self, world, milk, ready):
        world.price(milk, 100)
        hand_over(ready, A=1)
        world.work()

        after = world.order(ready.id)
        assert (after.total_amount, after.reduced_amount) == (180, 50)
        assert entries(ready)[1] == ("capture", 180)
        assert_all_books_agree()

    def test_what_was_taken_early_is_given_back(self, world, ready):
        lapsing.keep_holds(utcnow() + HOLD - timedelta(hours=23))
        world.work()
        assert entries(ready) == [("authorisation", 380), ("capture", 380)]

        hand_over(world.order(ready.id), A=2)
        world.work()

        assert entries(ready)[2:] == [("refund", 300)]
        assert_all_books_agree()

    def test_everything_refused_is_a_cancellation(self, world, store, milk, bread, ready):
        assert hand_over(ready, A=2, B=1)
        world.work()

        after = world.order(ready.id)
        assert (after.status, after.reason) == ("cancelled", "customer")
        assert after.history[-1].note == "nothing of it was taken"
        assert entries(ready) == [("authorisation", 380), ("void", 380)]
        assert (shelf(world, store, milk), shelf(world, store, bread)) == ((10, 0), (10, 0))
        assert_all_books_agree()

    def test_the_goods_can_be_ordered_again_at_once(self, world, shop, store, milk, bread):
        order = make_ready(world, shop, {"A": 10})
        assert shop.order(world.order_body({"A": 1})).json["code"] == "out_of_stock"
        hand_over(world.order(order.id), A=4)

        assert shop.order(world.order_body({"A": 4})).status_code == 201


class TestWhatIsRefusedByUs:
    @pytest.mark.parametrize("refused", [{"A": 3}, {"A": -1}, {"B": 2}])
    def test_no_more_than_there_is(self, world, ready, refused):
        with pytest.raises(InvalidFields):
            hand_over(ready, **refused)

        assert world.order(ready.id).status == "ready"

    def test_nor_of_something_else(self, world, ready):
        with pytest.raises(InvalidFields):
            take(ready, service.hand_over, ready.pickup_code, is_manager=False, refused={999: 1})

    def test_with_a_wrong_code_nothing_happens(self, world, ready):
        refused = {ready.lines[0].product_id: 1}
        assert not take(ready, service.hand_over, "QQQ-QQQ-QQQ", is_manager=False, refused=refused)

        after = world.order(ready.id)
        assert (after.status, after.total_amount, after.wrong_codes) == ("ready", 380, 1)

    def test_what_was_refused_cannot_come_back(self, world, shop, ready):
        hand_over(ready, A=1)
        world.work()

        def bring_back(units):
            body = {"items": [{"sku": "A", "quantity": units}]}
            return shop.post(f"/v1/orders/{ready.id}/returns", body).status_code

        assert (bring_back(2), bring_back(1), bring_back(1)) == (422, 201, 422)
        world.work()
        assert entries(ready)[-1] == ("refund", 150)
        assert_all_books_agree()


class TestWhereItIsSaid:
    def test_by_the_api(self, world, shop, ready):
        hand_over(ready, A=1)

        shown = shop.get(f"/v1/orders/{ready.id}").json
        assert [(line["quantity"], line["refused"], line["total"]["amount"]) for line in shown["lines"]] == [
            (2, 1, 150),
            (1, 0, 80),
        ]
        assert shown["total"]["amount"] == 230
        assert shown["history"][-1]["note"] == "not taken: 1 × A"

    def test_by_mail(self, world, mailbox, ready):
        world.work()
        mailbox.reset()
        hand_over(world.order(ready.id), A=1)
        world.work()

        text = mailbox.mails[-1].get_body(("plain",)).get_content().replace("\r\n", "\n")
        assert "1 x Milk – $1.50\n1 x Bread – $0.80" in text
        assert "You did not take, and do not pay for:\n1 x Milk" in text
        assert "We charge $2.30" in text

    def test_on_the_customers_page_and_the_receipt(self, app, ready):
        hand_over(ready, A=1)

        page = app.test_client().get(f"/p/{ready.page_token}").text
        assert "You did not take one; you do not pay for it." in page
        assert "could not" not in page
        assert "1 × $1.50" in app.test_client().get(f"/p/{ready.page_token}/receipt").text


class TestTheTablet:
    def post(self, tablet, order, code=None, **refused_by_sku):
        ids = {line.product.sku: line.product_id for line in order.lines}
        tablet.get(f"/staff/orders/{order.id}/part")
        units = {f"refused-{ids[sku]}": units for sku, units in refused_by_sku.items()}
        return tablet.post(f"/staff/orders/{order.id}/part", code=code or order.pickup_code, **units)

    def test_not_everything_is_taken(self, world, tablet, ready):
        assert "Not everything is taken" in tablet.get(f"/staff/orders/{ready.id}").text

        page = tablet.get(self.post(tablet, ready, A=1).location).text

        assert "Back to the shelf:</strong> 1 × Milk. They pay $2.30." in page
        assert world.order(ready.id).lines[0].refused == 1
        assert "1 not taken" in tablet.get(f"/staff/orders/{ready.id}").text

    def test_nothing_is_taken(self, world, tablet, ready):
        page = tablet.get(self.post(tablet, ready, A=2, B=1).location).text

        assert f"Order {ready.number} is cancelled: nothing was taken" in page
        assert world.order(ready.id).status == "cancelled"

    def test_a_wrong_code_keeps_what_was_typed(self, world, tablet, ready):
        page = self.post(tablet, ready, code="QQQ-QQQ-QQQ", A=1).text

        assert "That is not the code of this order. 4 tries left." in page
        assert 'value="1" min="0" max="2"' in page

    def test_too_many_are_refused_in_words(self, tablet, ready):
        assert "Nothing was handed over: must be 0 to 2 of Milk." in self.post(tablet, ready, A=3).text

    def test_the_age_is_not_asked_for_what_stays_here(self, world, shop, tablet, milk, wine):
        order = make_ready(world, shop, {"A": 1, "WINE": 1})

        assert self.post(tablet, order, WINE=1).status_code == 303
        assert world.order(order.id).status == "collected"

    def test_the_age_question_keeps_what_stays_here(self, world, shop, tablet, milk, wine):
        order = make_ready(world, shop, {"A": 2, "WINE": 1})
        milk_id = next(line.product_id for line in order.lines if line.product.sku == "A")

        question = self.post(tablet, order, A=1).text
        assert "21 or older?" in question
        assert f'name="refused-{milk_id}" value="1"' in question
        self_answered = {f"refused-{milk_id}": 1, "age_checked": "yes", "code": order.pickup_code}
        assert tablet.post(f"/staff/orders/{order.id}/part", **self_answered).status_code == 303
        assert world.order(order.id).lines[0].refused == 1

    def test_the_audit_trail_says_what_stayed(self, tablet, milk, ready):
        self.post(tablet, ready, A=1)

        db.session.rollback()
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "hand_over")).one()
        assert entry.detail == {"refused": {str(milk.id): 1}}


class TestSignatures:
    @pytest.fixture(autouse=True)
    def asked_for(self, database, monkeypatch):
        settings = replace(database.extensions["settings"], signature="ask")
        monkeypatch.setitem(database.extensions, "settings", settings)

    def test_it_is_asked_for_after_the_right_code(self, world, tablet, ready):
        assert "No order here has the code" in tablet.hand_over("QQQ-QQQ-QQQ")

        question = tablet.hand_over(ready.pickup_code)

        assert "Please sign" in question
        assert f'name="code" value="{ready.pickup_code}"' in question
        assert world.order(ready.id).status == "ready"

    def test_on_paper(self, world, tablet, ready):
        tablet.hand_over(ready.pickup_code, on_paper="yes")

        assert world.order(ready.id).status == "collected"
        assert "The signature of" not in tablet.get(f"/staff/orders/{ready.id}").text
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "hand_over")).one()
        assert entry.detail == {"signature": "on_paper"}

    def test_drawn(self, world, tablet, ready):
        tablet.hand_over(ready.pickup_code, signature="[[[0, 0], [1000, 400]], [[5, 6]]]")

        assert world.order(ready.id).status == "collected"
        page = tablet.get(f"/staff/orders/{ready.id}").text
        assert '<polyline points="0,0 1000,400">' in page
        assert '<polyline points="5,6">' in page

    @pytest.mark.parametrize(
        "drawn",
        [
            "",
            "x",
            "[]",
            "[[]]",
            "[[[1, 2]]]",
            "[[[0, 0], [1001, 0]]]",
            "[[[0, 0], [0, 401]]]",
            "[[[0, 0], [0, -1]]]",
            "[[[0, 0], [0.5, 1]]]",
            "[[[0, 0], [true, 1]]]",
            "[[[0, 0], [1, 2, 3]]]",
            '[[[0, 0], "ab"]]',
            '{"a": 1}',
            "[" * 50_000,
            "[[" + ",".join(["[1,1]"] * 5001) + "]]",
            "[" + ",".join(["[[1,1]]"] * 201) + "]",
        ],
        ids=lambda drawn: drawn[:25],
    )
    def test_what_is_no_signature(self, world, tablet, ready, drawn):
        assert "That was no signature." in tablet.hand_over(ready.pickup_code, signature=drawn)
        assert world.order(ready.id).status == "ready"

    def test_after_the_age(self, world, shop, tablet, wine):
        order = make_ready(world, shop, {"WINE": 1})

        assert "21 or older?" in tablet.hand_over(order.pickup_code)
        question = tablet.hand_over(order.pickup_code, age_checked="yes")
        assert "Please sign" in question
        assert 'name="age_checked" value="yes"' in question
        tablet.hand_over(order.pickup_code, age_checked="yes", on_paper="yes")
        assert world.order(order.id).status == "collected"
