"""What the views of orders have in common: an id that was asked for, and an order as an answer."""

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify

from pickup.inventory.models import Transfer
from pickup.inventory.transfers import transfers_of
from pickup.orders import queries
from pickup.orders.errors import OrderNotFound
from pickup.orders.models import Order
from pickup.orders.presenting import present_order
from pickup.orders.schemas import OrderSchema
from pickup.payments.queries import payment_of

ORDER_ID = {
    "description": "the `id` of the order",
    "schema": {"type": "string"},
    "example": "019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f",
}

_ORDER = OrderSchema()


def order_uuid(text: str) -> uuid.UUID:
    """Read the id of an order.

    Raises:
        OrderNotFound: it is none.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        raise OrderNotFound("There is no order of this id.") from None


def present_by_id(order_id: uuid.UUID) -> dict[str, Any]:
    """An order as it is now, for an answer."""
    order = queries.get_order(order_id)
    return present_order(order, payment_of(order_id), transfers=transfers_by_order([order])[order_id])


def transfers_by_order(orders: Sequence[Order]) -> dict[uuid.UUID, list[Transfer]]:
    """What other stores send for orders; most need none, and are not asked about."""
    found: dict[uuid.UUID, list[Transfer]] = {order.id: [] for order in orders}
    sent_for = [order.id for order in orders if order.sourcing]
    for transfer in transfers_of(sent_for) if sent_for else ():
        found[transfer.order_id].append(transfer)
    return found


def created(shown: dict[str, Any]) -> Response:
    """An order as the answer to what was made of it or for it: bytes that can be kept."""
    response = jsonify(_ORDER.dump(shown))
    response.status_code = 201
    return response
