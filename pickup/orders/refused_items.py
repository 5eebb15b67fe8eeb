"""Goods that were found, and that nobody wants when they are to be handed over: not paid, and for the shelf again."""

from collections.abc import Mapping
from datetime import datetime

from pickup.core.errors import InvalidFields
from pickup.core.languages import _
from pickup.inventory import service as inventory
from pickup.orders.models import Order

ALL_REFUSED = "nothing of it was taken"


def is_everything(order: Order, refused: Mapping[int, int]) -> bool:
    """Whether nothing is left to hand over of an order that has its lines."""
    return all(refused.get(line.product_id, 0) == line.quantity - line.short for line in order.lines)


def check(order: Order, refused: Mapping[int, int]) -> None:
    """Whether so many units can be left behind of a ready order that has its lines.

    Raises:
        InvalidFields: the order has no such product, or not so many units of it.
    """
    lines = {line.product_id: line for line in order.lines}
    for product_id, units in refused.items():
        line = lines.get(product_id)
        if line is None:
            raise InvalidFields.at("/refused", "is not in this order")
        if not 0 <= units <= line.charged_units:
            words = _("must be 0 to %(most)s of %(name)s", most=line.charged_units, name=line.product.name)
            raise InvalidFields.at("/refused", words)


def leave_behind(order: Order, refused: Mapping[int, int], *, now: datetime) -> str:
    """Take units off an order that is about to be handed over: they are not paid, and others can have them.

    The money follows by itself, as after every change of the total: so much less is taken, and of what was taken early
    so much is given back.

    Args:
        order: locked, ready, with its lines and their products; `check` has let it pass.
        refused: units by product id.

    Returns:
        What the history says of it.
    """
    refused = {product_id: units for product_id, units in refused.items() if units}
    inventory.release_part(order.id, order.store_id, refused, now=now)
    for line in order.lines:
        line.refused = refused.get(line.product_id, 0)
        order.total_amount -= line.refused * line.unit_amount
    return "not taken: " + ", ".join(f"{line.refused} × {line.product.sku}" for line in order.lines if line.refused)
