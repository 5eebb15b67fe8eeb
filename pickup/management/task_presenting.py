"""What the page about failed work shows, as plain values."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row

from pickup.management.secrecy import mask_addresses, without_keys
from pickup.orders.announcing import MESSAGES

ERROR_MAX_CHARACTERS = 300
KIND_WORDS = {
    "reserve_stock": "Reserve goods",
    "hold_stock": "Keep goods while somebody pays",
    "cover_shortages": "Find other goods for what is missing",
    "clear_store": "Move the orders of a paused store",
    "ask_gateway": "Ask the payment provider",
    "settle_payment": "Take or give back money",
    "notify_customer": "Mail to the customer",
    "notify_collector": "Mail to the collector",
    "notify_store": "Mail to the store",
    "wake_store": "Wake the tablets of the store",
}
MESSAGE_WORDS = {
    "confirmed": "the order is confirmed",
    "choice": "there is something to choose",
    "ready": "the order is ready",
    "reminder": "the order waits to be collected",
    "expiring": "the order is not kept much longer",
    "collected": "the order was collected",
    "cancelled": "the order is cancelled",
    "expired": "the order was not collected",
    "refunded": "money goes back",
}


class TaskRow(NamedTuple):
    """Something that has failed and is still to be done."""

    id: int
    handler: str
    kind: str
    about: str
    """Of a message what it says, and whom it goes to, so far as one has to know."""
    order_id: uuid.UUID | None
    order_number: int | None
    store_ref: str
    store_name: str
    since: datetime
    attempts: int
    due_at: datetime | None
    """When it is tried again by itself; None: a worker has it in hand, or it is given up."""
    given_up_at: datetime | None
    error: str

    @property
    def state(self) -> str:
        """Whether it goes on by itself."""
        return "given up" if self.given_up_at else "tried again" if self.due_at else "at work"


def present_task(row: Row[Any]) -> TaskRow:
    """A task, in words."""
    return TaskRow(
        id=row.id,
        handler=row.handler,
        kind=kind_words(row.handler),
        about=_about(row),
        order_id=row.order_id,
        order_number=row.order_number,
        store_ref=row.store_ref or "",
        store_name=row.store_name or "",
        since=row.since,
        attempts=row.attempts + row.deaths,
        due_at=None if row.leased or row.dead_at else row.due_at,
        given_up_at=row.dead_at,
        error=_error(row),
    )


def kind_words(handler: str) -> str:
    """What a handler does, as people say it."""
    return KIND_WORDS.get(handler, handler.replace("_", " ").capitalize())


def _error(row: Row[Any]) -> str:
    """What went wrong. It may quote a message, with the key in it: that goes before anything is cut off."""
    keys = (row.pickup_code, row.page_token, row.collector_code, row.collector_token)
    return mask_addresses(without_keys(row.last_error or "", *keys)[:ERROR_MAX_CHARACTERS])


def _about(row: Row[Any]) -> str:
    if row.handler == "notify_customer":
        says = MESSAGE_WORDS.get(MESSAGES.get(row.event_type, ""), "")
        return ", ".join(part for part in (says, mask_addresses(row.customer_email or "")) if part)
    if row.handler == "notify_collector":
        return mask_addresses(row.collector_email or "")
    return ""
