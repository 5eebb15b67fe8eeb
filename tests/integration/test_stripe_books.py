"""The books of the money compared with Stripe's."""

import pytest

from pickup.core.types import new_id
from pickup.payments import reconciliation
from pickup.payments import service as payments
from pickup.payments.gateway import Charge
from pickup.payments.queries import payment_of
from pickup.payments.stripe_gateway import StripeGateway
from tests.stripe_stand_in import DECLINED, KEY, NEEDS_CONFIRMATION, PLAIN


@pytest.fixture
def house(world, stand, monkeypatch):
    """A store with goods, and Stripe to pay them at."""
    import worker.app  # noqa: F401  it sets the gateways up, once

    gateway = StripeGateway(KEY, webhook_secrets=("whsec_a",), api_base=stand.url, timeout_seconds=2.0)
    monkeypatch.setitem(payments.GATEWAYS, "stripe", gateway)
    monkeypatch.setattr(payments, "OFFERED", {"sandbox", "stripe"})
    monkeypatch.setattr(reconciliation, "PAUSE_SECONDS", 0.01)
    world.stock(world.store("1"), world.product("A", price=400), 30)
    return world


def place(house, shop, stand, card):
    token = stand.means_of_payment(card)
    return shop.order(house.order_body({"A": 3}) | {"payment": {"method": "stripe", "token": token}})


def reconcile(database, *options):
    answer = database.test_cli_runner().invoke(args=["payments", "reconcile", *options])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.output.splitlines()


def test_books_that_agree_and_what_is_done_by_hand(house, shop, stand, database):
    order = house.collect(house.order(place(house, shop, stand, PLAIN).json["id"]))
    for card in (PLAIN, DECLINED, NEEDS_CONFIRMATION):
        place(house, shop, stand, card)
    house.work()
    assert reconcile(database) == (0, ["checked 4 payments, 0 differences"])

    stripe = payments.GATEWAYS["stripe"]
    payment = payment_of(order.id)
    charge = payments.charge_of(payment)
    stripe.refund(charge, new_id(), 100)
    stripe.authorise(Charge(new_id(), stand.means_of_payment(PLAIN), charge.money, charge.opened_at))

    code, lines = reconcile(database, "--mend")

    assert code == 1
    ahead, stranger, last = lines
    assert ahead.startswith(f"mended: order {order.number}, payment {payment.id}: gateway is ahead: ours says captured")
    assert "stripe says partially_refunded (authorised 12.00, captured 12.00, refunded 1.00 USD)" in ahead
    assert ": unknown to us: ours has no such charge; stripe says of pi_" in stranger
    assert last == "checked 4 payments, 1 differences"


def test_without_stripe_nothing_is_proven(house, shop, stand, database):
    place(house, shop, stand, PLAIN)
    stand.fail("list", "500", times=10)

    code, lines = reconcile(database)

    assert code == 2
    assert "nothing is proven" in lines[-1]
