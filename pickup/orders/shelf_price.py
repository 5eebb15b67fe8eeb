"""The lower price counts: whoever collects when the shelf has become cheaper pays what the shelf says.

The price of an order is that of the day it was placed, and never goes up. What it goes down by is on the order and its
lines, and the money follows the order by itself: so much less is taken, and what was taken early is given back.
"""

from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.orders.models import Order
from pickup.pricing.queries import prices_at


def charge_the_lower(order: Order, *, now: datetime) -> None:
    """Reduce what an order costs to what its goods cost on the shelf of its pickup store, line by line.

    By the setting `PICKUP_LOWER_PRICE_AT_HANDOVER`. A price in another currency is not compared.

    Args:
        order: locked, about to be handed over, with its lines and its store (`queries.load_for_handover`).
        now: the instant of the handover. Of prices that change at the same time, the old or the new hold for all.
    """
    settings: Settings = current_app.extensions["settings"]
    left = [line for line in order.lines if line.charged_units]
    if not settings.lower_price_at_handover or not left:
        return
    shelf = prices_at([(line.product_id, now) for line in left], order.store_id)
    for line, price in zip(left, shelf, strict=True):
        if price is None or price.currency != order.currency or price.amount >= line.unit_amount:
            continue
        line.reduced_to = price.amount
        reduction = (line.unit_amount - price.amount) * line.charged_units
        order.total_amount -= reduction
        order.reduced_amount += reduction
