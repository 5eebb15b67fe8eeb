"""Another store: for whoever lost the race for the goods, and for whoever was told a store that cannot keep its word.

Nobody notices while no store has been told to the customer. After that an order goes elsewhere only with their consent:
it is withdrawn from the store, and they choose between what is offered (`Offer`), or cancel. The gateway is not asked
again: the money stays held, the price stays what it was.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from flask import current_app

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.db import db
from pickup.core.types import Actor
from pickup.orders import queries
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.finding import Pickup, route_basket
from pickup.orders.models import Order
from pickup.orders.promising import hold_until_at
from pickup.orders.routing import Plan, Route
from pickup.orders.transitions import advance
from pickup.stores.directory import StoreDirectory, StoreEntry, directory
from pickup.stores.geocoding import Coordinates

Choice = Literal["move", "wait", "cancel"]
NO_OTHER_STORE = "no other store has all of it"
_Searches = dict[Any, tuple[Route, StoreDirectory]]


@dataclass(frozen=True, slots=True)
class Option:
    """A store that could have it ready, and when."""

    store: StoreEntry
    ready_by: datetime

    def as_json(self) -> dict[str, Any]:
        """As the order keeps it."""
        return {"store_id": self.store.id, "store_ref": self.store.ref, "ready_by": self.ready_by.isoformat()}


def route_on(orders: Iterable[Order], *, actor: Actor, now: datetime) -> list[uuid.UUID]:
    """Find another way for orders whose goods, or whose store, are not to be had any more.

    Args:
        orders: locked, `placed`, with their lines.

    Returns:
        The orders that wait for nobody any more: cancelled, or put before the customer.
    """
    searches: _Searches = {}
    moved: dict[str, list[Order]] = defaultdict(list)
    hopeless: list[Order] = []
    asked: list[Order] = []
    for order in orders:
        if order.told_at is not None:
            (asked if _make_offer(order, "reservation_lost", now) else hopeless).append(order)
            continue
        route, stores = _search_on(order, searches, now)
        order.candidates = _with_verdicts(order, route)
        if route.plan is None:
            hopeless.append(order)
        else:
            moved[_go_to(order, route, route.plan, stores)].append(order)
    advance(hopeless, "cancel", actor=actor, now=now, reason="out_of_stock", note=NO_OTHER_STORE)
    for ref, movers in moved.items():
        advance(movers, "reroute", actor=actor, now=now, note=f"to {ref}")
    # Nobody has held anything for them, so there is no step; but like every offer this one is sent to the customer.
    outbox.emit("order.withdrawn", {order.id: _event_of(order) for order in asked}, at=now)
    return [order.id for order in hopeless + asked]


def withdraw(orders: Sequence[Order], why: str, *, actor: Actor, now: datetime) -> None:
    """Take orders away from a store that cannot keep its word, and ask the customers what they want instead.

    What is held for them is released. Where there is nothing to offer, the order is cancelled.

    Args:
        orders: locked, with their lines.
        why: a word for the offer and the history: `short_pick`, `sold_at_till`, `store_closed`.
    """
    for order in orders:
        _forget_picking(order)
    advance(orders, "withdraw", actor=actor, now=now, note=why)
    hopeless = [order for order in orders if not _make_offer(order, why, now)]
    advance(hopeless, "cancel", actor=actor, now=now, reason="out_of_stock", note=NO_OTHER_STORE)


def choose(order: Order, choice: Choice, *, actor: Actor, now: datetime) -> None:
    """The customer's answer to an offer. What was offered may be gone: then there is another offer, or none.

    Args:
        order: locked, with its lines.

    Raises:
        ActionNotAllowed: nothing is offered, or not this.
    """
    options = [*order.offer["options"], "cancel"] if order.offer else []
    if choice not in options:
        raise ActionNotAllowed(
            f"There is no {choice!r} to choose.", status_of_order=order.status, allowed_actions=options
        )
    if choice == "cancel" or order.offer is None:
        advance([order], "cancel", actor=actor, now=now, reason="customer", note="instead of another store")
        return
    ref = order.offer["options"][choice]["store_ref"]
    route, stores = route_basket(quantities_of(order), Pickup(None, ref), now=now)
    if route.plan is not None:
        _go_to(order, route, route.plan, stores, distance_m=order.offer["options"][choice].get("distance_m"))
        order.candidates = _with_verdicts(order, route)
        advance([order], "reroute", actor=actor, now=now, note=f"to {ref}")
    elif not _make_offer(order, "reservation_lost", now):
        advance([order], "cancel", actor=actor, now=now, reason="out_of_stock", note=NO_OTHER_STORE)


def replan(order: Order, why: str, *, actor: Actor, now: datetime) -> None:
    """Goods that were to be sent to the pickup point are not: others are, or the customer is asked.

    To the customer the place stays the same, so nobody asks them; the confirmation comes again, with the new promise.
    """
    advance([order], "withdraw", actor=actor, now=now, note=why)
    store = directory().by_id[order.store_id]
    route, stores = route_basket(quantities_of(order), Pickup(None, store.ref), now=now)
    if route.plan is not None:
        _go_to(order, route, route.plan, stores, distance_m=order.distance_m)
        advance([order], "reroute", actor=Actor("worker"), now=now, note=f"to {store.ref}")
    elif not _make_offer(order, why, now):
        advance([order], "cancel", actor=actor, now=now, reason="out_of_stock", note=NO_OTHER_STORE)


def quantities_of(order: Order) -> Counter[int]:
    """Units by product id."""
    quantities: Counter[int] = Counter()
    for line in order.lines:
        quantities[line.product_id] += line.quantity
    return quantities


def _event_of(order: Order) -> Mapping[str, Any]:
    """What the event of a step would say."""
    said = {"number": order.number, "status": order.status, "from": order.status, "reason": order.reason}
    return said | {"store_id": order.store_id}


def _search_on(order: Order, searches: _Searches, now: datetime) -> tuple[Route, StoreDirectory]:
    """Where an order can go that lost its store's goods. Orders for the same goods at one place share the search."""
    quantities = quantities_of(order)
    key = (order.store_id, order.origin_lat, order.origin_lon, frozenset(quantities.items()))
    if key not in searches:
        searches[key] = route_basket(quantities, _wish_of(order), now=now, lost=frozenset({order.store_id}))
    return searches[key]


def _wish_of(order: Order) -> Pickup:
    if order.origin_lat is not None and order.origin_lon is not None:
        return Pickup(Coordinates(order.origin_lat, order.origin_lon), None)
    return Pickup(None, directory().by_id[order.store_id].ref)


def _go_to(order: Order, route: Route, plan: Plan, stores: StoreDirectory, *, distance_m: int | None = None) -> str:
    """Write the plan into the order; returns the store's reference."""
    store = stores.by_id[plan.candidate.store_id]
    order.store_id, order.distance_m = store.id, distance_m or plan.candidate.distance_m
    order.ready_by = plan.ready_by
    order.hold_until = hold_until_at(store, plan.ready_by, queries.keeps_days(order.id))
    order.at_risk_told_at = order.overdue_told_at = None  # that was said of another promise
    order.routing_policy, order.capacity_hour = route.policy, plan.capacity_hour
    order.sourcing = [source.as_json() for source in plan.sources] or None
    return store.ref


def _with_verdicts(order: Order, route: Route) -> list[dict[str, Any]]:
    """What was known of each store, and what is known now."""
    now_known = {each.candidate.ref: each.verdict for each in route.considered}
    seen = {each["store_ref"] for each in order.candidates}
    before: list[dict[str, Any]] = []
    for each in order.candidates:
        if each["verdict"] == "chosen":
            verdict = now_known.get(each["store_ref"], "reservation_lost")
            before.append({**each, "verdict": "reservation_lost" if verdict == "chosen" else verdict})
        else:
            before.append(each)
    return before + [
        each.as_json() for each in route.considered if each.candidate.ref not in seen or each.verdict == "chosen"
    ]


def _make_offer(order: Order, why: str, now: datetime) -> bool:
    """Put before the customer what there is instead; False if there is nothing."""
    settings: Settings = current_app.extensions["settings"]
    options = {**_elsewhere(order, now), **_later(order, now)}
    if not options:
        return False
    order.offer = {"why": why, "options": options}
    order.offer_until = now + timedelta(hours=settings.choice_hours)
    db.session.flush()
    return True


def _elsewhere(order: Order, now: datetime) -> Mapping[str, Any]:
    """The nearest other store that has it all, or can be sent it, near where the customer wanted it."""
    store = directory().by_id[order.store_id]
    near = _wish_of(order).near or Coordinates(store.lat, store.lon)
    without = frozenset({order.store_id})
    route, stores = route_basket(quantities_of(order), Pickup(near, None), now=now, without=without)
    if route.plan is None:
        return {}
    option = Option(stores.by_id[route.plan.candidate.store_id], route.plan.ready_by)
    return {"move": option.as_json() | {"distance_m": route.plan.candidate.distance_m}}


def _later(order: Order, now: datetime) -> Mapping[str, Any]:
    """The same store, when it has been sent what it lacks."""
    ref = directory().by_id[order.store_id].ref
    route, stores = route_basket(quantities_of(order), Pickup(None, ref), now=now)
    if route.plan is None:
        return {}
    option = Option(stores.by_id[order.store_id], route.plan.ready_by)
    return {"wait": option.as_json() | {"distance_m": order.distance_m}}


def _forget_picking(order: Order) -> None:
    """What one shelf lacked is looked for again on another, and what was counted there lies there again."""
    order.staging_place = None
    for line in order.lines:
        order.total_amount += line.short * line.unit_amount
        line.short = line.picked = 0
