"""Bags that stand there: kept longer for whoever asks, and put back where nobody comes for them."""

import uuid
from datetime import datetime

from pickup.core import signals
from pickup.orders import extending
from pickup.orders import service as orders
from pickup.orders.models import Order
from pickup.orders.transitions import board_topic
from pickup.staff import audit
from pickup.staff.people import Associate
from pickup.staff.steps import own_order_locked


def extend_hold(member: Associate, order_id: uuid.UUID, *, expected: int, now: datetime) -> Order:
    """Keep an order longer for its customer.

    Args:
        expected: how often that was done before. Where it is another number by now, somebody has done it already (a
            second tap on the same button), and nothing is changed.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it is not ready, or may not be kept longer.
    """
    with own_order_locked(member, order_id) as order:
        if order.hold_extensions == expected:
            extending.extend_hold(order, actor=member.actor, now=now, is_manager=member.is_manager)
            audit.record(member, "extend_hold", order_id=order_id, now=now, until=order.hold_until.isoformat())
        return order


def put_back(member: Associate, order_id: uuid.UUID, *, now: datetime) -> Order:
    """The goods of a bag that nobody collects lie on the shelf again. A second time changes nothing.

    They were for sale from the moment at which the order was called off: of the books nothing changes.

    Raises:
        OrderNotFound: this store has no such order.
    """
    order = orders.order_at_store(order_id, member.store_id)
    if order.put_back_since:
        order.put_back_since = order.staging_place = None
        audit.record(member, "put_back", order_id=order_id, now=now)
        signals.after_commit(signals.NEWS, [board_topic(order.store_id)])
    return order
