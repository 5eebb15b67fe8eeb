"""The gateway's protocol, call by call: what Stripe is asked, and what is made of its answers and of none."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from pickup.core.clock import utcnow
from pickup.core.types import Money, first_id_at, new_id
from pickup.payments.gateway import Charge, GatewayRefused, GatewayUnreachable
from pickup.payments.stripe_gateway import StripeGateway
from tests.stripe_stand_in import DECLINED, KEY, NEEDS_CONFIRMATION

NO_ANSWER = ["500", "502", "429", "401", "403", "garbage", "nonsense", "reset", "slow", "lost"]
LONG_AGO = timedelta(hours=25)


@pytest.fixture
def gateway(stand):
    return StripeGateway(KEY, api_base=stand.url, timeout_seconds=1.0)


@pytest.fixture
def charge(stand):
    return Charge(new_id(), stand.means_of_payment(), Money(1000, "USD"), utcnow())


def held(gateway, charge):
    return replace(charge, reference=gateway.authorise(charge).reference)


def amounts(view):
    return view.authorised, view.captured, view.voided, view.refunded


def test_the_whole_way(gateway, stand, charge):
    view = gateway.authorise(charge)

    assert (view.status, view.key, view.currency, amounts(view)) == ("authorised", charge.key, "USD", (1000, 0, 0, 0))
    charge = replace(charge, reference=view.reference)
    assert gateway.view(charge) == view
    assert amounts(gateway.capture(charge, 700)) == (1000, 700, 300, 0)
    assert amounts(gateway.refund(charge, new_id(), 200)) == (1000, 700, 300, 200)
    assert amounts(gateway.refund(charge, new_id(), 500)) == (1000, 700, 300, 700)
    assert amounts(gateway.release(charge)) == (1000, 700, 300, 700), "what was captured stays so"
    with pytest.raises(GatewayRefused):
        gateway.refund(charge, new_id(), 1)


def test_a_hold_is_given_back_whole(gateway, stand, charge):
    charge = held(gateway, charge)

    for _ in range(2):
        view = gateway.release(charge)
        assert (view.status, amounts(view)) == ("voided", (1000, 0, 1000, 0))
    with pytest.raises(GatewayRefused, match="voided"):
        gateway.capture(charge, 1000)
    assert gateway.authorise(charge).status == "voided", "asked for once more, it stays as it is"


def test_a_repeated_capture_takes_nothing_more(gateway, stand, charge):
    charge = held(gateway, charge)

    assert gateway.capture(charge, 400) == gateway.capture(charge, 600)
    assert stand.intents()[0]["amount_received"] == 400


def test_more_than_is_held_is_refused(gateway, charge):
    with pytest.raises(GatewayRefused, match="amount_too_large"):
        gateway.capture(held(gateway, charge), 1001)


def test_a_refund_is_made_once_for_its_key(gateway, stand, charge):
    charge, key = held(gateway, charge), new_id()
    gateway.capture(charge, 1000)

    assert (
        amounts(gateway.refund(charge, key, 300)) == amounts(gateway.refund(charge, key, 300)) == (1000, 1000, 0, 300)
    )


def test_a_refund_whose_key_stripe_has_forgotten_is_not_made_again(gateway, stand, charge):
    charge, key = held(gateway, charge), first_id_at(utcnow() - LONG_AGO)
    gateway.capture(charge, 1000)
    stand.fail("refund", "lost")
    with pytest.raises(GatewayUnreachable):
        gateway.refund(charge, key, 300)
    stand.kept.clear()

    assert gateway.refund(charge, key, 300).refunded == 300
    assert gateway.refund(charge, first_id_at(utcnow() - LONG_AGO), 300).refunded == 600, "another one is"


def test_a_refund_that_the_charge_does_not_show_yet_is_not_taken_as_done(gateway, stand, charge):
    charge, key = held(gateway, charge), new_id()
    gateway.capture(charge, 1000)
    gateway.refund(charge, new_id(), 600)
    stand.refunds_not_shown = 300

    with pytest.raises(GatewayUnreachable, match="not in the charge yet"):
        gateway.refund(charge, key, 300)
    stand.refunds_not_shown = 0
    assert gateway.refund(charge, key, 300).refunded == 900


def test_what_is_declined_is_closed(gateway, stand):
    charge = Charge(new_id(), stand.means_of_payment(DECLINED), Money(1000, "USD"), utcnow())

    view = gateway.authorise(charge)

    assert (view.status, view.detail, amounts(view)) == ("declined", "insufficient_funds", (0, 0, 0, 0))
    assert stand.intent(view.reference)["status"] == "canceled"
    known = replace(charge, reference=view.reference)
    for again in (gateway.authorise(charge), gateway.view(known), gateway.view(charge), gateway.release(known)):
        assert (again.status, again.reference, amounts(again)) == ("declined", view.reference, (0, 0, 0, 0))


def test_a_decline_counts_even_if_it_cannot_be_closed_now(gateway, stand):
    charge = Charge(new_id(), stand.means_of_payment(DECLINED), Money(1000, "USD"), utcnow())
    stand.fail("cancel", "500")

    view = gateway.authorise(charge)

    assert view.status == "declined"
    assert stand.intent(view.reference)["status"] == "requires_payment_method"
    assert gateway.view(replace(charge, reference=view.reference)).status == "declined"
    assert stand.intent(view.reference)["status"] == "canceled"


@pytest.mark.parametrize("well", [True, False])
def test_a_customer_confirms_at_the_bank_or_does_not(gateway, stand, well):
    charge = Charge(new_id(), stand.means_of_payment(NEEDS_CONFIRMATION), Money(1000, "USD"), utcnow())

    view = gateway.authorise(charge)
    intent = stand.intent(view.reference)
    assert (view.status, amounts(view)) == ("requires_action", (0, 0, 0, 0))
    assert view.action == {"type": "client_secret", "client_secret": intent["client_secret"]}
    stand.confirm(intent, well=well)

    assert gateway.authorise(charge).status == ("authorised" if well else "declined"), "not the first answer again"
    assert stand.intent(view.reference)["status"] == ("requires_capture" if well else "canceled")


def test_who_has_not_confirmed_can_not_do_so_later(gateway, stand):
    charge = Charge(new_id(), stand.means_of_payment(NEEDS_CONFIRMATION), Money(1000, "USD"), utcnow())
    charge = replace(charge, reference=gateway.authorise(charge).reference)

    view = gateway.release(charge)

    assert (view.status, amounts(view)) == ("voided", (0, 0, 0, 0))


def test_a_token_that_stripe_does_not_know_declines(gateway, stand):
    view = gateway.authorise(Charge(new_id(), "pm_that_is_none", Money(1000, "USD"), utcnow()))

    assert (view.status, view.reference, amounts(view)) == ("declined", "", (0, 0, 0, 0))
    assert stand.intents() == []


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_without_an_answer_to_the_first_question_nothing_is_known(gateway, stand, charge, fault):
    stand.fail("create", fault)

    with pytest.raises(GatewayUnreachable):
        gateway.authorise(charge)

    view = gateway.authorise(charge)
    assert view.status == "authorised"
    assert [intent["id"] for intent in stand.intents()] == [view.reference]
    assert gateway.view(charge) == view


@pytest.mark.parametrize("fault", NO_ANSWER)
@pytest.mark.parametrize("step", ["capture", "cancel", "refund"])
def test_without_an_answer_a_step_is_made_again_and_happens_once(gateway, stand, charge, step, fault):
    charge, key = held(gateway, charge), new_id()
    if step == "refund":
        gateway.capture(charge, 1000)
    ask = {
        "capture": lambda: gateway.capture(charge, 600),
        "cancel": lambda: gateway.release(charge),
        "refund": lambda: gateway.refund(charge, key, 600),
    }[step]
    stand.fail(step, fault)

    with pytest.raises(GatewayUnreachable):
        ask()

    due = {"capture": (1000, 600, 400, 0), "cancel": (1000, 0, 1000, 0), "refund": (1000, 1000, 0, 600)}
    assert amounts(ask()) == amounts(ask()) == due[step]


def test_a_call_takes_no_longer_than_it_may(gateway, stand, charge):
    stand.fail("create", "slow")
    begun = utcnow()

    with pytest.raises(GatewayUnreachable):
        gateway.authorise(charge)

    assert utcnow() - begun < timedelta(seconds=1.4)


def test_a_charge_whose_answer_was_lost_can_be_released(gateway, stand, charge):
    stand.search_is_behind = True
    stand.fail("create", "lost")
    with pytest.raises(GatewayUnreachable):
        gateway.authorise(charge)
    assert gateway.view(charge) is None, "not found yet"

    view = gateway.release(charge)

    assert (view.status, amounts(view)) == ("voided", (1000, 0, 1000, 0))
    assert [intent["status"] for intent in stand.intents()] == ["canceled"]


def test_a_charge_that_never_came_in_never_will(gateway, stand, charge):
    assert gateway.release(charge).status == "voided"
    assert gateway.authorise(charge).status == "voided"
    assert [intent["status"] for intent in stand.intents()] == ["canceled"]


def test_one_that_cannot_be_made_need_not_be_released(gateway, stand):
    view = gateway.release(Charge(new_id(), "pm_that_is_none", Money(1000, "USD"), utcnow()))

    assert (view.status, view.reference, amounts(view)) == ("voided", "", (0, 0, 0, 0))


def test_a_key_that_keeps_failing_though_it_had_its_effect(gateway, stand, charge):
    """Stripe keeps the first answer to a key for a day, also where that was a 500."""
    stand.fail("create", "kept_500")
    for _ in range(2):
        with pytest.raises(GatewayUnreachable):
            gateway.authorise(charge)

    assert gateway.view(charge).status == "authorised"
    stand.search_is_behind = True
    with pytest.raises(GatewayUnreachable):
        gateway.release(charge)
    stand.search_is_behind = False
    assert amounts(gateway.release(charge)) == (1000, 0, 1000, 0)


def test_after_a_day_nothing_is_made_any_more(gateway, stand, charge):
    """Stripe may have forgotten the key by then: the same question would charge a second time."""
    gateway.authorise(charge)
    stand.kept.clear()
    old, unknown = (replace(charge, key=key, opened_at=utcnow() - LONG_AGO) for key in (charge.key, new_id()))

    assert gateway.authorise(old).status == "authorised"
    assert gateway.authorise(unknown).status == "voided"
    assert gateway.release(unknown).status == "voided"
    assert gateway.release(old).status == "voided"
    assert len(stand.intents()) == 1


def test_a_question_that_is_still_being_answered_is_asked_later(gateway, stand, charge):
    stand.kept[f"authorise-{charge.key}"] = ("", None)
    with pytest.raises(GatewayUnreachable):  # other parameters
        gateway.authorise(charge)
    assert stand.intents() == []


def test_an_intent_that_stripe_does_not_know_is_none(gateway, stand, charge):
    stranger = replace(charge, reference="pi_of_somebody_else")

    assert gateway.view(stranger) is None
    for step in (lambda: gateway.capture(stranger, 1), lambda: gateway.refund(charge, new_id(), 1)):
        with pytest.raises(GatewayRefused):
            step()


def test_every_charge_of_a_day_is_listed(gateway, stand, monkeypatch):
    monkeypatch.setattr("pickup.payments.stripe_gateway.PAGE_SIZE", 2)
    begun = utcnow() - timedelta(seconds=1)
    made = [Charge(new_id(), stand.means_of_payment(), Money(100 + n, "USD"), utcnow()) for n in range(5)]
    for charge in made:
        gateway.authorise(charge)
    foreign = {"amount": "50", "currency": "usd", "payment_method": stand.means_of_payment(), "confirm": "true"}
    stand.json("POST", "/v1/payment_intents", foreign)
    stand.json("POST", "/v1/payment_intents", {"amount": "60", "currency": "usd"})

    views = list(gateway.charges(begun, utcnow() + timedelta(seconds=1)))

    keyed = {view.key: view.authorised for view in views}
    assert keyed == {charge.key: charge.money.amount for charge in made} | {None: 50}
    assert len(views) == 6, "one that nobody has paid is no charge yet"
    assert stand.asked.count("list") == 4
    assert list(gateway.charges(begun - timedelta(days=1), begun - timedelta(hours=1))) == []
    stand.fail("list", "500")
    with pytest.raises(GatewayUnreachable):
        list(gateway.charges(begun, utcnow()))


def test_who_is_locked_out_declines_nobody_and_says_so(gateway, stand, charge):
    stand.fail("create", "401")

    with capture_logs() as said, pytest.raises(GatewayUnreachable, match="AuthenticationError 401"):
        gateway.authorise(charge)

    assert [line["event"] for line in said] == ["stripe_locks_us_out"]
    assert KEY not in str(said)


def test_nothing_secret_is_shown(gateway, stand, charge):
    assert KEY not in repr(gateway) + repr(vars(gateway))
    stand.fail("create", "garbage")
    with pytest.raises(GatewayUnreachable) as caught:
        gateway.authorise(charge)
    assert caught.value.__suppress_context__
    assert charge.token not in str(caught.value)
