"""A quote: where a basket can be collected, when, and what it costs there. Reserves nothing, changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pickup.core.types import Money
from pickup.orders.basket import Item, PricedLine, price_lines, read_basket, total_of
from pickup.orders.errors import OutOfStock
from pickup.orders.finding import Pickup, route_basket
from pickup.orders.promising import hold_until_at
from pickup.orders.sourcing import Source
from pickup.pricing.queries import prices_in_force
from pickup.stores.directory import StoreEntry


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order placed now would be."""

    store: StoreEntry
    distance_m: int | None
    lines: Sequence[PricedLine]
    total: Money
    ready_by: datetime
    hold_until: datetime
    candidates: list[dict[str, Any]]
    routing_policy: str
    sources: Sequence[Source]
    """Empty: everything lies on the store's own shelf."""
    capacity_hour: datetime | None


def quote(items: Sequence[Item], pickup: Pickup, *, now: datetime) -> Quote:
    """Route a basket and price it by the shelf of the store it goes to.

    Raises:
        InvalidFields: unknown SKUs or store, too many of a product, no price.
        OutOfStock: no pickup point has all of it; `candidates` says why, store by store.
    """
    basket = read_basket(items)
    route, stores = route_basket(basket.quantities, pickup, now=now)
    considered = [each.as_json() for each in route.considered]
    if route.plan is None:
        raise OutOfStock("No store in reach has the whole basket and is open for it.", candidates=considered)
    plan, store = route.plan, stores.by_id[route.plan.candidate.store_id]
    lines = price_lines(basket, prices_in_force(basket.quantities, store.price_zone_at(now), at=now))
    return Quote(
        store=store,
        distance_m=plan.candidate.distance_m,
        lines=lines,
        total=total_of(lines),
        ready_by=plan.ready_by,
        hold_until=hold_until_at(store, plan.ready_by, basket.keeps_days),
        candidates=considered,
        routing_policy=route.policy,
        sources=plan.sources,
        capacity_hour=plan.capacity_hour,
    )
