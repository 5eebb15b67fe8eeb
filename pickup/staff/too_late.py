"""What has become of an order, for somebody who wanted to take another step with it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.orders.models import Order

ASKED = later("Order %(number)s is not at this store any more: the customer is asked what they want instead.")
NOT_HERE = later("Order %(number)s is not in this store's hands.")
# By its status, and whether it was one of the staff who brought it there.
OUTCOME_WORDS = {
    ("placed", False): later("Order %(number)s is looking for a store."),
    ("in_transit", False): later("Order %(number)s is waiting for goods that are on their way here."),
    ("reserved", False): later("Order %(number)s is not picked yet."),
    ("picking", False): later("Order %(number)s is already being picked, since %(time)s."),
    ("picking", True): later("Order %(number)s is already being picked by %(name)s, since %(time)s."),
    ("ready", False): later("Order %(number)s is already ready, since %(time)s."),
    ("ready", True): later("Order %(number)s is already ready by %(name)s, since %(time)s."),
    ("collected", False): later("Order %(number)s is already collected %(when)s."),
    ("collected", True): later("Order %(number)s is already collected %(when)s by %(name)s."),
    ("cancelled", False): later("Order %(number)s is cancelled %(when)s."),
    ("cancelled", True): later("Order %(number)s is cancelled %(when)s by %(name)s."),
    ("expired", False): later("Order %(number)s is not collected in time, and back on the shelves %(when)s."),
}


def what_became_of(order: Order, *, now: datetime) -> str:
    """A calm sentence for somebody who came too late, or too early: `already collected at 14:03 by Ana`."""
    if order.offer:
        return _(ASKED, number=order.number)
    last = next((step for step in reversed(order.history) if step.to_status == order.status), order.history[-1])
    words = OUTCOME_WORDS.get((order.status, False), NOT_HERE)
    if last.actor_kind == "staff":
        words = OUTCOME_WORDS.get((order.status, True), words)
    zone = order.store.timezone
    time = clock(last.at, zone, now)
    is_today = last.at.astimezone(ZoneInfo(zone)).date() == now.astimezone(ZoneInfo(zone)).date()
    when = _("at %(time)s", time=time) if is_today else time
    return _(words, number=order.number, time=time, when=when, name=last.actor_name)
