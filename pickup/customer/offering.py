"""What is offered to a customer whose store cannot keep its word, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pickup.core.pages import distance, local
from pickup.orders.models import Order
from pickup.stores.directory import fresh_directory

CHOOSE = "Please choose"
# Why, by the word that the offer keeps.
WHY_WORDS = {
    "short_pick": "We are sorry: {store} could not find everything of your order.",
    "sold_at_till": "We are sorry: somebody in {store} was faster, and your items were sold.",
    "short_at_source": "We are sorry: what should have been sent to {store} could not be found.",
    "reservation_lost": "We are sorry: others were faster, and what you wanted is gone.",
    "store_paused": "We are sorry: {store} takes no orders at the moment.",
    "": "We are sorry: {store} cannot have your order ready.",
}
OPTION_WORDS = {"move": "Collect at {store} – ready by {ready_by}", "wait": "Wait – {store}, ready by {ready_by}"}


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
        why=WHY_WORDS.get(order.offer["why"], WHY_WORDS[""]),
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
        where += f" · {distance(metres, store.country)} {'away' if is_near_them else 'from ' + order.store.name}"
    return Option(choice, OPTION_WORDS[choice].format(store=store.name, ready_by=ready_by), where)
