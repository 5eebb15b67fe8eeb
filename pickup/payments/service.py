"""Payments: the intention before the gateway is asked, the outcome after it, never a call inside a transaction."""

import uuid
from datetime import datetime

from sqlalchemy import Uuid, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.types import Money, new_id
from pickup.payments import queries
from pickup.payments.gateway import Charge, ChargeView, Gateway, GatewayEvent, GatewayUnreachable
from pickup.payments.models import Payment, PaymentEntry, PaymentRefund, ReceivedEvent
from pickup.payments.recording import record
from pickup.payments.sandbox import SandboxGateway
from pickup.payments.settlement import Step

# The gateway may have more to say of such a payment than we know.
OPEN = frozenset({"pending", "requires_action"})
# By the name of the method; `init_app` adds those that there are keys for.
GATEWAYS: dict[str, Gateway] = {"sandbox": SandboxGateway()}
# What new orders may be paid with.
OFFERED: set[str] = set(GATEWAYS)


def init_app(settings: Settings) -> None:
    """Set up the gateways. One that is not offered any more still takes care of the orders it has."""
    if settings.stripe_secret_key:
        # Only where it is wanted: with its HTTP client the package takes as long to load as Flask.
        from pickup.payments.stripe_gateway import StripeGateway

        GATEWAYS["stripe"] = StripeGateway(
            settings.stripe_secret_key,
            webhook_secrets=settings.stripe_webhook_secrets,
            timeout_seconds=settings.gateway_timeout_seconds,
            api_base=settings.stripe_api_base,
        )
    OFFERED.clear()
    OFFERED.update(GATEWAYS.keys() & set(settings.payment_methods))


def gateway_of(payment: Payment) -> Gateway:
    """The gateway that a payment is made at.

    Raises:
        GatewayUnreachable: it is not set up any more.
    """
    gateway = GATEWAYS.get(payment.method)
    if gateway is None:
        raise GatewayUnreachable(f"no gateway {payment.method!r} is set up")
    return gateway


def check_method(method: str, token: str) -> None:
    """See that a payment can be tried at all.

    Raises:
        InvalidFields: an unknown method, or a token that its gateway cannot know.
    """
    if method not in OFFERED:
        raise InvalidFields.at("/payment/method", f"must be one of {', '.join(sorted(OFFERED))}")
    refusal = GATEWAYS[method].refusal(token)
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


def hear(gateway: str, event: GatewayEvent, body: str, *, now: datetime) -> None:
    """Keep a gateway's message, and have a worker ask what is true. It is kept once; a foreign one is only kept.

    Args:
        gateway: the method.
        body: as it came.
    """
    payment = _payment_at(gateway, event)
    entry = insert(ReceivedEvent).values(
        id=new_id(),
        gateway=gateway,
        event_id=event.id,
        type=event.type,
        body=body,
        payment_id=payment.id if payment else None,
        received_at=now,
    )
    is_new = db.session.execute(entry.on_conflict_do_nothing().returning(ReceivedEvent.id)).one_or_none()
    if is_new is None or payment is None:
        return
    if not payment.gateway_reference:
        payment.gateway_reference = event.reference  # the answer with it was lost, or is still on its way
    outbox.emit("payment.heard_of", {payment.order_id: {"payment_id": str(payment.id)}}, at=now)


def _payment_at(gateway: str, event: GatewayEvent) -> Payment | None:
    """The payment that a message is about, by our key or else by the gateway's own name for it."""
    if event.key is not None:
        named = Payment.id == event.key
    elif event.reference:
        # The sandbox sends none: its many payments are not in the index of names.
        named = and_(Payment.gateway_reference == event.reference, Payment.method != "sandbox")
    else:
        return None
    chosen = select(Payment).where(named, Payment.method == gateway)
    return db.session.scalars(chosen.execution_options(populate_existing=True)).one_or_none()


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
