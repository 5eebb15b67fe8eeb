"""What Stripe's payment intents mean to the house. Pure: nobody is asked here.

An intent is taken as a plain dictionary with its `latest_charge` expanded, in a version of Stripe's API of 2025-03-31
or later: since then neither a capture in part nor a cancellation counts as a refund
(https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow).
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pickup.core.types import Money
from pickup.payments.gateway import ChargeStatus, ChargeView, GatewayUnreachable

# Of an intent's metadata: our payment's id, and of a refund's: that of our refund.
PAYMENT_ID = "payment_id"
REFUND_ID = "refund_id"

# So many minor units by ISO 4217 are so many of Stripe's, and no fewer can be charged. Source:
# https://docs.stripe.com/currencies, "Special cases", "Zero-decimal" and "Three-decimal currencies".
UNITS: dict[str, tuple[int, int]] = {
    "ISK": (1, 100),
    "UGX": (1, 100),
    "MGA": (100, 1),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), (10, 10)),
}

# Without `processing`: the bank has not said yet.
STATUSES: dict[str, ChargeStatus] = {
    "requires_payment_method": "declined",
    "requires_confirmation": "requires_action",
    "requires_action": "requires_action",
    "requires_capture": "authorised",
    "succeeded": "captured",
    "canceled": "voided",
}


def refusal_of_amount(money: Money) -> str | None:
    """Why Stripe cannot charge so much; None if it can."""
    least = UNITS.get(money.currency, (1, 1))[0]
    if money.amount <= 0:
        return "nothing is to be paid, and Stripe charges no zero amounts"
    if money.amount % least:
        return f"Stripe charges {money.currency} in multiples of {least} minor units"
    return None


def to_stripe(amount: int, currency: str) -> int:
    """Minor units by ISO 4217 as Stripe counts them.

    Raises:
        ValueError: it cannot count so few.
    """
    ours, theirs = UNITS.get(currency, (1, 1))
    return _exactly(amount, ours, theirs)


def from_stripe(amount: int, currency: str) -> int:
    """What Stripe counts, in minor units by ISO 4217.

    Raises:
        ValueError: a part of one, which Stripe promises not to have.
    """
    ours, theirs = UNITS.get(currency, (1, 1))
    return _exactly(amount, theirs, ours)


def _exactly(amount: int, divisor: int, factor: int) -> int:
    whole, rest = divmod(amount, divisor)
    if rest:
        raise ValueError(f"{amount} is not a multiple of {divisor}")
    return whole * factor


def view_of(intent: Mapping[str, Any]) -> ChargeView:
    """The whole view of a charge.

    Raises:
        GatewayUnreachable: the bank has not decided yet.
        KeyError, TypeError, ValueError: this is no intent.
    """
    currency = intent["currency"].upper()
    charge = intent["latest_charge"] or {}
    captured = from_stripe(intent["amount_received"] or 0, currency)
    # `paid`: it succeeded, or was authorised for a later capture; that stays so when the hold is given back.
    authorised = from_stripe(intent["amount"], currency) if charge.get("paid") else 0
    status = _status(intent, was_held=bool(authorised), was_captured=bool(captured))
    return ChargeView(
        status=status,
        reference=intent["id"],
        key=key_of(intent),
        currency=currency,
        authorised=authorised,
        captured=captured,
        voided=authorised - captured if status in ("captured", "voided") else 0,
        refunded=from_stripe(charge.get("amount_refunded") or 0, currency),
        capture_before=_capture_before(charge) if status == "authorised" else None,
        action=_action(intent) if status == "requires_action" else None,
        detail=_reason(intent["last_payment_error"] or {}) if status == "declined" else "",
    )


def key_of(thing: Mapping[str, Any]) -> uuid.UUID | None:
    """Our key, from the metadata of anything of Stripe's; None: it is not ours."""
    with suppress(ValueError, TypeError, AttributeError):
        return uuid.UUID((thing.get("metadata") or {}).get(PAYMENT_ID))
    return None


def _status(intent: Mapping[str, Any], *, was_held: bool, was_captured: bool) -> ChargeStatus:
    status = STATUSES.get(intent["status"])
    failure = intent["last_payment_error"]
    if status is None or (status == "declined" and not failure):
        raise GatewayUnreachable(f"the intent is {intent['status']}: nobody has decided yet")
    if status == "voided" and was_captured:
        return "captured"
    if status == "voided" and failure and not was_held:
        return "declined"  # and cancelled after that, so that nobody confirms it any more
    return status


def _capture_before(charge: Mapping[str, Any]) -> datetime | None:
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    until = card.get("capture_before")
    return None if until is None else datetime.fromtimestamp(until, UTC)


def _action(intent: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "client_secret", "client_secret": intent["client_secret"]}


def _reason(failure: Mapping[str, Any]) -> str:
    """One word of Stripe's, see https://docs.stripe.com/declines/codes; its sentences are for people, and may grow."""
    return str(failure.get("decline_code") or failure.get("code") or failure.get("type") or "declined")
