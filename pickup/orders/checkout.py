"""Placing an order: the one action that spans two transactions, because a payment gateway is asked between them.

    open_order    the claim on the idempotency key, the order and the payment's intention: one statement, one commit
    ask_gateway   while nothing is locked
    settle_order  the gateway's answer: placed, with the event in the outbox, or cancelled

Whoever dies in between leaves an order in `awaiting_payment` and a payment in `pending`: a repetition of the request
goes on with it, and so does the sweeper (`sweeping.py`).
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Text, Uuid, bindparam, text
from sqlalchemy.orm.attributes import set_committed_value

from pickup.core import idempotency
from pickup.core.db import run
from pickup.core.types import Actor, Money, new_id
from pickup.orders import collectors, holding, queries
from pickup.orders.basket import Item, PricedLine
from pickup.orders.errors import PriceChanged
from pickup.orders.finding import Pickup
from pickup.orders.lifecycle import FINAL, INITIAL, IfShort
from pickup.orders.models import Order, OrderLine
from pickup.orders.pickup_code import new_code
from pickup.orders.presenting import present_quote
from pickup.orders.quoting import Quote, quote
from pickup.orders.transitions import advance
from pickup.payments import declines, recording
from pickup.payments import queries as payment_queries
from pickup.payments import service as payments
from pickup.payments.declines import Payer
from pickup.payments.gateway import ChargeView
from pickup.payments.models import Payment

GATEWAY = Actor("gateway")
PAGE_TOKEN_BYTES = 24
HOLD_LAPSED = "hold_lapsed"

# What an order is made with; everything else begins as its column says.
_COLUMNS = (
    "id",
    "client_id",
    "status",
    "customer_name",
    "customer_email",
    "customer_phone",
    "locale",
    "collector_name",
    "collector_email",
    "collector_phone",
    "collector_code",
    "collector_token",
    "collector_named_at",
    "collector_named_by",
    "store_id",
    "origin_lat",
    "origin_lon",
    "distance_m",
    "candidates",
    "routing_policy",
    "sourcing",
    "capacity_hour",
    "if_short",
    "total_amount",
    "currency",
    "pickup_code",
    "page_token",
    "ready_by",
    "hold_until",
    "placed_at",
    "changed_at",
)
_PLACE = text(f"""
    WITH claimed AS ({idempotency.CLAIM}), placed AS (
        INSERT INTO orders ({", ".join(_COLUMNS)}) SELECT {", ".join(f":{name}" for name in _COLUMNS)}
        FROM claimed CROSS JOIN ({declines.ALLOWED}) AS allowed
        RETURNING id, number, status, total_amount, currency
    ), listed AS (
        INSERT INTO order_lines (order_id, position, product_id, quantity, unit_amount, price_version)
        SELECT placed.id, line.position - 1, line.product_id, line.quantity, line.unit_amount, line.price_version
        FROM placed CROSS JOIN unnest(:products, :quantities, :amounts, :versions)
            WITH ORDINALITY AS line (product_id, quantity, unit_amount, price_version, position)
    ), noted AS (
        INSERT INTO order_history (order_id, at, action, to_status, actor_kind, actor_name)
        SELECT id, :now, 'place', status, :actor_kind, :actor_name FROM placed
    ), intended AS ({payments.INTENTION})
    SELECT number FROM placed
""").bindparams(  # noqa: S608  put together from constants
    *idempotency.CLAIM_PARAMETERS,
    *payments.INTENTION_PARAMETERS,
    *declines.ALLOWED_PARAMETERS,
    *(bindparam(name, type_=Order.__table__.c[name].type) for name in _COLUMNS),
    *(bindparam(name, type_=ARRAY(Integer())) for name in ("products", "quantities")),
    *(bindparam(name, type_=ARRAY(BigInteger())) for name in ("amounts", "versions")),
    bindparam("now", type_=DateTime(timezone=True)),
    *(bindparam(name, type_=Text()) for name in ("actor_kind", "actor_name", "method", "token")),
)


# The status is read under the order's lock; nobody else ever locks both an order and its payment.
_LOCKED = "WITH locked AS (SELECT status FROM orders WHERE id = :order_id FOR UPDATE),"
_NEWS = """
    SELECT locked.status, changed.currency, changed.captured, changed.refunded FROM locked LEFT JOIN changed ON true
"""
_SETTLE = text(_LOCKED + recording.RECORDING + _NEWS).bindparams(
    *recording.RECORDING_PARAMETERS, bindparam("order_id", type_=Uuid())
)


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
    if_short: IfShort | None = None


@dataclass(frozen=True, slots=True)
class OpenedOrder:
    """An order that has just been written, as it was written: nothing has to be read again to answer."""

    order: Order
    payment: Payment


def open_order(
    wanted: NewOrder, payer: Payer, attempt: idempotency.Attempt, actor: Actor, *, now: datetime
) -> OpenedOrder:
    """Write the order and the intention to ask for the money.

    Raises:
        InvalidFields, OutOfStock, PriceChanged: the order cannot be; nothing is written.
        TooManyDeclines: this customer had too many payments declined.
        RequestInProgress: another request with this key was faster.
    """
    payments.check_method(wanted.payment_method, wanted.payment_token)
    offer = quote(wanted.items, wanted.pickup, now=now)
    if wanted.expected_total is not None and wanted.expected_total != offer.total:
        raise PriceChanged("The basket has another total now; nothing was ordered.", quote=present_quote(offer))
    payments.check_amount(wanted.payment_method, offer.total)
    order_id = new_id()
    payment = payments.intend(order_id, wanted.payment_method, wanted.payment_token, offer.total, now=now)
    columns = _columns(order_id, attempt.client_id, wanted, offer, now)
    number = run(
        _PLACE,
        {
            **idempotency.claim(attempt, order_id, now=now),
            **columns,
            **_line_arrays(offer.lines),
            **declines.allowed(payer, now=now),
            "payment_id": payment.id,
            "method": payment.method,
            "token": payment.token,
            "actor_kind": actor.kind,
            "actor_name": actor.name,
        },
    ).scalar_one_or_none()
    if number is None:
        declines.check(payer, now=now)
        raise idempotency.RequestInProgress("Wait a moment and repeat the request.", retry_after_seconds=1)
    return OpenedOrder(_as_written(columns | {"number": number}, offer), payment)


def reopen(order_id: uuid.UUID) -> OpenedOrder:
    """An order that was written before, read again."""
    return OpenedOrder(queries.get_order(order_id), payment_queries.payment_of(order_id))


def ask_gateway(payment: Payment) -> ChargeView | None:
    """Ask the gateway to hold the money. Outside of any transaction: nothing is locked meanwhile.

    Returns:
        Its view, or None where there is none to put into effect: it is known already, or nobody can tell yet and the
        sweeper is going to ask again.
    """
    return payments.authorise(payment) if payment.status == "pending" else None


def settle_order(opened: OpenedOrder, view: ChargeView | None, *, now: datetime) -> bool:
    """Put the gateway's word into effect, once; False where it is no news, or there is none."""
    if view is None:
        return False
    order, payment = opened.order, opened.payment
    settled = run(_SETTLE, recording.recording(payment.id, view, now=now) | {"order_id": order.id}).one()
    set_committed_value(order, "status", settled.status)
    if settled.captured is None:
        return False
    recording.tell(order.id, settled.currency, captured=settled.captured, refunded=settled.refunded, now=now)
    for name, value in recording.shown_of(view).items():
        set_committed_value(payment, name, value)
    _follow(order, payment, now)
    return True


def _follow(order: Order, payment: Payment, now: datetime) -> None:
    """What news of its payment mean to an order."""
    if order.status == INITIAL and payment.status in ("authorised", "captured"):
        advance([order], "pay", actor=GATEWAY, now=now)
    elif order.status == INITIAL and payment.status in ("declined", "voided"):
        advance([order], "cancel", actor=GATEWAY, now=now, reason="payment_failed", note=payment.detail)
    elif order.status == INITIAL:
        holding.ask_to_hold(order.id, now=now)
    elif order.status in FINAL:
        payments.unsettle(order.id, now=now)  # it came too late, or was not ours: what is due is due
    elif payment.status == "voided":
        payments.put_before_manager(payment.id, HOLD_LAPSED, now=now)


def _columns(order_id: uuid.UUID, client_id: int, wanted: NewOrder, offer: Quote, now: datetime) -> dict[str, Any]:
    near, collector = wanted.pickup.near, wanted.collector
    return {
        "id": order_id,
        "client_id": client_id,
        "status": INITIAL,
        "customer_name": wanted.customer.name,
        "customer_email": wanted.customer.email,
        "customer_phone": wanted.customer.phone or "",
        "locale": wanted.locale,
        **collectors.new_columns(asdict(collector) if collector else None, by="shop", now=now),
        "store_id": offer.store.id,
        "origin_lat": near.lat if near else None,
        "origin_lon": near.lon if near else None,
        "distance_m": offer.distance_m,
        "candidates": offer.candidates,
        "routing_policy": offer.routing_policy,
        "sourcing": [source.as_json() for source in offer.sources] or None,
        "capacity_hour": offer.capacity_hour,
        "if_short": wanted.if_short,
        "total_amount": offer.total.amount,
        "currency": offer.total.currency,
        "pickup_code": new_code(),
        "page_token": secrets.token_urlsafe(PAGE_TOKEN_BYTES),
        "ready_by": offer.ready_by,
        "hold_until": offer.hold_until,
        "placed_at": now,
        "changed_at": now,
    }


def _line_arrays(lines: Sequence[PricedLine]) -> dict[str, list[int]]:
    return {
        "products": [line.product.id for line in lines],
        "quantities": [line.quantity for line in lines],
        "amounts": [line.unit_price.amount for line in lines],
        "versions": [line.price_version for line in lines],
    }


def _as_written(columns: dict[str, Any], offer: Quote) -> Order:
    """The row in memory, as if it had been read: with its lines, and the store as the directory knows it."""
    order = Order(**columns)
    lines = []
    for line in offer.lines:
        row = OrderLine(
            product_id=line.product.id,
            quantity=line.quantity,
            short=0,
            refused=0,
            returned=0,
            unit_amount=line.unit_price.amount,
            price_version=line.price_version,
        )
        set_committed_value(row, "product", line.product)
        lines.append(row)
    set_committed_value(order, "lines", lines)
    set_committed_value(order, "store", offer.store)
    return order
