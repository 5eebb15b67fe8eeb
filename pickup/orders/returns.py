"""Goods that a customer brings back after the order was collected. What was paid for them goes back by a worker."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pickup.catalog.queries import basket_products
from pickup.core import outbox
from pickup.core.db import db
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.languages import _
from pickup.core.types import Actor, new_id
from pickup.inventory import shelf
from pickup.orders.basket import Item
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import actions_from
from pickup.orders.models import Order, OrderLine, Return, ReturnLine
from pickup.stores.directory import fresh_directory

RETURNABLE = "collected"


def left_of(line: OrderLine) -> int:
    """Units of a line that were handed over and have not come back."""
    return line.charged_units - line.returned


def take_back(
    order: Order, items: Sequence[Item], *, actor: Actor, restock: bool, reason: str | None, now: datetime
) -> Return:
    """Take goods back: the customer gets for them what they paid, and they are on the shelf again.

    Args:
        order: locked, with its lines. Stock is locked after it.
        items: a SKU named twice is added up.
        restock: whether the goods can be sold again. At a partner, who has no shelf, they cannot.

    Raises:
        ActionNotAllowed: the order is not collected.
        InvalidFields: a SKU that is not in the order, or more units than were handed over and have not come back;
            names each item.
    """
    if order.status != RETURNABLE:
        raise ActionNotAllowed(
            f"An order that is {order.status} has nothing to take back.",
            status_of_order=order.status,
            allowed_actions=actions_from(order.status, actor.kind),
        )
    units = _read(order, items)
    is_restocked = restock and fresh_directory().by_id[order.store_id].kind != "partner"
    taken = Return(
        id=new_id(),
        order_id=order.id,
        at=now,
        actor_kind=actor.kind,
        actor_name=actor.name,
        reason=reason,
        is_restocked=is_restocked,
        amount=_book(order, units, now),
        lines=[ReturnLine(product_id=product_id, quantity=quantity) for product_id, quantity in units.items()],
    )
    db.session.add(taken)
    db.session.flush()
    if is_restocked:
        shelf.put_back(order.id, order.store_id, units, now=now)
    # The id of the order is the subject: its money is settled once more, by what is due now.
    outbox.emit("order.returned", {order.id: {"return_id": str(taken.id), "amount": taken.amount}}, at=now)
    return taken


def _read(order: Order, items: Sequence[Item]) -> dict[int, int]:
    """Units to take back, by product id."""
    products = basket_products({item.sku for item in items})
    lines = {line.product_id: line for line in order.lines}
    units: dict[int, int] = {}
    errors = [] if items else [FieldError("/items", "must have an item")]
    for position, item in enumerate(items):
        product = products.get(item.sku)
        line = lines.get(product.id) if product else None
        if line is None:
            errors.append(FieldError(f"/items/{position}/sku", f"{item.sku[:60]!r} is not in this order"))
            continue
        quantity = units[line.product_id] = units.get(line.product_id, 0) + item.quantity
        if item.quantity < 1 or quantity > left_of(line):
            errors.append(FieldError(f"/items/{position}/quantity", _quantity_words(left_of(line))))
    if errors:
        raise InvalidFields(f"{errors[0].pointer}: {errors[0].detail}", errors=errors)
    return units


def _quantity_words(left: int) -> str:
    if not left:
        return _("all of it has come back")
    return _("at most %(most)s can come back, of all items of the SKU together", most=left)


def _book(order: Order, units: Mapping[int, int], now: datetime) -> int:
    """Note on the order what has come back; returns the minor units that the customer paid for it."""
    amount = 0
    for line in order.lines:
        quantity = units.get(line.product_id, 0)
        line.returned += quantity
        amount += line.charged_amount * quantity
    order.returned_amount += amount
    order.changed_at = now
    return amount
