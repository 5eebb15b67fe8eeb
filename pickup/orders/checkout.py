"""Placing an order: the one action that spans two transactions, because a payment gateway is asked between them.

    open_order    the claim on the idempotency key, the order and the payment's intention, in one commit
    ask_gateway   while nothing is locked
    settle_order  the gateway's answer: placed, with the event in the outbox, or cancelled

Whoever dies in between leaves an order in `awaiting_payment` and a payment in `pending`: a repetition of the request
goes on with it, and so does the sweeper (`sweeping.py`).
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from pickup.core import idempotency
from pickup.core.db import db, table_of
from pickup.core.types import Actor, Money, new_id
from pickup.orders import queries
from pickup.orders.basket import Item
from pickup.orders.errors import PriceChanged
from pickup.orders.lifecycle import INITIAL
from pickup.orders.models import Order, OrderHistory, OrderLine
from pickup.orders.pickup_code import new_code
from pickup.orders.presenting import present_quote
from pickup.orders.quoting import Pickup, Quote, quote
from pickup.orders.transitions import advance
from pickup.payments import service as payments
from pickup.payments.gateway import Outcome
from pickup.payments.models import Payment

GATEWAY = Actor("gateway")
PAGE_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a name and ways to reach them."""

    name: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a shop asks for."""

    customer: Person
    locale: str
    collector: Person | None
    items: Sequence[Item]
    pickup: Pickup
    payment_method: str
    payment_token: str
    expected_total: Money | None


def open_order(wanted: NewOrder, attempt: idempotency.Attempt, actor: Actor, *, now: datetime) -> Payment:
    """Write the order and the intention to ask for the money, which is returned.

    Raises:
        InvalidFields, OutOfStock, PriceChanged: the order cannot be; nothing is written.
        RequestInProgress: another request with this key was faster.
    """
    payments.check_method(wanted.payment_method, wanted.payment_token)
    offer = quote(wanted.items, wanted.pickup, now=now)
    if wanted.expected_total is not None and wanted.expected_total != offer.total:
        raise PriceChanged("The basket has another total now; nothing was ordered.", quote=present_quote(offer))
    order_id = new_id()
    if not idempotency.claim(attempt, order_id, now=now):
        raise idempotency.RequestInProgress("Wait a moment and repeat the request.", retry_after_seconds=1)
    _insert_order(order_id, attempt.client_id, wanted, offer, actor, now)
    return payments.open_payment(order_id, wanted.payment_method, wanted.payment_token, offer.total, now=now)


def ask_gateway(payment: Payment) -> Outcome | None:
    """Ask the gateway to hold the money. Outside of any transaction: nothing is locked meanwhile.

    Returns:
        The outcome, or None where there is none to put into effect: it is known already, or nobody can tell yet and
        the sweeper is going to ask again.
    """
    return payments.authorise(payment) if payment.status == "pending" else None


def settle_order(order_id: uuid.UUID, outcome: Outcome | None, *, now: datetime) -> None:
    """Put the gateway's answer into effect, once."""
    if outcome is None:
        return
    order = queries.lock_order(order_id)
    if not payments.record_outcome(order_id, outcome, now=now) or order.status != INITIAL:
        return
    if outcome.status == "authorised":
        advance([order], "pay", actor=GATEWAY, now=now)
    elif outcome.status == "declined":
        advance([order], "cancel", actor=GATEWAY, now=now, reason="payment_failed", note=outcome.detail or None)


def _insert_order(
    order_id: uuid.UUID, client_id: int, wanted: NewOrder, offer: Quote, actor: Actor, now: datetime
) -> None:
    near, collector = wanted.pickup.near, wanted.collector
    db.session.execute(
        insert(table_of(Order)).values(
            id=order_id,
            client_id=client_id,
            status=INITIAL,
            customer_name=wanted.customer.name,
            customer_email=wanted.customer.email,
            customer_phone=wanted.customer.phone or "",
            locale=wanted.locale,
            collector_name=collector.name if collector else None,
            collector_email=collector.email if collector else None,
            collector_phone=collector.phone if collector else None,
            store_id=offer.store.id,
            origin_lat=near.lat if near else None,
            origin_lon=near.lon if near else None,
            distance_m=offer.distance_m,
            candidates=offer.candidates,
            total_amount=offer.total.amount,
            currency=offer.total.currency,
            pickup_code=new_code(),
            page_token=secrets.token_urlsafe(PAGE_TOKEN_BYTES),
            ready_by=offer.ready_by,
            hold_until=offer.hold_until,
            placed_at=now,
            changed_at=now,
        )
    )
    db.session.execute(
        insert(table_of(OrderLine)),
        [
            {
                "order_id": order_id,
                "position": position,
                "product_id": line.product.id,
                "quantity": line.quantity,
                "unit_amount": line.unit_price.amount,
                "price_version": line.price_version,
            }
            for position, line in enumerate(offer.lines)
        ],
    )
    db.session.execute(
        insert(table_of(OrderHistory)).values(
            order_id=order_id,
            at=now,
            action="place",
            from_status=None,
            to_status=INITIAL,
            actor_kind=actor.kind,
            actor_name=actor.name,
        )
    )
