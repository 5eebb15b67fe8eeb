"""`Can't find it`: the shelf has less than the books said."""

from datetime import datetime

from flask import current_app

from pickup.catalog.queries import products_by_id
from pickup.config import Settings
from pickup.core.errors import InvalidFields
from pickup.core.languages import _
from pickup.core.types import Actor
from pickup.inventory import shelf
from pickup.orders import rerouting
from pickup.orders.models import Order
from pickup.orders.transitions import advance


def short_pick(order: Order, product_id: int, missing: int, *, actor: Actor, now: datetime) -> None:
    """So many units of a product are not there. The books are corrected, and the order takes the way that its
    customer, or else the retailer, has chosen: on in part, with the rest not charged; elsewhere; or cancelled.

    Args:
        order: locked, with its lines.

    Raises:
        ActionNotAllowed: the order is not being picked.
        InvalidFields: it has no such line, or not so many units of it.
    """
    line = next((line for line in order.lines if line.product_id == product_id), None)
    if line is None:
        raise InvalidFields.at("/sku", "is not in this order")
    if not 1 <= missing <= line.quantity - line.short:
        raise InvalidFields.at("/missing", _("must be 1 to %(most)s", most=line.quantity - line.short))
    sku = products_by_id([product_id])[product_id].sku
    advance([order], "short_pick", actor=actor, now=now, note=f"{missing} of {line.quantity} × {sku} missing")
    shelf.correct_shortfall(order.id, order.store_id, product_id, missing, now=now)
    line.short += missing
    line.picked = min(line.picked, line.charged_units)
    order.total_amount -= missing * line.unit_amount
    wish = order.if_short or _settings().if_short
    if wish == "cancel":
        advance([order], "cancel", actor=actor, now=now, reason="out_of_stock", note="not all of it was found")
    elif wish == "move" or all(line.short == line.quantity for line in order.lines):
        rerouting.withdraw([order], "short_pick", actor=actor, now=now)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings
