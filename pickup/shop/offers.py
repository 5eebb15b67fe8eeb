"""What the API says about a basket: the stores nearby, and the quote. Two calls, for basket and checkout alike."""

from dataclasses import dataclass, field
from datetime import datetime

from pickup.shop import basket as baskets
from pickup.shop import presenting
from pickup.shop.client import ApiError, Json, PickupApi
from pickup.shop.visit import Visit

# Refusals that are about this basket, and shown with it. All else is nobody's business here.
ABOUT_THE_BASKET = frozenset({"out_of_stock", "invalid_fields"})


@dataclass
class Offer:
    """A basket, a place, and what can be had there."""

    stores: list[Json] = field(default_factory=list)
    quote: Json | None = None
    problem: str = ""
    """Why there is no quote, in words."""
    line_errors: dict[str, str] = field(default_factory=dict)
    """What is wrong with a line, by SKU."""

    @property
    def is_sent(self) -> bool:
        """Whether other stores send something: the quoted one has not all of it on its shelf."""
        ref = self.quote["store"]["ref"] if self.quote else None
        return any(store["ref"] == ref and not store["available"] for store in self.stores)

    @property
    def line_totals(self) -> dict[str, Json]:
        """The quoted lines by SKU."""
        return {line["sku"]: line for line in self.quote["lines"]} if self.quote else {}


def make(api: PickupApi, visit: Visit, *, now: datetime) -> Offer:
    """Ask for the stores and the quote.

    Raises:
        ApiError: it does not answer, or something else than the basket is wrong.
    """
    offer = Offer()
    items = baskets.items(visit.basket)
    if not items or visit.pickup is None:
        return offer
    try:
        if visit.place:
            offer.stores = [
                presenting.present_store(each, now) for each in api.stores(visit.place, items=items)["data"]
            ]
        offer.quote = present_quote(api, api.quote(items, visit.pickup), offer.stores, now=now)
    except ApiError as error:
        if error.code not in ABOUT_THE_BASKET:
            raise
        offer.problem = error.detail if error.code == "invalid_fields" else _nowhere(visit)
        offer.line_errors = baskets.errors_by_sku(visit.basket, error.fields)
    return offer


def present_quote(api: PickupApi, quote: Json, stores: list[Json], *, now: datetime) -> Json:
    """A quote in words: when by the clocks of its store, and why it is not a nearer one."""
    store = quote["store"]
    timezone = next((each["timezone"] for each in stores if each["ref"] == store["ref"]), None)
    timezone = timezone or timezone_of(store_of(api, store))
    return quote | {
        "ready": presenting.when(quote["ready_by"], timezone, now),
        "until": presenting.when(quote["hold_until"], timezone, now),
        "why": presenting.why(quote["candidates"], {each["ref"]: each["name"] for each in stores}),
    }


def store_of(api: PickupApi, store: Json) -> Json | None:
    """The store of a quote or an order with its hours and time zone, which only the list of stores tells."""
    here = {"near": {"lat": store["lat"], "lon": store["lon"]}}
    return next((each for each in api.stores(here)["data"] if each["ref"] == store["ref"]), None)


def timezone_of(store: Json | None) -> str:
    """The clocks of a store; UTC where there is no such store any more."""
    return str(store["timezone"]) if store else "UTC"


def _nowhere(visit: Visit) -> str:
    if visit.store and visit.is_pinned:
        return f"{visit.store['name']} cannot have all of this for you."
    return "No store near you has all of this at present."
