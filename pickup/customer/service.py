"""What a customer decides on their order's page."""

from datetime import datetime
from typing import get_args

from pickup.core.types import Actor
from pickup.orders import extending, rerouting
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import IF_SHORT
from pickup.orders.models import Order

CUSTOMER = Actor("customer")
CHOICES: dict[str, rerouting.Choice] = {choice: choice for choice in get_args(rerouting.Choice)}
# Who begins to pick has to know it.
BEFORE_PICKING = frozenset({"placed", "in_transit", "reserved"})


def choose(order: Order, choice: str, *, until: str, now: datetime) -> None:
    """Answer an offer.

    Args:
        order: locked, with its lines.
        until: the end of the offer that the customer saw. Another offer since then may name another store, so nothing
            is chosen of it unseen.

    Raises:
        ActionNotAllowed: nothing is offered, or not this.
    """
    if order.offer_until is None or order.offer_until.isoformat() != until or choice not in CHOICES:
        raise ActionNotAllowed("That is not offered any more.", status_of_order=order.status, allowed_actions=[])
    rerouting.choose(order, CHOICES[choice], actor=CUSTOMER, now=now)


def keep_longer(order: Order, expected: int, *, now: datetime) -> None:
    """Have the goods kept longer.

    Args:
        order: locked.
        expected: how often that was done when the customer saw it; a second tap on the same button changes nothing.

    Raises:
        ActionNotAllowed: it is not ready, was kept longer often enough, or has goods that do not keep.
    """
    if order.hold_extensions == expected:
        extending.extend_hold(order, actor=CUSTOMER, now=now)


def can_say_if_short(order: Order) -> bool:
    """Whether it can still matter what the customer wants if something is missing."""
    return order.status in BEFORE_PICKING and order.offer is None


def say_if_short(order: Order, wish: str) -> None:
    """What to do if not everything is found.

    Args:
        order: locked.

    Raises:
        ActionNotAllowed: picking has begun, or there is no such wish.
    """
    if wish not in IF_SHORT or not can_say_if_short(order):
        raise ActionNotAllowed("It is too late for that.", status_of_order=order.status, allowed_actions=[])
    order.if_short = wish
