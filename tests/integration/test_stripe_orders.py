"""Orders that are paid at Stripe: every way they can go, with real workers, and with answers that get lost."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from stripe import WebhookSignature

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor, new_id
from pickup.orders import queries, service, short_picks, sweeping
from pickup.orders.models import Order
from pickup.payments import service as payments
from pickup.payments.models import Payment, PaymentEntry, PaymentRefund, ReceivedEvent
from pickup.payments.stripe_gateway import StripeGateway
from tests.stripe_stand_in import DECLINED, KEY, NEEDS_CONFIRMATION

ANA = Actor("staff", "Ana")
SECRETS = ("whsec_old", "whsec_new")
STRIPE = "/v1/gateways/stripe/events"


@pytest.fixture
def house(world, stand, monkeypatch):
    """A store with goods, and Stripe to pay them at."""
    import worker.app  # noqa: F401  it sets the gateways up, once

    gateway = StripeGateway(KEY, webhook_secrets=SECRETS, api_base=stand.url, timeout_seconds=1.0)
    monkeypatch.setitem(payments.GATEWAYS, "stripe", gateway)
    monkeypatch.setattr(payments, "OFFERED", {"sandbox", "stripe"})
    world.stock(world.store("1"), world.product("A", price=400), 10)
    return world


def order_body(house, stand, card="4242424242424242", **extra):
    token = stand.means_of_payment(card)
    return house.order_body({"A": 3}, **extra) | {"payment": {"method": "stripe", "token": token}}


def place(house, shop, stand, card="4242424242424242"):
    return shop.order(order_body(house, stand, card))


def make_ready(house, order_id, *, missing=0):
    house.work()
    product_id = house.order(order_id).lines[0].product_id
    take(order_id, service.start_picking)
    if missing:
        take(order_id, short_picks.short_pick, product_id, missing)
    take(order_id, service.mark_ready)
    house.work()
    return house.order(order_id)


def take(order_id, action, *args, **kwargs):
    with unit_of_work():
        (order,) = queries.lock_orders([UUID(str(order_id))], with_lines=True)
        return action(order, *args, actor=ANA, now=utcnow(), **kwargs)


def hand_over(house, order):
    assert take(order.id, service.hand_over, order.pickup_code, is_manager=False)
    house.work()


def try_again(house):
    """Let the time pass that a task waits after a failure."""
    with unit_of_work():
        db.session.execute(update(OutboxTask).values(due_at=utcnow() - timedelta(seconds=1)))
    house.work()


def payment():
    db.session.rollback()
    return db.session.query(Payment).populate_existing().one()


def ledger():
    return [(entry.kind, entry.amount) for entry in db.session.query(PaymentEntry).order_by(PaymentEntry.id)]


def books(stand):
    """Stripe's: of its only charge, the status, and what was taken and given back."""
    (intent,) = stand.intents()
    charge = intent["latest_charge"] or {"amount_refunded": 0}
    return intent["status"], intent["amount_received"], charge["amount_refunded"]


def message(intent, kind="payment_intent.amount_capturable_updated", *, name=None):
    about = intent if isinstance(intent, dict) else {"object": "payment_intent", "id": intent, "metadata": {}}
    name = name or f"evt_{new_id().hex}"
    return json.dumps({"id": name, "object": "event", "type": kind, "data": {"object": about}})


def tell(house, body, *, secret=SECRETS[1], age=timedelta(0), path=STRIPE, **headers):
    at = int((utcnow() - age).timestamp())
    signed = WebhookSignature.generate_signature_header(body, secret, timestamp=at)
    return house.app.test_client().post(path, data=body, headers={"Stripe-Signature": signed} | headers)


def test_placed_and_handed_over(house, shop, stand):
    answer = place(house, shop, stand)
    assert (answer.status_code, answer.json["status"]) == (201, "placed")
    assert answer.json["payment"]["status"] == "authorised"
    assert payment().gateway_reference == stand.intents()[0]["id"]

    hand_over(house, make_ready(house, answer.json["id"]))

    assert payment().status == "captured"
    assert books(stand) == ("succeeded", 1200, 0)
    assert ledger() == [("authorisation", 1200), ("capture", 1200)]


def test_only_what_was_found_is_taken(house, shop, stand):
    body = order_body(house, stand, if_short="part")
    order_id = shop.order(body).json["id"]

    hand_over(house, make_ready(house, order_id, missing=1))

    assert books(stand) == ("succeeded", 800, 0)
    assert ledger() == [("authorisation", 1200), ("capture", 800), ("void", 400)]


def test_cancelled_by_the_customer(house, shop, stand):
    order_id = place(house, shop, stand).json["id"]
    house.work()
    assert shop.post(f"/v1/orders/{order_id}/cancel").status_code == 200
    house.work()

    assert payment().status == "voided"
    assert books(stand) == ("canceled", 0, 0)
    assert ledger() == [("authorisation", 1200), ("void", 1200)]


def test_nobody_collects_it(house, shop, stand):
    order = make_ready(house, place(house, shop, stand).json["id"])

    sweeping.expire_holds(order.hold_until + timedelta(seconds=1))
    house.work()

    assert house.order(order.id).status == "expired"
    assert books(stand) == ("canceled", 0, 0)


def returned(house, order_id, amount):
    with unit_of_work():
        db.session.execute(update(Order).where(Order.id == order_id).values(returned_amount=amount))
        payments.unsettle(order_id, now=utcnow())
    house.work()


def test_goods_come_back(house, shop, stand):
    order = make_ready(house, place(house, shop, stand).json["id"])
    hand_over(house, order)

    returned(house, order.id, 400)
    assert books(stand) == ("succeeded", 1200, 400)
    assert payment().status == "partially_refunded"
    returned(house, order.id, 1200)

    assert books(stand) == ("succeeded", 1200, 1200)
    assert payment().status == "refunded"
    assert ledger() == [("authorisation", 1200), ("capture", 1200), ("refund", 400), ("refund", 800)]


def test_declined(house, shop, stand):
    answer = place(house, shop, stand, DECLINED)

    assert (answer.status_code, answer.json["code"]) == (402, "payment_declined")
    assert books(stand) == ("canceled", 0, 0)
    assert payment().status == "declined"


def test_a_token_of_another_gateway_is_refused(house, shop, stand):
    body = house.order_body({"A": 1}) | {"payment": {"method": "stripe", "token": "tok_secret_4711"}}

    answer = shop.order(body)

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/payment/token"
    assert "4711" not in answer.text
    assert stand.asked == []


def test_a_method_that_is_not_offered_any_more(house, shop, stand, monkeypatch):
    order_id = place(house, shop, stand).json["id"]
    monkeypatch.setattr(payments, "OFFERED", {"sandbox"})

    assert place(house, shop, stand).json["errors"][0]["detail"] == "must be one of sandbox"

    shop.post(f"/v1/orders/{order_id}/cancel")
    house.work()
    assert books(stand) == ("canceled", 0, 0), "what there is of it goes on"


def test_confirmed_at_the_bank_and_heard_of(house, shop, stand):
    answer = place(house, shop, stand, NEEDS_CONFIRMATION)
    assert (answer.status_code, answer.json["status"]) == (201, "awaiting_payment")
    (intent,) = stand.intents()
    assert answer.json["payment"]["status"] == "requires_action"
    assert payment().action == {"type": "client_secret", "client_secret": intent["client_secret"]}

    stand.confirm(intent)
    assert tell(house, message(stand.intents()[0])).status_code == 204
    house.work()

    assert house.order(answer.json["id"]).status == "reserved"
    assert (payment().status, payment().action) == ("authorised", None)


def test_not_confirmed_at_the_bank(house, shop, stand):
    answer = place(house, shop, stand, NEEDS_CONFIRMATION)
    (intent,) = stand.intents()

    stand.confirm(intent, well=False)
    tell(house, message(intent, "payment_intent.payment_failed"))
    house.work()

    order = house.order(answer.json["id"])
    assert (order.status, order.reason) == ("cancelled", "payment_failed")
    assert books(stand) == ("canceled", 0, 0), "so it can not be confirmed later"


def test_never_confirmed_at_the_bank(house, shop, stand):
    answer = place(house, shop, stand, NEEDS_CONFIRMATION)

    sweeping.cancel_unpaid_orders(utcnow() + timedelta(hours=1))
    house.work()

    assert house.order(answer.json["id"]).reason == "payment_failed"
    assert books(stand) == ("canceled", 0, 0)


def test_the_hold_lapses_at_stripe(house, shop, stand):
    order_id = place(house, shop, stand).json["id"]
    house.work()
    (intent,) = stand.intents()
    stand.json("POST", f"/v1/payment_intents/{intent['id']}/cancel")

    tell(house, message(intent, "payment_intent.canceled"))
    house.work()

    assert payment().status == "voided"
    assert house.order(order_id).status == "reserved", "a lapsed hold is no reason to cancel"


@pytest.mark.parametrize("fault", ["lost", "slow", "500", "reset"])
def test_the_answer_to_the_first_question_is_lost(house, shop, stand, fault):
    stand.search_is_behind = True
    stand.fail("create", fault)
    answer = place(house, shop, stand)
    assert (answer.json["status"], answer.json["payment"]["status"]) == ("awaiting_payment", "pending")

    sweeping.resolve_pending_payments(utcnow() + timedelta(minutes=1))

    assert house.order(answer.json["id"]).status == "placed"
    assert books(stand) == ("requires_capture", 0, 0)
    assert ledger() == [("authorisation", 1200)]


def test_the_answer_is_lost_and_a_message_comes_first(house, shop, stand):
    stand.search_is_behind = True
    stand.fail("create", "lost")
    answer = place(house, shop, stand)

    tell(house, message(stand.intents()[0]))
    house.work()

    assert house.order(answer.json["id"]).status == "reserved"
    assert payment().gateway_reference == stand.intents()[0]["id"]


def test_the_answer_is_lost_and_the_customer_cancels(house, shop, stand):
    stand.search_is_behind = True
    stand.fail("create", "lost")
    order_id = place(house, shop, stand).json["id"]

    shop.post(f"/v1/orders/{order_id}/cancel")
    house.work()

    assert books(stand) == ("canceled", 0, 0)
    assert ledger() == [("authorisation", 1200), ("void", 1200)]


@pytest.mark.parametrize("fault", ["lost", "500", "garbage", "reset", "slow", "401"])
def test_the_answer_to_a_capture_is_lost(house, shop, stand, fault):
    order = make_ready(house, place(house, shop, stand).json["id"])
    stand.fail("capture", fault)

    hand_over(house, order)
    try_again(house)

    assert stand.asked.count("capture") == 2
    assert books(stand) == ("succeeded", 1200, 0)
    assert ledger() == [("authorisation", 1200), ("capture", 1200)]


@pytest.mark.parametrize("fault", ["lost", "500", "garbage"])
def test_the_answer_to_a_cancellation_is_lost(house, shop, stand, fault):
    order_id = place(house, shop, stand).json["id"]
    house.work()
    stand.fail("cancel", fault)

    shop.post(f"/v1/orders/{order_id}/cancel")
    house.work()
    try_again(house)

    assert books(stand) == ("canceled", 0, 0)
    assert ledger() == [("authorisation", 1200), ("void", 1200)]


@pytest.mark.parametrize("fault", ["lost", "500", "garbage"])
def test_the_answer_to_a_refund_is_lost(house, shop, stand, fault):
    order = make_ready(house, place(house, shop, stand).json["id"])
    hand_over(house, order)
    stand.fail("refund", fault)

    returned(house, order.id, 500)
    try_again(house)

    assert books(stand) == ("succeeded", 1200, 500)
    assert ledger() == [("authorisation", 1200), ("capture", 1200), ("refund", 500)]
    assert db.session.query(PaymentRefund).one().done_at is not None


def test_stripe_is_away_for_a_while(house, shop, stand):
    order = make_ready(house, place(house, shop, stand).json["id"])
    stand.fail("capture", "502", times=4)

    hand_over(house, order)
    for _ in range(4):
        try_again(house)

    assert books(stand) == ("succeeded", 1200, 0)


def test_a_refund_in_stripes_dashboard_is_heard_of(house, shop, stand):
    order = make_ready(house, place(house, shop, stand).json["id"])
    hand_over(house, order)
    (intent,) = stand.intents()
    stand.json("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": "100"})

    about = {"object": "charge", "id": "ch_1", "payment_intent": intent["id"], "metadata": {}}
    tell(house, message(about, "charge.refunded"))
    house.work()

    assert payment().refunded == 100
    assert ledger()[-1] == ("refund", 100)


def received():
    db.session.rollback()
    return [(event.event_id, event.payment_id) for event in db.session.query(ReceivedEvent).order_by("received_at")]


def tasks():
    return db.session.query(OutboxTask).filter(OutboxTask.handler == "ask_gateway").count()


def test_a_message_is_kept_as_it_came_and_once(house, shop, stand):
    place(house, shop, stand)
    body = message(stand.intents()[0], name="evt_1")

    for _ in range(3):
        assert tell(house, body).status_code == 204

    assert received() == [("evt_1", payment().id)]
    assert db.session.query(ReceivedEvent).one().body == body
    assert tasks() == 1


@pytest.mark.parametrize("about", ["pi_of_another_shop", {"object": "customer", "id": "cus_1"}])
def test_a_message_about_somebody_else_is_only_kept(house, shop, stand, about):
    stand.fail("create", "500")
    place(house, shop, stand)  # its name at Stripe is not known yet

    assert tell(house, message(about, name="evt_2")).status_code == 204

    assert received() == [("evt_2", None)]
    assert tasks() == 0


def test_a_message_of_stripe_is_not_about_the_sandbox(house, shop, stand):
    order = house.place(shop, {"A": 1})
    key = str(db.session.query(Payment).filter(Payment.order_id == order.id).one().id)
    about = {"object": "payment_intent", "id": "pi_1", "metadata": {"payment_id": key}}

    tell(house, message(about, name="evt_3"))

    assert received() == [("evt_3", None)]


def test_messages_that_come_late_and_in_disorder_change_nothing(house, shop, stand):
    order = make_ready(house, place(house, shop, stand).json["id"])
    (early,) = stand.intents()
    hand_over(house, order)
    (late,) = stand.intents()

    for intent, kind in ((late, "payment_intent.succeeded"), (early, "payment_intent.amount_capturable_updated")):
        tell(house, message(intent, kind))
        house.work()

    assert payment().status == "captured"
    assert ledger() == [("authorisation", 1200), ("capture", 1200)]


def assert_refused(answer):
    assert (answer.status_code, answer.json["code"]) == (400, "bad_gateway_signature")
    assert received() == []


@pytest.mark.parametrize("secret", SECRETS)
def test_while_secrets_are_changed_both_are_good(house, stand, secret):
    assert tell(house, message("pi_1"), secret=secret).status_code == 204


def test_another_secret_is_not(house, stand):
    assert_refused(tell(house, message("pi_1"), secret="whsec_of_a_stranger"))


@pytest.mark.parametrize("age", [301, 86400, -301])
def test_a_message_that_is_too_old_is_not_taken(house, stand, age):
    assert_refused(tell(house, message("pi_1"), age=timedelta(seconds=age)))


def test_one_of_four_minutes_ago_is(house, stand):
    assert tell(house, message("pi_1"), age=timedelta(minutes=4)).status_code == 204


@pytest.mark.parametrize(
    "signature", ["", "t=1", "t=x,v1=y", "v1=abc", "t=1,v1=ä", "t=1=2,v1=x", ",,=,", "t=" + "9" * 5000]
)
def test_what_is_no_signature_is_refused(house, stand, signature):
    answer = house.app.test_client().post(STRIPE, data=message("pi_1"), headers={"Stripe-Signature": signature})

    assert_refused(answer)


def test_a_body_that_was_changed_is_refused(house, stand):
    body = message("pi_1")
    signed = WebhookSignature.generate_signature_header(body, SECRETS[0])

    answer = house.app.test_client().post(STRIPE, data=body + " ", headers={"Stripe-Signature": signed})

    assert_refused(answer)


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"id": 1, "type": "x", "data": {"object": {}}}', "{", '"x"'])
def test_what_is_no_event_is_refused(house, stand, body):
    assert_refused(tell(house, body))


def test_bytes_that_are_no_text_are_refused(house, stand):
    signed = WebhookSignature.generate_signature_header("{}", SECRETS[0])

    assert_refused(house.app.test_client().post(STRIPE, data=b"\xff\xfe", headers={"Stripe-Signature": signed}))


def test_the_sandbox_sends_no_messages(house, stand):
    assert_refused(tell(house, message("pi_1"), path="/v1/gateways/sandbox/events"))


def test_there_are_no_other_gateways(house, stand):
    answer = tell(house, message("pi_1"), path="/v1/gateways/none/events")

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_message_can_be_too_long(house, stand):
    answer = tell(house, "x" * (house.app.config["MAX_CONTENT_LENGTH"] + 1))

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
