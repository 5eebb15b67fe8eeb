"""What becomes of the money when an order has ended: taken for what was handed over, given back for all else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from structlog.contextvars import bound_contextvars

from pickup.core.outbox import Task
from pickup.orders import queries
from pickup.orders.lifecycle import TRANSITIONS, MoneyEffect
from pickup.payments import service as payments
from pickup.payments.gateway import Outcome
from pickup.payments.models import Payment, PaymentStatus

# By the lifecycle's table: the status that an order ended in, and what that means for its money.
EFFECT_OF: dict[str, MoneyEffect] = {
    row.target: row.money for row in TRANSITIONS.values() if row.money in ("capture", "void_or_refund")
}
# Payments that hold nothing, or where the last word is spoken.
NOTHING_TO_DO: dict[MoneyEffect, frozenset[PaymentStatus]] = {
    "capture": frozenset({"captured", "declined", "voided", "refunded"}),
    "void_or_refund": frozenset({"declined", "voided", "refunded"}),
}
WANTED: dict[MoneyEffect, PaymentStatus] = {"capture": "captured", "void_or_refund": "voided"}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to ask the gateway for."""

    payment: Payment
    wanted: PaymentStatus
    amount: int
    """Minor units to take, for a capture: what was handed over, which may be less than was ordered."""


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Settlement]:
    """What is to be done about the money of orders; by task, without those where it is done."""
    orders = [task.subject_id for task in tasks]
    statuses, payments_by_order = queries.statuses_and_totals_of(orders), payments.payments_of(orders)
    wanted = {}
    for task in tasks:
        status, total = statuses[task.subject_id]
        effect, payment = EFFECT_OF[status], payments_by_order[task.subject_id]
        if payment.status not in NOTHING_TO_DO[effect]:
            wanted[task.id] = Settlement(payment, WANTED[effect], total)
    return wanted


@contextmanager
def performing() -> Iterator[Callable[[Settlement], Outcome]]:
    """What asks the gateway about a settlement, and answers with the outcome."""
    yield lambda settlement: payments.settle(settlement.payment, settlement.wanted, settlement.amount)


def record(answers: Sequence[tuple[Task, Outcome]], now: datetime) -> None:
    """Keep the answers."""
    for task, outcome in answers:
        with bound_contextvars(request_id=task.request_id):  # each event names the request behind it
            payments.record_outcome(task.subject_id, outcome, now=now)
