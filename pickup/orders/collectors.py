"""Who collects instead of the customer: named with a code and a page of their own, and taken back at any time."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pickup.core import outbox
from pickup.core.types import Actor
from pickup.orders import pickup_code
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order

TOKEN_BYTES = 24
NAMED = "order.collector_named"
# What the history says of a handover, where there were two codes.
BY_COLLECTOR = "collected by {name}, named by the {by}"
BY_CUSTOMER = "collected with the customer's own code"
# An order named for before there were codes of collectors has nobody to have named them.
NAMED_BY = {"customer": "customer", "shop": "shop", None: "customer"}


def new_columns(collector: Mapping[str, Any] | None, *, by: str, now: datetime) -> dict[str, Any]:
    """What an order keeps of a collector, with a fresh code and page; of nobody, nothing."""
    return {
        "collector_name": collector["name"] if collector else None,
        "collector_email": collector.get("email") if collector else None,
        "collector_phone": collector.get("phone") if collector else None,
        "collector_code": pickup_code.new_code() if collector else None,
        "collector_token": secrets.token_urlsafe(TOKEN_BYTES) if collector else None,
        "collector_named_at": now if collector else None,
        "collector_named_by": by if collector else None,
    }


def name_collector(order: Order, collector: Mapping[str, Any] | None, *, actor: Actor, now: datetime) -> None:
    """Say who collects, instead of the customer; None takes it back.

    Whoever was named before has a code and a link that are worth nothing from this commit on. To name the same person
    once more changes nothing.

    Args:
        order: locked, so that it either has been handed over by the code or is not going to be.

    Raises:
        ActionNotAllowed: the order is over.
    """
    if order.status in FINAL:
        raise ActionNotAllowed(f"The order is {order.status}.", status_of_order=order.status, allowed_actions=[])
    if collector is not None and _is_named(order, collector):
        return
    for name, value in new_columns(collector, by=actor.kind, now=now).items():
        setattr(order, name, value)
    if order.status == "ready":
        tell(order, now=now)


def tell(order: Order, *, now: datetime) -> None:
    """Have the collector of an order that is ready told, where there is an address."""
    if order.collector_code and (order.collector_email or order.collector_phone):
        outbox.emit(NAMED, {order.id: {"named_at": _named_at(order)}}, at=now)


def is_still_named(order: Order, data: Mapping[str, Any]) -> bool:
    """Whether the collector whom an event is about may still collect."""
    return order.status == "ready" and order.collector_code is not None and _named_at(order) == data.get("named_at")


def words_for_history(order: Order, *, by_collector: bool) -> str | None:
    """Who has collected, for the history; nothing where nobody else could have."""
    if by_collector:
        return BY_COLLECTOR.format(name=order.collector_name, by=NAMED_BY[order.collector_named_by])
    return BY_CUSTOMER if order.collector_code else None


def _named_at(order: Order) -> str | None:
    return order.collector_named_at.isoformat() if order.collector_named_at else None


def _is_named(order: Order, collector: Mapping[str, Any]) -> bool:
    known = {"name": order.collector_name, "email": order.collector_email, "phone": order.collector_phone}
    return order.collector_code is not None and all(collector.get(key) == value for key, value in known.items())
