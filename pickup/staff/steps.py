"""A step with an order of one's own store: locked, and refused in a way that tells which order it was."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pickup.orders import service as orders
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.models import Order
from pickup.staff.errors import MovedOn
from pickup.staff.people import Associate


@contextmanager
def own_order_locked(member: Associate, order_id: uuid.UUID, *, with_lines: bool = False) -> Iterator[Order]:
    """The order, locked until the end of the transaction.

    Raises:
        OrderNotFound: this person's store has no such order.
        MovedOn: it is not in the state for the step that was tried.
    """
    try:
        yield orders.order_at_store(order_id, member.store_id, with_lines=with_lines)
    except ActionNotAllowed as refusal:
        raise MovedOn(refusal.detail, order_id=order_id) from refusal
