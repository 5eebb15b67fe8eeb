"""What the clock does to orders: the rows that somebody who died, or never came, left behind."""

from datetime import datetime, timedelta
from functools import partial

from flask import current_app

from pickup.config import Settings
from pickup.core import idempotency
from pickup.core.db import db, in_transaction
from pickup.core.logging import log
from pickup.core.types import SYSTEM
from pickup.orders import checkout, confirming
from pickup.orders.due import work_off
from pickup.orders.models import Order
from pickup.orders.transitions import advance
from pickup.payments import declines
from pickup.payments import queries as payment_queries

# Younger than this, a pending payment is in the hands of the request that opened it.
IN_FLIGHT = timedelta(seconds=30)
AT_ONCE = 200


def resolve_pending_payments(now: datetime) -> int:
    """Go on with payments whose outcome nobody knows: asked with the same key, the gateway charges nothing twice."""
    pending = payment_queries.pending_since(now - IN_FLIGHT, limit=AT_ONCE)
    db.session.commit()
    for payment in pending:
        try:
            view = checkout.ask_gateway(payment)
            in_transaction(partial(confirming.take_view, payment, view, now=now))
        except Exception as error:  # whatever is wrong with one must not hold up those behind it
            db.session.rollback()
            log.error("payment_not_resolved", order_id=str(payment.order_id), exc_info=error)
    return len(pending)


def end_offers(now: datetime) -> int:
    """Cancel orders whose customers did not choose in time what they want instead."""
    note = "nothing was chosen in time"
    cancel = partial(advance, action="cancel", actor=SYSTEM, now=now, reason="out_of_stock", note=note)
    return work_off(cancel, Order.offer_until < now, by=Order.offer_until)


def cancel_unpaid_orders(now: datetime) -> int:
    """Cancel orders whose payment was not completed in time."""
    settings: Settings = current_app.extensions["settings"]
    limit = now - timedelta(minutes=settings.payment_timeout_minutes)
    cancel = partial(advance, action="cancel", actor=SYSTEM, now=now, reason="payment_failed", note="not paid in time")
    return work_off(cancel, Order.status == "awaiting_payment", Order.placed_at < limit, by=Order.placed_at)


def expire_holds(now: datetime) -> int:
    """Take back goods that nobody collected in time."""
    expire = partial(advance, action="expire", actor=SYSTEM, now=now)
    return work_off(expire, Order.status == "ready", Order.hold_until < now, by=Order.hold_until)


def forget_idempotency_keys(now: datetime) -> int:
    """Drop keys that nobody will repeat any more."""
    settings: Settings = current_app.extensions["settings"]
    limit = now - timedelta(hours=settings.idempotency_keep_hours)
    return in_transaction(lambda: idempotency.forget_older_than(limit))


def forget_declines(now: datetime) -> int:
    """Drop declined payments that count no more."""
    return in_transaction(lambda: declines.forget_older_than(now - declines.WINDOW))
