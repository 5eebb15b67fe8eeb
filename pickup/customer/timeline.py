"""How far an order has got, as its customer counts the steps, and when each was taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.orders.models import Order, OrderHistory

# The step that each status is, in their order. Goods that come from elsewhere are a step only where some do.
STEPS = {
    "placed": later("Ordered"),
    "in_transit": later("On its way to the store"),
    "reserved": later("Set aside for you"),
    "picking": later("Being packed"),
    "ready": later("Ready to collect"),
    "collected": later("Collected"),
}
ENDS = {"cancelled": later("Cancelled"), "expired": later("Back on the shelf")}
ONLY_IF_TAKEN = frozenset({"in_transit"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way: taken, where the order is, or still to come."""

    name: str
    at: datetime | None
    time: str
    is_done: bool
    is_current: bool


def present_timeline(order: Order, *, now: datetime) -> list[Step]:
    """The steps of an order that has its history and its store, in the store's own time."""
    taken, zone = _taken(order.history), order.store.timezone
    is_over = order.status in ENDS
    at = "placed" if order.status == "awaiting_payment" else order.status
    wanted = taken if is_over else [each for each in STEPS if each in taken or each not in ONLY_IF_TAKEN]
    return [
        Step(
            name=_(STEPS.get(status) or ENDS[status]),
            at=taken.get(status),
            time=clock(taken[status], zone, now) if status in taken else "",
            is_done=status in taken and status != at,
            is_current=status == at,
        )
        for status in wanted
    ]


def _taken(history: Sequence[OrderHistory]) -> dict[str, datetime]:
    """When each status was reached; where a store could not keep its word, it began anew."""
    taken: dict[str, datetime] = {}
    for step in history:
        status = "placed" if step.to_status == "awaiting_payment" else step.to_status
        if status == "placed":
            taken = {status: taken.get(status, step.at)}
        taken.setdefault(status, step.at)
    return taken
