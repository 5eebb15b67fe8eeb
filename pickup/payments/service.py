"""Payments: the intention before the gateway is asked, the outcome after it, never a call inside a transaction."""

import uuid
from datetime import datetime

from sqlalchemy import Uuid, bindparam, delete, func, update

from pickup.core import outbox
from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.types import Money, new_id
from pickup.payments import queries
from pickup.payments.gateway import Charge, ChargeView, Gateway, GatewayUnreachable
from pickup.payments.models import Payment, PaymentEntry, PaymentRefund
from pickup.payments.recording import record
from pickup.payments.sandbox import SandboxGateway
from pickup.payments.settlement import Step

# The gateway may have more to say of such a payment than we know.
OPEN = frozenset({"pending", "requires_action"})

GATEWAYS: dict[str, Gateway] = {"sandbox": SandboxGateway()}


def gateway_of(payment: Payment) -> Gateway:
    """The gateway that a payment is made at."""
    return GATEWAYS[payment.method]


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


def check_amount(method: str, total: Money) -> None:
    """See that the gateway can take this amount of this currency.

    Raises:
        InvalidFields: it cannot.
    """
    refusal = GATEWAYS[method].refusal_of_amount(total)
    if refusal:
        raise InvalidFields.at("/payment/method", refusal)


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


def authorise(payment: Payment) -> ChargeView | None:
    """Ask the gateway to hold the money. To be called outside of any transaction.

    Returns:
        Its view, or None where that is unknown: no answer came, and asking what became of it brought none either.
        Then `queries.pending_since` finds the payment later.
    """
    try:
        return gateway_of(payment).authorise(charge_of(payment))
    except GatewayUnreachable:
        return look_up(payment)


def look_up(payment: Payment) -> ChargeView | None:
    """Ask the gateway what became of a charge; None while it cannot say, or knows of none."""
    try:
        return gateway_of(payment).view(charge_of(payment))
    except GatewayUnreachable:
        return None


def perform(payment: Payment, step: Step, refund: PaymentRefund | None = None) -> ChargeView:
    """Ask the gateway for a step. To be called outside of any transaction.

    Args:
        refund: for that kind of a step, the intention of it.

    Raises:
        GatewayUnreachable: nothing is known; ask again, with the same effect.
        GatewayRefused: it will not.
    """
    gateway, charge = gateway_of(payment), charge_of(payment)
    if step.kind == "capture":
        return gateway.capture(charge, step.amount)
    if step.kind == "release":
        return gateway.release(charge)
    if refund is None:
        raise ValueError("a refund needs its intention")
    return gateway.refund(charge, refund.id, refund.amount)


def charge_of(payment: Payment) -> Charge:
    """A payment, as far as its gateway has to be told of it."""
    return Charge(
        key=payment.id,
        token=payment.token,
        money=Money(payment.amount, payment.currency),
        opened_at=payment.created_at,
        reference=payment.gateway_reference,
    )


def intend_refund(payment: Payment, amount: int, *, now: datetime) -> PaymentRefund:
    """Write down that so much is to be given back; the gateway is asked after the commit."""
    refund = PaymentRefund(id=new_id(), payment_id=payment.id, amount=amount, created_at=now)
    db.session.add(refund)
    return refund


def record_refund(payment: Payment, refund: PaymentRefund, view: ChargeView, *, now: datetime) -> None:
    """Write down that money was given back."""
    record(payment.id, view, now=now)
    db.session.execute(
        update(PaymentRefund).where(PaymentRefund.id == refund.id, PaymentRefund.done_at.is_(None)).values(done_at=now)
    )


def drop_refund(refund: PaymentRefund) -> None:
    """The gateway will not; if it is tried again, that is another refund."""
    db.session.execute(delete(PaymentRefund).where(PaymentRefund.id == refund.id))


def put_before_manager(payment_id: uuid.UUID, problem: str, *, now: datetime) -> None:
    """The money does not come by itself: from now on a person sees it."""
    db.session.execute(
        update(Payment)
        .where(Payment.id == payment_id, Payment.status != "written_off")
        .values(problem=problem, problem_at=func.coalesce(Payment.problem_at, now))
    )


def write_off(payment_id: uuid.UUID, amount: int, note: str, *, now: datetime) -> None:
    """Give up on money that is due, or note that it was paid otherwise.

    Args:
        amount: minor units; 0 where nothing is missing, and only the note counts.
        note: by whom, and why.
    """
    payment = queries.lock_payment(payment_id)
    payment.status, payment.problem, payment.problem_at = "written_off", None, None
    payment.written_off += amount
    db.session.add(PaymentEntry(payment_id=payment_id, kind="write_off", amount=amount, at=now, note=note))


def unsettle(order_id: uuid.UUID, *, now: datetime) -> None:
    """Have a worker look at an order's money once more."""
    outbox.emit("payment.unsettled", {order_id: {}}, at=now)
