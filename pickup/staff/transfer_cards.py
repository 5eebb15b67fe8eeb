"""Goods between stores as the tablet shows them: what to send, what is coming, and what became of it."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.inventory.models import Transfer
from pickup.inventory.transfers import ON_THE_WAY
from pickup.orders.models import Order
from pickup.staff.goods import is_awaited
from pickup.staff.presenting import Line, present_units, urgency
from pickup.stores.directory import StoreEntry, directory

STATUS_WORDS = {
    "requested": later("Not sent yet"),
    "sent": later("Sent %(sent)s"),
    "received": later("Here since %(received)s"),
    "cancelled": later("Called off"),
}
# For somebody who wanted to do something with goods that are past it.
OUTCOME_WORDS = {
    "requested": later("The goods for order %(number)s are not sent yet."),
    "sent": later("The goods for order %(number)s are sent already."),
    "received": later("The goods for order %(number)s are received already."),
    "cancelled": later("The goods for order %(number)s are not to be sent any more."),
}
FOR_THE_SHELF = {
    "cancelled": later("Put these on the shelf: the order was cancelled."),
}
NOT_NEEDED = later("Put these on the shelf: the order does not need them any more.")


@dataclass(frozen=True, slots=True)
class TransferCard:
    """The goods that one store sends to another for one order."""

    id: int
    order_id: uuid.UUID
    order_number: int
    links_order: bool
    """Whether the order is one of the store that looks."""
    other_store: str
    other_ref: str
    status: str
    status_words: str
    due: str
    due_at: datetime
    urgency: str
    is_late: bool
    shelf_words: str
    """Where to put the goods, if not to the order."""
    lines: list[Line]


def present_departure(transfer: Transfer, order: Order, *, now: datetime) -> TransferCard:
    """As the store that sends it sees it."""
    stores = directory().by_id
    return _present(transfer, order, stores[transfer.source_id], stores[transfer.destination_id], now)


def present_arrival(transfer: Transfer, order: Order, *, now: datetime) -> TransferCard:
    """As the store that gets it sees it."""
    stores = directory().by_id
    return _present(transfer, order, stores[transfer.destination_id], stores[transfer.source_id], now)


def shelf_words(order: Order) -> str:
    """Where to put goods that the order does not wait for."""
    return _(FOR_THE_SHELF.get(order.status, NOT_NEEDED))


def what_became_of_transfer(transfer: Transfer, order: Order) -> str:
    """A calm sentence for somebody who came too late."""
    return _(OUTCOME_WORDS[transfer.status], number=order.number)


def _present(transfer: Transfer, order: Order, here: StoreEntry, there: StoreEntry, now: datetime) -> TransferCard:
    times = {"sent": transfer.sent_at, "received": transfer.received_at}
    said = {name: clock(at, here.timezone, now) if at else "" for name, at in times.items()}
    products = {line.product_id: line.product for line in order.lines}
    is_open = transfer.status in ON_THE_WAY
    return TransferCard(
        id=transfer.id,
        order_id=order.id,
        order_number=order.number,
        links_order=order.store_id == here.id,
        other_store=there.name,
        other_ref=there.ref,
        status=transfer.status,
        status_words=_(STATUS_WORDS[transfer.status], **said),
        due=clock(transfer.expected_at, here.timezone, now),
        due_at=transfer.expected_at,
        urgency=urgency(transfer.expected_at - now) if is_open else "",
        is_late=is_open and transfer.expected_at < now,
        shelf_words=shelf_words(order) if is_open and not is_awaited(transfer, order) else "",
        lines=[present_units(products[line.product_id], line.quantity) for line in transfer.lines],
    )
