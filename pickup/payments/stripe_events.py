"""Stripe's messages (https://docs.stripe.com/webhooks): who signed them, when, and which intent they are about."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from pickup.payments.gateway import BadSignature, GatewayEvent
from pickup.payments.stripe_intents import key_of

AGE_MAX_SECONDS = 300


def verify(body: bytes, signature: str, secrets: Sequence[str], *, now: datetime) -> None:
    """See that one of our secrets has signed a message, not long ago.

    Raises:
        BadSignature: none has, or it is older than five minutes, or of a time to come.
    """
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise BadSignature("the signature is not Stripe's")
    # The package would measure the age by a clock of its own. It takes the first time of the header, and so do we.
    signed_at = next(int(part[1]) for part in _parts(signature) if part[0] == "t")
    if abs(now.timestamp() - signed_at) > AGE_MAX_SECONDS:
        raise BadSignature(f"signed more than {AGE_MAX_SECONDS} seconds ago, or by another clock")


def event_in(body: bytes) -> GatewayEvent:
    """Read a message.

    Raises:
        KeyError, TypeError, ValueError: it is no event of Stripe's.
    """
    event = json.loads(body)
    about = event["data"]["object"]
    return GatewayEvent(
        id=_word(event["id"]), type=_word(event["type"]), reference=_intent_of(about), key=key_of(about)
    )


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, signature, secret))
    except (SignatureVerificationError, TypeError, ValueError):  # also: not ASCII, not UTF-8
        return False


def _parts(signature: str) -> list[list[str]]:
    return [part.split("=") for part in signature.split(",")]


def _intent_of(about: dict[str, Any]) -> str | None:
    """Charges, refunds and disputes name their intent."""
    named = about["id"] if about.get("object") == "payment_intent" else about.get("payment_intent")
    return named if isinstance(named, str) and named else None


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a word")
    return value
