"""Payments: the intention before the gateway is asked, the outcome after it, never a call inside a transaction."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, BindParameter, DateTime, Text, Uuid, any_, bindparam, select, text

from pickup.core import outbox
from pickup.core.db import db, run
from pickup.core.errors import InvalidFields
from pickup.core.types import Money, new_id
from pickup.payments.errors import GatewayUnreachable
from pickup.payments.gateway import Gateway, Outcome
from pickup.payments.models import EntryKind, Payment, PaymentStatus
from pickup.payments.sandbox import SandboxGateway

GATEWAYS: Mapping[str, Gateway] = {"sandbox": SandboxGateway()}

# From which status the gateway's word leads on. What comes late, out of order or twice changes nothing.
SOURCES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    "requires_action": frozenset({"pending"}),
    "authorised": frozenset({"pending", "requires_action"}),
    "declined": frozenset({"pending", "requires_action"}),
    "captured": frozenset({"authorised"}),
    "voided": frozenset({"pending", "requires_action", "authorised"}),
    "refunded": frozenset({"captured"}),
}
# What a status, once reached, adds to the ledger, and what it tells the world.
LEDGER: dict[PaymentStatus, EntryKind] = {
    "authorised": "authorisation",
    "declined": "decline",
    "captured": "capture",
    "voided": "void",
    "refunded": "refund",
}
EVENTS: dict[PaymentStatus, str] = {"captured": "payment.captured", "refunded": "payment.refunded"}


def check_method(method: str, token: str) -> None:
    """See that a payment can be tried at all.

    Raises:
        InvalidFields: an unknown method, or a token that its gateway cannot know.
    """
    gateway = GATEWAYS.get(method)
    if gateway is None:
        raise InvalidFields.at("/payment/method", f"must be one of {', '.join(GATEWAYS)}")
    refusal = gateway.refusal(token)
    if refusal:
        raise InvalidFields.at("/payment/token", refusal)


# Written with the order, before the gateway is asked: that the money is about to be asked for.
INTENTION = """
    INSERT INTO payments (id, order_id, method, token, status, amount, currency, created_at)
    SELECT :payment_id, id, :method, :token, 'pending', total_amount, currency, :now FROM placed
"""
INTENTION_PARAMETERS = (bindparam("payment_id", type_=Uuid()),)


def intend(order_id: uuid.UUID, method: str, token: str, total: Money, *, now: datetime) -> Payment:
    """The payment that `INTENTION` writes. Its id is the gateway's idempotency key."""
    return Payment(
        id=new_id(),
        order_id=order_id,
        method=method,
        token=token,
        status="pending",
        amount=total.amount,
        currency=total.currency,
        created_at=now,
    )


def authorise(payment: Payment) -> Outcome | None:
    """Ask the gateway to hold the money. To be called outside of any transaction.

    Returns:
        The outcome, or None where it is unknown: no answer came, and asking what became of it brought none either.
        Then `pending_since` finds the payment later.
    """
    gateway, money = GATEWAYS[payment.method], Money(payment.amount, payment.currency)
    try:
        return gateway.authorise(key=payment.id, token=payment.token, money=money)
    except GatewayUnreachable:
        return look_up(payment)


def look_up(payment: Payment) -> Outcome | None:
    """Ask the gateway what became of a charge; None while it cannot say."""
    try:
        return GATEWAYS[payment.method].find(key=payment.id)
    except GatewayUnreachable:
        return None


def settle(payment: Payment, wanted: PaymentStatus, amount: int) -> Outcome:
    """Ask the gateway to take the money (`captured`) or to give it back. To be called outside of any transaction.

    Args:
        amount: minor units to take; what was held beyond them is given back with the capture.

    Raises:
        GatewayUnreachable: nothing is known; ask again, with the same effect.
    """
    gateway = GATEWAYS[payment.method]
    if wanted == "captured":
        return replace(gateway.capture(key=payment.id, money=Money(amount, payment.currency)), amount=amount)
    return gateway.release(key=payment.id, token=payment.token, money=Money(payment.amount, payment.currency))


# Made of a gateway's word: the payment, and the entry of its ledger. A statement that knows more may go on from it.
RECORDING = """
    changed AS (
        UPDATE payments SET status = :status, gateway_reference = :reference
        WHERE order_id = :order_id AND status = ANY(:sources)
        RETURNING id, amount
    ), entered AS (
        INSERT INTO payment_entries (payment_id, kind, amount, at)
        SELECT id, :kind, coalesce(:moved, amount), :now FROM changed WHERE :kind IS NOT NULL
    )
"""
RECORDING_PARAMETERS: tuple[BindParameter[Any], ...] = (
    bindparam("order_id", type_=Uuid()),
    bindparam("sources", type_=ARRAY(Text())),
    bindparam("kind", type_=Text()),
    bindparam("moved", type_=BigInteger()),
    bindparam("now", type_=DateTime(timezone=True)),
)
_AMOUNT = "SELECT coalesce(:moved, amount) FROM changed"
_RECORD = text("WITH" + RECORDING + _AMOUNT).bindparams(*RECORDING_PARAMETERS)


def recording(order_id: uuid.UUID, outcome: Outcome, *, now: datetime) -> dict[str, Any]:
    """The parameters of `RECORDING`."""
    return {
        "order_id": order_id,
        "status": outcome.status,
        "reference": outcome.reference,
        "sources": list(SOURCES[outcome.status]),
        "kind": LEDGER.get(outcome.status),
        "moved": outcome.amount,
        "now": now,
    }


def record_outcome(order_id: uuid.UUID, outcome: Outcome, *, now: datetime) -> bool:
    """Write down what the gateway said; False where that is not news."""
    amount = run(_RECORD, recording(order_id, outcome, now=now)).scalar_one_or_none()
    if amount is None:
        return False
    if outcome.status in EVENTS:
        outbox.emit(EVENTS[outcome.status], {order_id: {"amount": amount}}, at=now)
    return True


def payment_of(order_id: uuid.UUID) -> Payment:
    """The payment of an order, fresh from the database."""
    return db.session.scalars(
        select(Payment).where(Payment.order_id == order_id).execution_options(populate_existing=True)
    ).one()


def pending_since(since: datetime, *, limit: int) -> list[Payment]:
    """Payments whose outcome has been unknown since before then: somebody died, or the gateway was silent."""
    return list(
        db.session.scalars(
            select(Payment)
            .where(Payment.status == "pending", Payment.created_at < since)
            .order_by(Payment.created_at)
            .limit(limit)
        )
    )


def payments_of(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Payment]:
    """The payments of several orders."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    return {
        payment.order_id: payment
        for payment in db.session.scalars(select(Payment).where(Payment.order_id == any_(wanted)))
    }
