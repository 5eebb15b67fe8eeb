"""When to go: an order as an entry for a calendar."""

from datetime import datetime
from urllib.parse import urlsplit

from pickup.core.languages import _, later
from pickup.customer import calendar
from pickup.orders.models import Order
from pickup.stores.directory import fresh_directory
from pickup.stores.opening_hours import OpeningHours

PLANNED = frozenset({"in_transit", "reserved", "picking", "ready"})
CALLED_OFF = frozenset({"cancelled", "expired"})

WORDS = {
    "CONFIRMED": later("Ready to collect."),
    "TENTATIVE": later("Please wait for the message that it is ready."),
}


def is_for_calendar(order: Order) -> bool:
    """Whether it is known where and when the order is to be collected."""
    return order.status in PLANNED


def calendar_entry(order: Order, url: str, *, now: datetime) -> calendar.Entry | None:
    """The entry of an order that has its history and its store, and, once it is called off, what takes it out again.

    Args:
        url: the page that it leads to. The entry says no more than that and the place: calendars are shared.

    Returns:
        None where there is nothing to go for, or the store does not open while the goods are kept.
    """
    if order.status not in PLANNED | CALLED_OFF:
        return None
    window = _window(order, now)
    if window is None:
        return None
    status = calendar_status(order.status)
    way = _("Code, times and the way there: %(url)s", url=url)
    return calendar.Entry(
        uid=f"{order.id}@{urlsplit(url).hostname}",
        sequence=len(order.history),
        changed_at=order.changed_at,
        starts=window[0],
        ends=window[1],
        summary=_("Collect order %(number)s at %(store)s", number=order.number, store=order.store.name),
        description=way if status == "CANCELLED" else f"{_(WORDS[status])} {way}",
        location=f"{order.store.name}, {order.store.address}",
        lat=order.store.lat,
        lon=order.store.lon,
        url=url,
        status=status,
    )


def calendar_status(status: str) -> calendar.EntryStatus:
    """What a calendar calls an order's status."""
    if status in CALLED_OFF:
        return "CANCELLED"
    return "CONFIRMED" if status == "ready" else "TENTATIVE"


def _window(order: Order, now: datetime) -> calendar.Span | None:
    store = fresh_directory().by_id[order.store_id]
    hours = OpeningHours(store.opening_hours, store.timezone, country=store.country, special_days=store.special_days)
    start = order.changed_at if order.status in CALLED_OFF else now
    if order.status in PLANNED and order.status != "ready":
        start = max(now, order.ready_by)
    end = max(order.hold_until, start + calendar.WINDOW_MIN)
    return calendar.first_window(hours.open_intervals(start, end), start, end)
