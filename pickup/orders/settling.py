"""What becomes of the money when an order has ended: taken for what was handed over, given back for all else."""

from dataclasses import dataclass
from datetime import datetime

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


def prepare(task: Task, now: datetime) -> Settlement | None:
    """What is to be done about the money of an order; None if it is done."""
    status, total = queries.status_and_total_of(task.subject_id)
    effect = EFFECT_OF[status]
    payment = payments.payment_of(task.subject_id)
    if payment.status in NOTHING_TO_DO[effect]:
        return None
    return Settlement(payment, WANTED[effect], total)


def perform(settlement: Settlement) -> Outcome:
    """Ask the gateway."""
    return payments.settle(settlement.payment, settlement.wanted, settlement.amount)


def record(task: Task, outcome: Outcome, now: datetime) -> None:
    """Keep the answer."""
    payments.record_outcome(task.subject_id, outcome, now=now)
