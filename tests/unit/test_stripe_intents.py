"""What is made of Stripe's intents, also of those that no stand-in brings about. Shapes as the API of 2026-10-28."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from iso4217 import Currency
from stripe import WebhookSignature

from pickup.core.types import Money
from pickup.payments.gateway import BadSignature, GatewayUnreachable
from pickup.payments.stripe_events import AGE_MAX_SECONDS, event_in, verify
from pickup.payments.stripe_gateway import StripeGateway
from pickup.payments.stripe_intents import UNITS, from_stripe, refusal_of_amount, to_stripe, view_of

KEY = UUID("019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f")
# https://docs.stripe.com/currencies#zero-decimal, and those that are charged as if they had two digits.
ZERO_DECIMAL = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
AS_TWO_DECIMAL = {"UGX"}


def charge(**values):
    card = {"brand": "visa", "capture_before": 1_700_000_000, "network": "visa"}
    details = {"type": "card", "card": card}
    return {
        "id": "ch_1",
        "status": "succeeded",
        "paid": True,
        "amount_refunded": 0,
        "payment_method_details": details,
    } | (values)


def intent(status, *, latest_charge=None, received=0, **values):
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "amount": 1000,
        "amount_capturable": 1000 if status == "requires_capture" else 0,
        "amount_received": received,
        "currency": "usd",
        "client_secret": "pi_1_secret_x",
        "last_payment_error": None,
        "latest_charge": latest_charge,
        "metadata": {"payment_id": str(KEY)},
    } | values


def amounts(view):
    return view.authorised, view.captured, view.voided, view.refunded


def test_a_hold_says_until_when():
    view = view_of(intent("requires_capture", latest_charge=charge()))

    assert (view.status, view.reference, view.key, view.currency) == ("authorised", "pi_1", KEY, "USD")
    assert amounts(view) == (1000, 0, 0, 0)
    assert view.capture_before == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("details", [None, {}, {"type": "link"}, {"card": {}}, {"card": None}])
def test_a_hold_may_not_say_until_when(details):
    assert (
        view_of(intent("requires_capture", latest_charge=charge(payment_method_details=details))).capture_before is None
    )


@pytest.mark.parametrize(
    ("seen", "status", "expected"),
    [
        (intent("succeeded", latest_charge=charge(), received=1000), "captured", (1000, 1000, 0, 0)),
        (intent("succeeded", latest_charge=charge(), received=700), "captured", (1000, 700, 300, 0)),
        (
            intent("succeeded", latest_charge=charge(amount_refunded=700), received=700),
            "captured",
            (1000, 700, 300, 700),
        ),
        (intent("canceled", latest_charge=charge()), "voided", (1000, 0, 1000, 0)),
        (intent("canceled", latest_charge=charge(), received=400), "captured", (1000, 400, 600, 0)),
        (intent("canceled", latest_charge=charge(), cancellation_reason="expired"), "voided", (1000, 0, 1000, 0)),
        (intent("canceled"), "voided", (0, 0, 0, 0)),
        (intent("requires_action"), "requires_action", (0, 0, 0, 0)),
        (intent("requires_confirmation"), "requires_action", (0, 0, 0, 0)),
    ],
)
def test_every_status_has_its_amounts(seen, status, expected):
    view = view_of(seen)

    assert (view.status, amounts(view)) == (status, expected)
    assert view.captured + view.voided <= view.authorised


FAILED = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
NOT_CONFIRMED = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure"}


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
@pytest.mark.parametrize(
    ("failure", "latest", "word"),
    [
        (FAILED, charge(status="failed", paid=False), "insufficient_funds"),
        (NOT_CONFIRMED, None, "payment_intent_authentication_failure"),
    ],
)
def test_a_decline_has_a_reason(status, failure, latest, word):
    view = view_of(intent(status, last_payment_error=failure, latest_charge=latest))

    assert (view.status, view.detail, amounts(view)) == ("declined", word, (0, 0, 0, 0))


def test_one_that_was_held_after_a_decline_is_given_back():
    view = view_of(intent("canceled", last_payment_error=FAILED, latest_charge=charge()))

    assert (view.status, amounts(view), view.detail) == ("voided", (1000, 0, 1000, 0), "")


@pytest.mark.parametrize("status", ["processing", "requires_payment_method", "something_new"])
def test_what_is_not_decided_is_not_known(status):
    with pytest.raises(GatewayUnreachable):
        view_of(intent(status))


@pytest.mark.parametrize("metadata", [None, {}, {"payment_id": "4711"}, {"payment_id": None}, {"order": "1"}])
def test_what_is_not_ours_has_no_key(metadata):
    assert view_of(intent("succeeded", latest_charge=charge(), received=1000, metadata=metadata)).key is None


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [
        ("USD", 1234, 1234),
        ("JPY", 1234, 1234),
        ("ISK", 12, 1200),
        ("UGX", 5, 500),
        ("MGA", 500, 5),
        ("KWD", 1230, 1230),
    ],
)
def test_amounts_are_counted_as_stripe_does(currency, ours, theirs):
    assert to_stripe(ours, currency) == theirs
    assert from_stripe(theirs, currency) == ours
    assert refusal_of_amount(Money(ours, currency)) is None
    seen = intent("succeeded", latest_charge=charge(), amount=theirs, received=theirs, currency=currency.lower())
    assert amounts(view_of(seen)) == (ours, ours, 0, 0)


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 1234), ("BHD", 1), ("MGA", 50), ("USD", 0), ("ISK", 0)])
def test_what_stripe_cannot_charge_is_refused(currency, amount):
    assert refusal_of_amount(Money(amount, currency))


@pytest.mark.parametrize("currency", ["KWD", "MGA"])
def test_a_part_of_a_unit_is_never_rounded(currency):
    with pytest.raises(ValueError, match="not a multiple"):
        to_stripe(15, currency)


def test_every_currency_whose_units_differ_is_in_the_table():
    """By ISO 4217, and by Stripe's lists."""
    for currency in Currency:
        ours, theirs = UNITS.get(currency.code, (1, 1))
        if currency.exponent is None or currency.exponent > 2:
            continue
        stripes = 0 if currency.code in ZERO_DECIMAL and currency.code not in AS_TWO_DECIMAL else 2
        known_at_stripe = currency.code in ZERO_DECIMAL or currency.exponent == 2 or currency.code == "ISK"
        if known_at_stripe:
            assert 10**currency.exponent * theirs == 10**stripes * ours, currency.code


@pytest.mark.parametrize("token", ["pm_1MqLiJLkdIwHu7ixUEgbFdYF", "pm_card_visa"])
def test_a_token_may_be_one(token):
    assert StripeGateway("sk_test_1").refusal(token) is None


@pytest.mark.parametrize(
    "token", ["", "pm_", "tok_ok", "pm_a/../b", "pm_ä", "pm_a\n", "4242424242424242", "PM_1", "pm_1 "]
)
def test_a_token_that_is_none_is_not_repeated(token):
    words = StripeGateway("sk_test_1").refusal(token)

    assert words
    assert len(token) < 5 or token not in words


def signed(body, secret, at):
    return WebhookSignature.generate_signature_header(body, secret, timestamp=int(at.timestamp()))


NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0, -AGE_MAX_SECONDS, AGE_MAX_SECONDS])
def test_the_age_is_measured_by_our_clock(seconds):
    verify(b"{}", signed("{}", "old", NOW + timedelta(seconds=seconds)), ["new", "old"], now=NOW)


@pytest.mark.parametrize("seconds", [-AGE_MAX_SECONDS - 1, AGE_MAX_SECONDS + 1])
def test_too_old_or_too_new(seconds):
    with pytest.raises(BadSignature):
        verify(b"{}", signed("{}", "new", NOW + timedelta(seconds=seconds)), ["new", "old"], now=NOW)


@pytest.mark.parametrize("secrets", [[], ["another"]])
def test_without_our_secret_nothing_is_taken(secrets):
    with pytest.raises(BadSignature):
        verify(b"{}", signed("{}", "new", NOW), secrets, now=NOW)


def test_a_later_time_in_the_header_does_not_count():
    old = signed("{}", "new", NOW - timedelta(days=1))

    with pytest.raises(BadSignature):
        verify(b"{}", f"{old},t={int(NOW.timestamp())}", ["new"], now=NOW)


@pytest.mark.parametrize(
    ("about", "reference", "key"),
    [
        ({"object": "payment_intent", "id": "pi_1", "metadata": {"payment_id": str(KEY)}}, "pi_1", KEY),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "metadata": {}}, "pi_1", None),
        (
            {"object": "refund", "id": "re_1", "payment_intent": "pi_1", "metadata": {"payment_id": str(KEY)}},
            "pi_1",
            KEY,
        ),
        ({"object": "dispute", "id": "dp_1", "payment_intent": "pi_1"}, "pi_1", None),
        ({"object": "charge", "id": "ch_1", "payment_intent": None}, None, None),
        ({"object": "payout", "id": "po_1"}, None, None),
    ],
)
def test_an_event_says_which_intent_it_is_about(about, reference, key):
    event = event_in(json.dumps({"id": "evt_1", "type": "x.y", "data": {"object": about}}).encode())

    assert (event.id, event.type, event.reference, event.key) == ("evt_1", "x.y", reference, key)
