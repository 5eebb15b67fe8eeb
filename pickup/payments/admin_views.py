"""HTTP of payments, for management: what was held, taken and given back, and the ledger behind it."""

import uuid
from typing import Any

from pickup.core.api import Blueprint, refuses, requires
from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.pagination import decode_cursor, page
from pickup.core.types import Money
from pickup.payments import queries
from pickup.payments.errors import PaymentNotFound
from pickup.payments.models import Payment
from pickup.payments.schemas import (
    PaymentRecordPageSchema,
    PaymentsQuery,
    PaymentTotalsSchema,
    PaymentWithEntriesSchema,
    SpanQuery,
)

blueprint = Blueprint(
    "payments",
    __name__,
    url_prefix="/v1/payments",
    description="The money of the orders: what was held, taken and given back, and the ledger behind it.",
    path_parameters={
        "payment_id": {
            "description": "the `id` of the payment",
            "schema": {"type": "string"},
            "example": "019cadf0-5c7c-7a11-9c0d-6b5a4f3e2d1c",
        }
    },
)
AMOUNTS = [column.key for column in queries.SUMMED]


@blueprint.get("")
@requires("admin")
@blueprint.arguments(PaymentsQuery, location="query")
@blueprint.response(200, PaymentRecordPageSchema)
def list_payments(query: dict[str, Any]) -> dict[str, Any]:
    """List payments, oldest first.

    An order has one, or several where a hold was renewed. New ones come at the end, so whoever reads page after page
    gets each of them once.
    """
    filters = {name: query[name] for name in ("since", "until", "status", "problem", "order_id")}
    payments = queries.payments_after(_position(query["after"]), **filters, limit=query["limit"] + 1)
    shown = page(payments, query["limit"], lambda payment: (str(payment.id),))
    return {**shown, "data": [_present(payment) for payment in shown["data"]]}


@blueprint.get("/totals")
@requires("admin")
@blueprint.arguments(SpanQuery, location="query")
@blueprint.response(200, PaymentTotalsSchema)
def show_payment_totals(query: dict[str, Any]) -> dict[str, Any]:
    """Add payments up.

    By currency and method, of all payments that were opened in a span of time, or of all there are. The amounts are
    those of now: what was opened yesterday and is taken today counts as taken, yesterday.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in queries.payment_totals(query["since"], query["until"]):
        total = found.setdefault(
            (row.currency, row.method), {"payments": 0, "by_status": {}} | dict.fromkeys(AMOUNTS, 0)
        )
        total["by_status"][row.status] = row.payments
        for name in ("payments", *AMOUNTS):
            total[name] += getattr(row, name)
    return {
        "data": [
            {"currency": currency, "method": method}
            | {name: Money(each, currency) if name in AMOUNTS else each for name, each in total.items()}
            for (currency, method), total in found.items()
        ]
    }


@blueprint.get("/<payment_id>")
@requires("admin")
@refuses(PaymentNotFound)
@blueprint.response(200, PaymentWithEntriesSchema)
def show_payment(payment_id: str) -> dict[str, Any]:
    """Show a payment and its ledger.

    Each entry is a movement of money, as the gateway confirmed it. Entries are added and never changed; the amounts of
    the payment are their sums.
    """
    try:
        payment = db.session.get(Payment, uuid.UUID(payment_id), populate_existing=True)
    except ValueError:
        payment = None
    if payment is None:
        raise PaymentNotFound("There is no payment of this id.")
    entries = [
        {"kind": entry.kind, "amount": Money(entry.amount, payment.currency), "at": entry.at, "note": entry.note}
        for entry in queries.entries_of(payment.id)
    ]
    return {**_present(payment), "entries": entries}


def _present(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "method": payment.method,
        "status": payment.status,
        "reference": payment.gateway_reference,
        **{name: Money(getattr(payment, name), payment.currency) for name in AMOUNTS},
        "capture_before": payment.capture_before,
        "problem": payment.problem,
        "created_at": payment.created_at,
    }


def _position(after: str | None) -> uuid.UUID | None:
    position = decode_cursor(after, str)
    try:
        return uuid.UUID(position[0]) if position else None
    except ValueError:
        raise InvalidFields.at("/after", "is not a cursor of this list") from None
