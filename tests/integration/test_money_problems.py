"""Money that does not come by itself: tried five times, put before a manager, and finished by them."""

import re

import pytest
from sqlalchemy import update

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.inventory.reconciliation import differences
from pickup.orders import money_problems, queries, settling
from pickup.payments import service as payments
from pickup.payments.gateway import GatewayRefused
from pickup.payments.models import Payment, PaymentEntry
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import SandboxGateway
from pickup.staff import money_cards, service
from tests.concurrency.together import at_once, in_own_session
from tests.tablet import Tablet

MAX = Actor("staff", "Max")


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.store("2", lat=36.9)
    world.stock(made, world.product("A", name="Milk", price=100), 20)
    with unit_of_work():
        for ref, name, role, pin in (
            ("1", "Ana", "associate", "1234"),
            ("1", "Max", "manager", "998877"),
            ("2", "Bea", "manager", "4321"),
        ):
            service.create_member(store_ref=ref, name=name, role=role, pin=pin)
    return made


@pytest.fixture
def tablet_of(app, store):
    def make(pin, store_ref="1"):
        tablet = Tablet(app)
        tablet.sign_in(store_ref, pin)
        return tablet

    return make


@pytest.fixture
def manager(tablet_of):
    return tablet_of("998877")


def work_until_given_up(world):
    """The gateway is asked again some seconds later; here the seconds pass at once."""
    for _ in range(settling.TRIES_MAX):
        with unit_of_work():
            db.session.execute(update(OutboxTask).values(due_at=utcnow()))
        world.work()


@pytest.fixture
def refused(world, shop, store):
    """Handed over, and the bank refuses to pay."""
    order = world.collect(world.place(shop, {"A": 3}, token="tok_capture_refused"))
    work_until_given_up(world)
    return order


@pytest.fixture
def refund_refused(world, shop, store, monkeypatch):
    """One of three came back, and the bank refuses to give the money back."""

    def refuse(*_):
        raise GatewayRefused("the card is closed")

    order = world.collect(world.place(shop, {"A": 3}))
    world.work()
    monkeypatch.setattr(SandboxGateway, "refund", refuse)
    give_back(shop, order, 1)
    work_until_given_up(world)
    return order


def give_back(shop, order, units):
    answer = shop.post(f"/v1/orders/{order.id}/returns", {"items": [{"sku": "A", "quantity": units}]})
    assert answer.status_code == 201, answer.text


def money_of(order):
    db.session.rollback()
    return payment_of(order.id)


def entries_of(order):
    ours = db.session.query(PaymentEntry).filter_by(payment_id=money_of(order).id).order_by(PaymentEntry.id)
    return [(entry.kind, entry.amount) for entry in ours]


def problems_of(store):
    db.session.rollback()
    return [(each.kind, each.amount, each.can_try_again) for each in money_problems.at_store(store.id)]


def after(tablet, answer):
    assert answer.status_code == 303, answer.text
    (words,) = re.findall(r'<p class="toast \w+">(.*?)</p>', tablet.get(answer.location.partition("#")[0]).text)
    return words


def money_on(tablet):
    """What the section says, or nothing."""
    found = re.search(r'<section class="money".*?</section>', tablet.get("/staff").text, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else ""


def settle(tablet, order, **form):
    return tablet.post(f"/staff/orders/{order.id}/money", **form)


def test_what_a_bank_refuses_is_put_before_the_manager_after_five_tries(world, shop, store, manager):
    order = world.collect(world.place(shop, {"A": 3}, token="tok_capture_refused"))
    settlement = db.session.query(OutboxTask).filter_by(handler="settle_payment")
    while settlement.count():  # on a slow machine several tries become due in one round of work
        assert settlement.one().attempts < settling.TRIES_MAX
        assert (problems_of(store), money_on(manager)) == ([], "")
        with unit_of_work():
            db.session.execute(update(OutboxTask).values(due_at=utcnow()))
        world.work()

    assert problems_of(store) == [("capture_refused", 300, True)]
    assert f"Order {order.number}" in money_on(manager)
    assert "$3.00 missing" in money_on(manager)
    assert world.order(order.id).status == "collected"
    assert db.session.query(OutboxTask).filter_by(handler="settle_payment").count() == 0


def test_associates_and_other_stores_do_not_see_it(tablet_of, refused):
    for tablet in (tablet_of("1234"), tablet_of("4321", "2")):
        assert money_on(tablet) == ""
        assert tablet.post(f"/staff/orders/{refused.id}/money/try-again").status_code in (403, 404)
        assert tablet.get(f"/staff/orders/{refused.id}/money").status_code in (403, 404)
        assert settle(tablet, refused, note="paid in cash").status_code in (403, 404)
    assert money_of(refused).problem == "capture_refused"


def test_tried_again_and_paid(world, store, manager, refused, monkeypatch):
    monkeypatch.setattr("pickup.payments.sandbox.REFUSES_TO_CAPTURE", frozenset())
    manager.get("/staff")

    words = after(manager, manager.post(f"/staff/orders/{refused.id}/money/try-again"))
    world.work()

    assert words.startswith(f"Order {refused.number}: the bank is asked once more.")
    assert (money_of(refused).status, money_of(refused).captured) == ("captured", 300)
    assert (problems_of(store), money_on(manager)) == ([], "")


def test_tried_again_and_refused_again(world, store, manager, refused):
    manager.get("/staff")
    manager.post(f"/staff/orders/{refused.id}/money/try-again")
    assert money_on(manager) == ""
    work_until_given_up(world)

    assert problems_of(store) == [("capture_refused", 300, True)]
    words = after(manager, manager.post(f"/staff/orders/{refused.id}/money/try-again"))
    assert "asked once more" in words
    again = manager.post(f"/staff/orders/{refused.id}/money/try-again")
    assert after(manager, again) == f"Order {refused.number}: nothing is wrong with the money any more."


def test_settled_otherwise(world, store, manager, refused):
    page = manager.get(f"/staff/orders/{refused.id}/money").text
    assert "$3.00 missing" in page

    words = after(manager, settle(manager, refused, note="paid in cash, receipt 4711"))
    world.work()

    assert words == f"Order {refused.number}: noted as settled otherwise."
    payment = money_of(refused)
    assert (payment.status, payment.written_off, payment.captured) == ("written_off", 300, 0)
    assert entries_of(refused) == [("authorisation", 300), ("write_off", 300), ("void", 300)], "what was held is let go"
    note = db.session.query(PaymentEntry.note).filter_by(kind="write_off").scalar()
    assert note == "Max (capture_refused): paid in cash, receipt 4711"
    assert (problems_of(store), money_on(manager)) == ([], "")
    assert world.order(refused.id).status == "collected"
    assert differences() == []


@pytest.mark.parametrize("note", ["", "   ", "\x07"])
def test_without_a_note_nothing_is_settled(manager, refused, note):
    manager.get(f"/staff/orders/{refused.id}/money")

    answer = settle(manager, refused, note=note)

    assert "Say how it was settled." in answer.text
    assert money_of(refused).problem == "capture_refused"


def test_who_comes_second_is_told_so(tablet_of, refused):
    one, other = tablet_of("998877"), tablet_of("998877")
    settle(one, refused, note="paid in cash")

    calm = f"Order {refused.number}: nothing is wrong with the money any more."
    assert after(other, settle(other, refused, note="paid by another card")) == calm
    assert after(other, other.post(f"/staff/orders/{refused.id}/money/try-again")) == calm
    assert after(other, other.get(f"/staff/orders/{refused.id}/money")) == calm
    assert money_of(refused).written_off == 300


def test_two_at_the_same_instant_settle_it_once(world, refused):
    order_id = refused.id

    def settle_it():
        order = queries.lock_order(order_id)
        return money_problems.settle_otherwise(order, "paid in cash", actor=MAX, now=utcnow())

    def try_it():
        return money_problems.try_again(queries.lock_order(order_id), actor=MAX, now=utcnow())

    done = at_once([in_own_session(world.app, work) for work in (settle_it, try_it, settle_it, try_it)])

    assert done.count(True) == 1
    assert money_of(refused).written_off in (0, 300)


def test_what_was_settled_otherwise_is_never_asked_of_the_bank_again(world, shop, store, manager, refused, monkeypatch):
    monkeypatch.setattr("pickup.payments.sandbox.REFUSES_TO_CAPTURE", frozenset())
    manager.get("/staff")
    settle(manager, refused, note="paid in cash")
    give_back(shop, refused, 1)
    with unit_of_work():
        payments.unsettle(refused.id, now=utcnow())
    world.work()

    assert (money_of(refused).captured, money_of(refused).refunded) == (0, 0)
    assert problems_of(store) == []


def test_after_that_the_money_of_a_return_goes_back_by_hand(world, manager, refused):
    manager.get("/staff")
    settle(manager, refused, note="paid in cash")
    (line,) = world.order(refused.id).lines
    manager.get(f"/staff/orders/{refused.id}")

    answer = manager.post(f"/staff/orders/{refused.id}/returns", **{f"units-{line.product_id}": 1, "expected": 0})

    words = f"Give $1.00 back by hand: the money of order {refused.number} was settled by hand."
    assert after(manager, answer).startswith(words)


def test_a_return_of_everything_leaves_nothing_missing(world, shop, store, manager, refused):
    give_back(shop, refused, 3)
    world.work()

    assert money_of(refused).status == "voided"
    assert (problems_of(store), money_on(manager)) == ([], "")


def test_what_cannot_be_paid_back_is_given_by_hand(world, shop, store, manager, refund_refused, monkeypatch):
    assert problems_of(store) == [("refund_refused", 100, True)]
    assert "$1.00 to give back" in money_on(manager)
    settle(manager, refund_refused, note="in cash")
    monkeypatch.undo()
    give_back(shop, refund_refused, 1)
    world.work()

    assert (money_of(refund_refused).captured, money_of(refund_refused).refunded) == (300, 0)
    assert problems_of(store) == []


def test_what_cannot_be_paid_back_is_tried_again(world, store, manager, refund_refused, monkeypatch):
    monkeypatch.undo()
    manager.get("/staff")
    manager.post(f"/staff/orders/{refund_refused.id}/money/try-again")
    world.work()

    assert (money_of(refund_refused).refunded, problems_of(store)) == (100, [])


def put(order, problem, **values):
    with unit_of_work():
        db.session.execute(
            update(Payment).where(Payment.order_id == order.id).values(problem=problem, problem_at=utcnow(), **values)
        )


def test_before_the_customer_comes_there_is_nothing_to_try(world, shop, store, manager):
    order = world.place(shop, {"A": 2})
    world.work()
    put(order, "hold_lapsed", status="voided", voided=200)

    assert problems_of(store) == [("hold_lapsed", 200, False)]
    assert "Ask them to pay at the counter." in money_on(manager)
    assert "Try again" not in money_on(manager)
    settle(manager, order, note="paid in cash")
    world.collect(order)
    world.work()
    assert entries_of(order) == [("authorisation", 200), ("write_off", 200)]
    assert problems_of(store) == []


def test_money_that_the_bank_does_not_let_go_of_is_nobodys_loss(world, shop, store, manager, monkeypatch):
    def refuse(*_):
        raise GatewayRefused("not now")

    order = world.place(shop, {"A": 2})
    world.work()
    monkeypatch.setattr(SandboxGateway, "release", refuse)
    shop.post(f"/v1/orders/{order.id}/cancel")
    work_until_given_up(world)

    assert problems_of(store) == [("release_refused", 200, True)]
    assert "$2.00 still held" in money_on(manager)
    settle(manager, order, note="it lapses on Friday")
    assert entries_of(order) == [("authorisation", 200), ("write_off", 0)], "the note is kept"
    assert problems_of(store) == []


def test_there_are_words_for_every_problem():
    refusals = {f"{step}_refused" for step in ("capture", "release", "refund")}
    assert refusals | {"not_paid", "hold_lapsed"} == money_cards.WHAT_HAPPENED.keys()
