"""The money of one order as its page shows it: charges, their ledger, and what is wrong."""

from collections.abc import Sequence
from typing import NamedTuple

from pickup.core.pages import local, money
from pickup.management import orders_queries as queries
from pickup.orders import money_problems
from pickup.orders.models import Order
from pickup.payments.models import Payment
from pickup.staff.money_cards import WHAT_HAPPENED

PATTERN = "d MMM yyyy, HH:mm:ss"
ENTRY_WORDS = {
    "authorisation": "Held",
    "capture": "Taken",
    "void": "Let go",
    "refund": "Given back",
    "write_off": "Settled otherwise",
}


class PaymentRow(NamedTuple):
    """A charge, and how far the gateway got."""

    id: str
    reference: str
    method: str
    status: str
    asked: str
    held: str
    taken: str
    let_go: str
    given_back: str
    written_off: str
    detail: str
    is_current: bool


class MoneyRow(NamedTuple):
    """A movement of money, or one that was to be."""

    at: str
    what: str
    amount: str
    note: str
    is_open: bool = False


def present_problem(order: Order, paid: Sequence[Payment]) -> str:
    """Why the money needs a person, and how much it is about."""
    current = next((payment for payment in paid if payment.is_current), None)
    found = money_problems.problem_of(order, current) if current else None
    return f"{WHAT_HAPPENED[found.kind]} It is about {money(found.amount, order.currency)}." if found else ""


def present_payment(payment: Payment) -> PaymentRow:
    """A charge in words."""
    authorised, captured, voided, refunded, written_off = (
        money(amount or 0, payment.currency)
        for amount in (payment.authorised, payment.captured, payment.voided, payment.refunded, payment.written_off)
    )
    return PaymentRow(
        id=str(payment.id),
        reference=payment.gateway_reference or "",
        method=payment.method,
        status=payment.status.replace("_", " "),
        asked=money(payment.amount, payment.currency),
        held=authorised,
        taken=captured,
        let_go=voided,
        given_back=refunded,
        written_off=written_off,
        detail=payment.detail or "",
        is_current=payment.is_current,
    )


def present_ledger(paid: Sequence[Payment], zone: str) -> list[MoneyRow]:
    """What the gateways confirmed, and what is still to be given back."""
    currencies = {payment.id: payment.currency for payment in paid}
    rows = [
        MoneyRow(
            local(entry.at, zone, PATTERN),
            ENTRY_WORDS[entry.kind],
            money(entry.amount, currencies[entry.payment_id]),
            entry.note or "",
        )
        for entry in queries.entries_of(paid)
    ]
    return rows + [
        MoneyRow(
            local(refund.created_at, zone, PATTERN),
            "To be given back",
            money(refund.amount, currencies[refund.payment_id]),
            "the gateway has not confirmed it",
            is_open=True,
        )
        for refund in queries.refunds_of(paid)
        if refund.done_at is None
    ]
