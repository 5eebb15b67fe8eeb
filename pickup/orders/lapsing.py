"""Holds that end before the order does: a bank keeps money aside for some days only (`capture_before`).

By the setting `PICKUP_BEFORE_HOLD_LAPSES` the money is taken early, or held anew. A new hold is a payment of its own,
which takes the place of the old one when the bank has said yes; the old one is given back. Where the bank says no, or
wants the customer to confirm, the old hold is still there, and is taken.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from flask import current_app
from sqlalchemy import update

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.db import db, in_transaction
from pickup.core.logging import log
from pickup.core.types import new_id
from pickup.orders import queries
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order
from pickup.payments import queries as payment_queries
from pickup.payments import recording
from pickup.payments import service as payments
from pickup.payments.gateway import ChargeView
from pickup.payments.models import Payment

AT_ONCE = 200


def keep_holds(now: datetime) -> int:
    """See to the holds that are about to lapse; returns how many there were."""
    settings: Settings = current_app.extensions["settings"]
    margin = timedelta(hours=settings.hold_lapse_margin_hours)
    renews = settings.before_hold_lapses == "renew"
    renewals = in_transaction(lambda: _take_or_renew(now, now + margin, renews=renews))
    for renewal in renewals:
        view = payments.authorise(renewal)
        try:
            in_transaction(partial(_answered, renewal, view, now))
        except Exception as error:  # whatever is wrong with one must not hold up those behind it
            db.session.rollback()
            log.error("hold_not_renewed", order_id=str(renewal.order_id), exc_info=error)
    return len(renewals)


def _take_or_renew(now: datetime, before: datetime, *, renews: bool) -> Sequence[Payment]:
    """Have the money taken, or write down the intention to hold it anew; returns the latter.

    The orders are what is locked, and what another clock has in hand is left to it. Then the payments are looked for
    again: by whoever had the lock before, something may have been done about them.
    """
    found = [payment.order_id for payment in payment_queries.lapsing(before, limit=AT_ONCE)]
    locked = [order.id for order in queries.lock_free_orders(found)]
    lapsing = payment_queries.lapsing(before, order_ids=locked)
    tried = payment_queries.renewals_of([payment.id for payment in lapsing]) if renews else {}
    renewals = []
    for payment in lapsing:
        if renews and payment.id not in tried:
            renewals.append(_intend_renewal(payment, now))
        else:
            _take_early(payment, now)
    return renewals


def _intend_renewal(old: Payment, now: datetime) -> Payment:
    renewal = Payment(
        id=new_id(),
        order_id=old.order_id,
        is_current=False,
        replaces=old.id,
        method=old.method,
        token=old.token,
        status="pending",
        amount=old.amount,
        currency=old.currency,
        created_at=now,
    )
    db.session.add(renewal)
    return renewal


def _take_early(payment: Payment, now: datetime) -> None:
    outbox.emit("payment.lapsing", {payment.order_id: {}}, at=now)


def _answered(renewal: Payment, view: ChargeView | None, now: datetime) -> None:
    if view is not None:
        order = queries.lock_order(renewal.order_id)
        settle_renewal(order, payment_queries.payment_of(order.id), renewal, view, now=now)


def settle_renewal(order: Order, current: Payment, renewal: Payment, view: ChargeView, *, now: datetime) -> bool:
    """Put the gateway's word on a payment into effect that is not the order's current one; False if it is no news.

    Args:
        order: locked.
        renewal: one that is to take the place of the current payment, or one whose place has been taken.
    """
    if not recording.record(renewal.id, view, now=now):
        return False
    takes_over = renewal.replaces == current.id and view.status == "authorised" and order.status not in FINAL
    if takes_over:
        for payment, is_current in ((current, False), (renewal, True)):
            db.session.execute(update(Payment).where(Payment.id == payment.id).values(is_current=is_current))
    elif renewal.replaces == current.id and order.status not in FINAL:
        _take_early(current, now)
    payments.unsettle(order.id, now=now)  # of the two, the one that is not current any more is given back
    return True
