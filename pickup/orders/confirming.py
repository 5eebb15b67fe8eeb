"""What a gateway says later: of an answer that got lost, after a customer confirmed at their bank, by a message.

A message is only a hint. Whatever brought it up, the gateway is asked, and its view is put into effect.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from structlog.contextvars import bound_contextvars

from pickup.core.outbox import Task
from pickup.orders import checkout, lapsing, queries
from pickup.payments import queries as payment_queries
from pickup.payments import service as payments
from pickup.payments.gateway import ChargeView
from pickup.payments.models import Payment


def take_view(payment: Payment, view: ChargeView | None, *, now: datetime) -> bool:
    """Put a gateway's view of a payment into effect, under the lock of its order; False if it is no news."""
    if view is None:
        return False
    order = queries.lock_order(payment.order_id)
    current = payment_queries.payment_of(order.id)
    if current.id == payment.id:
        return checkout.settle_order(checkout.OpenedOrder(order, payment), view, now=now)
    return lapsing.settle_renewal(order, current, payment, view, now=now)


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Payment]:
    """The payments that a message was about."""
    found = payment_queries.payments_by_id([UUID(task.data["payment_id"]) for task in tasks])
    return {task.id: found[UUID(task.data["payment_id"])] for task in tasks}


@contextmanager
def performing() -> Iterator[Callable[[Payment], tuple[Payment, ChargeView | None]]]:
    """What asks the gateway for its view.

    Raises:
        GatewayUnreachable: it says nothing now.
    """
    yield lambda payment: (payment, payments.gateway_of(payment).view(payments.charge_of(payment)))


def record(answers: Sequence[tuple[Task, tuple[Payment, ChargeView | None]]], now: datetime) -> None:
    """Put what it said into effect."""
    for task, (payment, view) in sorted(answers, key=lambda each: each[0].subject_id):
        with bound_contextvars(request_id=task.request_id):
            take_view(payment, view, now=now)
