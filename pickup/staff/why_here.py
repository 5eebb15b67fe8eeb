"""Why an order went to the store it went to, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass

from pickup.core.languages import _, later
from pickup.core.pages import distance
from pickup.orders.models import Order
from pickup.stores.directory import directory

VERDICT_WORDS = {
    "chosen": later("chosen"),
    "not_enough_stock": later("not everything on the shelf"),
    "closed": later("closed for too long"),
    "at_capacity": later("has no room for more orders"),
    "paused": later("takes no orders"),
    "too_far": later("too far away"),
    "reservation_lost": later("did not have the goods in the end"),
    "passed_over": later("could have had it, too"),
}
POLICY_WORDS = {
    "nearest": later("The nearest store that can have it ready."),
    "fewest_transfers": later("Of the nearest stores the one that has to be sent the least."),
    "balance": later("Of the nearest stores the one with the least to do for its size."),
}
NAMED = later("The customer chose the store.")


@dataclass(frozen=True, slots=True)
class Looked:
    """A store that was looked at."""

    name: str
    ref: str
    distance: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Why:
    """The rule, and how each store did by it."""

    rule: str
    is_sent_for: bool
    """Whether other stores send something."""
    stores: list[Looked]


def why_here(order: Order) -> Why:
    """The stores that were looked at for an order, in their order, with the verdict on each."""
    rule = POLICY_WORDS.get(order.routing_policy, "") if order.origin_lat is not None else NAMED
    is_sent_for = any(source["expected_at"] for source in order.sourcing or ())
    return Why(_(rule), is_sent_for, [_looked(candidate) for candidate in order.candidates])


def _looked(candidate: Mapping[str, str | int | None]) -> Looked:
    ref, verdict, metres = str(candidate["store_ref"]), str(candidate["verdict"]), candidate.get("distance_m")
    store = directory().by_ref.get(ref)
    return Looked(
        name=store.name if store else ref,
        ref=ref,
        distance=distance(int(metres), store.country) if metres is not None and store else "",
        words=_(VERDICT_WORDS[verdict]) if verdict in VERDICT_WORDS else verdict.replace("_", " "),
        is_chosen=verdict == "chosen",
    )
