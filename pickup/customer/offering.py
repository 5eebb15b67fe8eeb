"""What is offered to a customer whose store cannot keep its word, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pickup.core.languages import _, later
from pickup.core.pages import distance, local
from pickup.orders.models import Order
from pickup.stores.directory import fresh_directory

CHOOSE = later("Please choose")
# Why, by the word that the offer keeps.
WHY_WORDS = {
    "short_pick": later("We are sorry: %(store)s could not find everything of your order."),
    "sold_at_till": later("We are sorry: somebody in %(store)s was faster, and your items were sold."),
    "short_at_source": later("We are sorry: what should have been sent to %(store)s could not be found."),
    "reservation_lost": later("We are sorry: others were faster, and what you wanted is gone."),
    "store_paused": later("We are sorry: %(store)s takes no orders at the moment."),
    "": later("We are sorry: %(store)s cannot have your order ready."),
}
OPTION_WORDS = {
    "move": later("Collect at %(store)s – ready by %(ready_by)s"),
    "wait": later("Wait – %(store)s, ready by %(ready_by)s"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One of the stores that could have it ready."""

    choice: str
    words: str
    where: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is instead, why, and until when it can be chosen."""

    why: str
    until: str
    version: str
    """Tells this offer from one that has replaced it meanwhile."""
    options: list[Option]


def present_offer(order: Order) -> Offer | None:
    """What the customer can choose from; None where nothing is offered. To cancel is always among it."""
    if order.offer is None or order.offer_until is None:
        return None
    return Offer(
        why=_(WHY_WORDS.get(order.offer["why"], WHY_WORDS[""]), store=order.store.name),
        until=local(order.offer_until, order.store.timezone),
        version=order.offer_until.isoformat(),
        options=[_present_option(order, choice, each) for choice, each in order.offer["options"].items()],
    )


def _present_option(order: Order, choice: str, option: Mapping[str, Any]) -> Option:
    store, metres = fresh_directory().by_id[option["store_id"]], option.get("distance_m")
    ready_by = local(datetime.fromisoformat(option["ready_by"]), store.timezone)
    where = store.address
    # A customer who named their store told us no place to measure from: then only another store has a distance.
    is_near_them = order.origin_lat is not None
    if metres is not None and (is_near_them or choice == "move"):
        far = distance(metres, store.country)
        where += f" · {_from_where(far, None if is_near_them else order.store.name)}"
    return Option(choice, _(OPTION_WORDS[choice], store=store.name, ready_by=ready_by), where)


def _from_where(far: str, store: str | None) -> str:
    if store is None:
        return _("%(distance)s away", distance=far)
    return _("%(distance)s from %(store)s", distance=far, store=store)
