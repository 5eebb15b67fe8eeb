"""Money that does not come, or go back, by itself: what a manager sees of it and decides. See `settling.py`.

A handover is never undone. Either the gateway is asked once more, or a manager notes how it was settled otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from pickup.core.db import db
from pickup.core.logging import log
from pickup.core.types import Actor
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order
from pickup.orders.queries import Standing
from pickup.orders.settling import due_of
from pickup.payments import queries as payment_queries
from pickup.payments import service as payments
from pickup.payments.models import Payment


@dataclass(frozen=True, slots=True)
class MoneyProblem:
    """An order whose money needs a person."""

    order: Order
    kind: str
    """Why: `not_paid`, `hold_lapsed`, or the step that was refused."""
    amount: int
    """Minor units: missing, or, where the way back is refused, those that the customer is to get."""
    since: datetime
    can_try_again: bool
    """Whether there is something to ask the gateway for: nothing is due before the order is over."""


def at_store(store_id: int) -> Sequence[MoneyProblem]:
    """The orders of a store whose money needs a person, the oldest problem first."""
    rows = db.session.execute(
        select(Order, Payment)
        .join(Payment, Payment.order_id == Order.id)
        .where(Order.store_id == store_id, Payment.is_current, Payment.problem.is_not(None))
        .order_by(Payment.problem_at, Order.id)
        .options(joinedload(Order.store))
        .execution_options(populate_existing=True)
    )
    found = (problem_of(order, payment) for order, payment in rows)
    return [problem for problem in found if problem]


def problem_of(order: Order, payment: Payment) -> MoneyProblem | None:
    """What is wrong with the money of an order; None where nothing is, or nothing is missing any more."""
    if payment.problem is None or payment.problem_at is None:
        return None
    balance = payment_queries.balance_of(payment)
    standing = Standing(order.status, order.total_amount, order.returned_amount)
    due = due_of(standing, is_lapsing=True) or 0
    amounts = {"release_refused": balance.held, "refund_refused": balance.kept - due}
    amount = amounts.get(payment.problem, due - balance.kept - balance.written_off)
    if amount <= 0:
        return None
    return MoneyProblem(order, payment.problem, amount, payment.problem_at, can_try_again=order.status in FINAL)


def try_again(order: Order, *, actor: Actor, now: datetime) -> bool:
    """Have the gateway asked once more, as often as at first.

    Args:
        order: locked.

    Returns:
        False where there is nothing wrong any more: somebody was faster.
    """
    payment = _locked_payment(order)
    problem = problem_of(order, payment)
    if problem is None:
        return False
    payment.problem, payment.problem_at = None, None
    payments.unsettle(order.id, now=now)
    log.info("money_tried_again", order_id=str(order.id), problem=problem.kind, by=actor.name)
    return True


def settle_otherwise(order: Order, note: str, *, actor: Actor, now: datetime) -> bool:
    """Note that the money came, or went back, some other way, or is given up. What is still held is let go.

    Args:
        order: locked.
        note: how; the ledger keeps it with the name of who says it.

    Returns:
        False where there is nothing wrong any more: somebody was faster.
    """
    payment = _locked_payment(order)
    problem = problem_of(order, payment)
    if problem is None:
        return False
    # What is merely held is nobody's loss: it goes back when the hold lapses, and is none of the ledger's.
    amount = 0 if problem.kind == "release_refused" else problem.amount
    payments.write_off(payment.id, amount, f"{actor.name} ({problem.kind}): {note}", now=now)
    payments.unsettle(order.id, now=now)
    log.info("money_settled_otherwise", order_id=str(order.id), problem=problem.kind, by=actor.name)
    return True


def _locked_payment(order: Order) -> Payment:
    """The order first, then its payment: the order in which everybody locks both."""
    return payment_queries.lock_payment(payment_queries.payment_of(order.id).id)
