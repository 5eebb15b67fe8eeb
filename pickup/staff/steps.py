"""A step with an order of one's own store: locked, and refused in a way that tells which order it was."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pickup.core.languages import later
from pickup.orders import queries
from pickup.orders import service as orders
from pickup.orders.errors import ActionNotAllowed, OrderNotFound
from pickup.orders.models import Order
from pickup.staff.errors import MovedOn
from pickup.staff.people import Associate


@contextmanager
def own_order_locked(member: Associate, order_id: uuid.UUID) -> Iterator[Order]:
    """The order, locked until the end of the transaction.

    Raises:
        OrderNotFound: this person's store has no such order.
        MovedOn: it is not in the state for the step that was tried.
    """
    try:
        yield orders.order_at_store(order_id, member.store_id)
    except ActionNotAllowed as refusal:
        raise MovedOn(refusal.detail, order_id=order_id) from refusal


def lock_with_lines(member: Associate, order_id: uuid.UUID) -> Order:
    """The order with its lines, locked until the end of the transaction.

    Raises:
        OrderNotFound: this person's store has no such order.
    """
    found = queries.lock_orders([order_id], with_lines=True)
    if not found or found[0].store_id != member.store_id:
        raise OrderNotFound(later("This store has no such order."))
    return found[0]
