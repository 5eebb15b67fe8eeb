"""Writing down what a gateway says: the payment as it is now, and what has moved since, in the ledger.

A gateway's word is its whole view of a charge (`gateway.py`). The difference to what was written down before becomes
the entries; amounts only grow and the status only goes on, so a word that comes late, out of order or twice is no news.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, BindParameter, DateTime, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from pickup.core import outbox
from pickup.core.db import run
from pickup.payments.gateway import ChargeView
from pickup.payments.models import PAYMENT_STATUSES, PaymentStatus

# How far a payment is; it goes on to a status of a higher rank and never back. A charge that was declined may be
# authorised later: some gateways let the customer try once more.
RANK: dict[PaymentStatus, int] = {
    "pending": 0,
    "requires_action": 1,
    "declined": 2,
    "authorised": 3,
    "captured": 4,
    "voided": 5,
    "partially_refunded": 5,
    "refunded": 6,
    "written_off": 7,
}
SOURCES: dict[PaymentStatus, list[str]] = {
    status: [lower for lower in PAYMENT_STATUSES if RANK[lower] < RANK[status]] for status in PAYMENT_STATUSES
}

RECORDING = """
    known AS (
        SELECT id, status, authorised, captured, voided, refunded FROM payments WHERE id = :payment_id FOR UPDATE
    ), changed AS (
        UPDATE payments SET
            status = CASE WHEN known.status = ANY(:sources) THEN :status ELSE known.status END,
            authorised = greatest(known.authorised, :authorised),
            captured = greatest(known.captured, :captured),
            voided = greatest(known.voided, :voided),
            refunded = greatest(known.refunded, :refunded),
            gateway_reference = :reference, capture_before = :capture_before, action = :action, detail = :detail,
            problem = NULL, problem_at = NULL
        FROM known
        WHERE payments.id = known.id AND (
            known.status = ANY(:sources) OR :authorised > known.authorised OR :captured > known.captured
            OR :voided > known.voided OR :refunded > known.refunded
        )
        RETURNING payments.id, payments.order_id, payments.status, payments.currency,
            payments.authorised - known.authorised AS authorised, payments.captured - known.captured AS captured,
            payments.voided - known.voided AS voided, payments.refunded - known.refunded AS refunded
    ), entered AS (
        INSERT INTO payment_entries (payment_id, kind, amount, at)
        SELECT changed.id, entry.kind, entry.amount, :now
        FROM changed CROSS JOIN LATERAL (VALUES
            ('authorisation', authorised), ('capture', captured), ('void', voided), ('refund', refunded)
        ) AS entry (kind, amount)
        WHERE entry.amount > 0
    )
"""
RECORDING_PARAMETERS: tuple[BindParameter[Any], ...] = (
    bindparam("payment_id", type_=Uuid()),
    bindparam("sources", type_=ARRAY(Text())),
    *(bindparam(name, type_=Text()) for name in ("status", "reference", "detail")),
    *(bindparam(name, type_=BigInteger()) for name in ("authorised", "captured", "voided", "refunded")),
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "capture_before")),
    bindparam("action", type_=JSONB(none_as_null=True)),
)
_NEWS = "SELECT order_id, currency, captured, refunded FROM changed"
_RECORD = text("WITH" + RECORDING + _NEWS).bindparams(*RECORDING_PARAMETERS)


def status_of(view: ChargeView) -> PaymentStatus:
    """What a gateway's view makes of a payment."""
    if view.refunded:
        return "refunded" if view.refunded == view.captured else "partially_refunded"
    return view.status


def recording(payment_id: uuid.UUID, view: ChargeView, *, now: datetime) -> dict[str, Any]:
    """The parameters of `RECORDING`, for a statement that goes on from it."""
    status = status_of(view)
    return {
        "payment_id": payment_id,
        "sources": SOURCES[status],
        "status": status,
        "authorised": view.authorised,
        "captured": view.captured,
        "voided": view.voided,
        "refunded": view.refunded,
        "reference": view.reference,
        "capture_before": view.capture_before,
        "action": None if view.action is None else dict(view.action),
        "detail": view.detail or None,
        "now": now,
    }


def shown_of(view: ChargeView) -> dict[str, Any]:
    """What an answer shows of a payment that this is the first news of."""
    return {"status": status_of(view), "action": view.action, "detail": view.detail or None}


def record(payment_id: uuid.UUID, view: ChargeView, *, now: datetime) -> bool:
    """Write down what the gateway says of a payment, and tell the world of money that moved; False if it is no news."""
    news = run(_RECORD, recording(payment_id, view, now=now)).one_or_none()
    if news is None:
        return False
    tell(news.order_id, news.currency, captured=news.captured, refunded=news.refunded, now=now)
    return True


def tell(order_id: uuid.UUID, currency: str, *, captured: int, refunded: int, now: datetime) -> None:
    """Tell the world of money that moved. Minor units."""
    for event, amount in (("payment.captured", captured), ("payment.refunded", refunded)):
        if amount:
            outbox.emit(event, {order_id: {"amount": amount, "currency": currency}}, at=now)
