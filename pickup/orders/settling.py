"""What becomes of the money once an order is over: taken for what was handed over, given back for all else.

One handler, whatever has happened: it looks what is due by now and what the payment holds, and asks the gateway for the
one next step (`payments/settlement.py`). Where another step follows, it gives itself another task.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from structlog.contextvars import bound_contextvars

from pickup.core.outbox import Task
from pickup.orders import queries
from pickup.orders.lifecycle import TRANSITIONS
from pickup.orders.queries import Standing
from pickup.payments import queries as payment_queries
from pickup.payments import recording
from pickup.payments import service as payments
from pickup.payments.gateway import ChargeView, GatewayRefused
from pickup.payments.models import Payment, PaymentRefund
from pickup.payments.settlement import Step, next_step, shortfall

# By the lifecycle's table: in which end the goods are paid for, and in which nothing is due.
PAID_FOR = frozenset(row.target for row in TRANSITIONS.values() if row.money == "capture")
NOT_DUE = frozenset(row.target for row in TRANSITIONS.values() if row.money == "void_or_refund")
# A gateway that refuses is asked again a few times, some seconds apart; then a manager sees it.
TRIES_MAX = 5
NOT_PAID = "not_paid"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to ask the gateway for."""

    payment: Payment
    step: Step
    refund: PaymentRefund | None
    tries_before: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it: the gateway's view, or its last refusal."""

    settlement: Settlement
    answer: ChargeView | GatewayRefused


def due_of(standing: Standing, *, is_lapsing: bool = False) -> int | None:
    """Minor units that the customer has to pay; None while nobody knows.

    Args:
        is_lapsing: the hold does not last any longer, so what an open order costs is taken early.
    """
    if standing.status in PAID_FOR:
        return standing.total - standing.returned
    if standing.status in NOT_DUE:
        return 0
    return standing.total if is_lapsing else None


def _due_on(payment: Payment, standing: Standing, *, is_lapsing: bool = False) -> int | None:
    """Minor units due on one payment of an order: on all but the current one nothing."""
    if payment.is_current:
        return due_of(standing, is_lapsing=is_lapsing)
    is_being_renewed = payment.status == "pending" and due_of(standing) is None
    return None if is_being_renewed else 0


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Settlement]:
    """What to ask for; by task, without those where there is nothing to do."""
    orders = list({task.subject_id for task in tasks})
    standings, payments_by_order = queries.standings_of(orders), payment_queries.all_payments_of(orders)
    refunds = payment_queries.open_refunds_of([each.id for found in payments_by_order.values() for each in found])
    wanted = {}
    for task in tasks:
        standing, is_lapsing = standings[task.subject_id], task.event_type == "payment.lapsing"
        for payment in payments_by_order[task.subject_id]:
            due = _due_on(payment, standing, is_lapsing=is_lapsing)
            step = _next(payment, due, refunds[payment.id], now)
            if step is not None:
                wanted[task.id] = Settlement(payment, *step, tries_before=task.attempts)
                break
    return wanted


def _next(
    payment: Payment, due: int | None, open_refunds: list[PaymentRefund], now: datetime
) -> tuple[Step, PaymentRefund | None] | None:
    """The next step of a payment; a refund that was intended goes first."""
    if open_refunds:
        return Step("refund", open_refunds[0].amount), open_refunds[0]
    if due is None:
        return None
    balance = payment_queries.balance_of(payment)
    step = next_step(balance, due)
    if step is None:
        if shortfall(balance, due) and payment.problem is None:
            payments.put_before_manager(payment.id, NOT_PAID, now=now)
        return None
    return step, payments.intend_refund(payment, step.amount, now=now) if step.kind == "refund" else None


@contextmanager
def performing() -> Iterator[Callable[[Settlement], Settled]]:
    """What asks the gateway for a step."""

    def ask(settlement: Settlement) -> Settled:
        try:
            return Settled(settlement, payments.perform(settlement.payment, settlement.step, settlement.refund))
        except GatewayRefused as refusal:
            if settlement.tries_before + 1 < TRIES_MAX:
                raise
            return Settled(settlement, refusal)

    yield ask


def record(answers: Sequence[tuple[Task, Settled]], now: datetime) -> None:
    """Keep the answers; where more is to be done for an order, it is the next task."""
    went_on = set()
    for task, settled in answers:
        with bound_contextvars(request_id=task.request_id):  # each event names the request behind it
            _record(settled, now)
        if isinstance(settled.answer, ChargeView):
            went_on.add(task.subject_id)
    for order_id in _unfinished(went_on):
        payments.unsettle(order_id, now=now)


def _record(settled: Settled, now: datetime) -> None:
    payment, refund = settled.settlement.payment, settled.settlement.refund
    if isinstance(settled.answer, GatewayRefused):
        payments.put_before_manager(payment.id, f"{settled.settlement.step.kind}_refused", now=now)
        if refund is not None:
            payments.drop_refund(refund)  # the next try is another one
    elif refund is not None:
        payments.record_refund(payment, refund, settled.answer, now=now)
    else:
        recording.record(payment.id, settled.answer, now=now)


def _unfinished(order_ids: set[uuid.UUID]) -> list[uuid.UUID]:
    """Those whose money has another step to go."""
    orders = sorted(order_ids)
    standings, payments_by_order = queries.standings_of(orders), payment_queries.all_payments_of(orders)
    refunds = payment_queries.open_refunds_of([each.id for found in payments_by_order.values() for each in found])

    def has_more(payment: Payment) -> bool:
        due = _due_on(payment, standings[payment.order_id])
        if due is None:
            return False
        return bool(refunds[payment.id]) or next_step(payment_queries.balance_of(payment), due) is not None

    return [order for order in orders if any(map(has_more, payments_by_order[order]))]
