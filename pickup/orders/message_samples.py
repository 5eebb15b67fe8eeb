"""Sample data for every message: an order that does not exist, as it mostly is, and as it is at its oddest.

For whoever looks at templates or checks their own. Nothing here touches a database.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pickup.catalog.models import Product
from pickup.core import languages
from pickup.notifications.writing import PARTS
from pickup.orders.message_contexts import Context, collector_context, customer_context, store_context
from pickup.orders.models import Order, OrderLine
from pickup.stores.directory import EVER, StoreEntry
from pickup.stores.models import Store

KINDS = tuple(PARTS)
VARIETIES = ("usual", "long", "odd")
NOW = datetime(2026, 3, 5, 20, 30, tzinfo=UTC)
CURRENCY = "USD"

GOODS: Mapping[str, tuple[tuple[str, int, int], ...]] = {
    "usual": (("Whole milk, 1 gallon", 2, 359), ("Sourdough loaf", 1, 499), ("Free-range eggs, dozen", 1, 429)),
    "long": (
        ("Extra virgin olive oil from a single estate, cold pressed, in a dark glass bottle, 25.4 fl oz", 3, 189_900),
        ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, the board game", 1, 4999),
        *((f"Assorted screws, box {number}", number, 125) for number in range(1, 15)),
    ),
    "odd": (("Red wine", 1, 1299),),
}
PLACES: dict[str, dict[str, Any]] = {
    "usual": {
        "name": "Larkspur Bentonville",
        "street": "18 Orchard Lane",
        "city": "Bentonville",
        "state": "AR",
        "postcode": "72712",
        "phone": "+1 479 555 0101",
        "opening_hours": "Mo-Sa 08:00-21:00; Su 10:00-18:00",
    },
    "long": {
        "name": "Larkspur Home, Garden & Everything <Else> at the Old Railway Station of Fayetteville",
        "street": "The Very Long Avenue of the Seven Hundred Lanterns 12345, Building C, Second Gate on the Left",
        "city": "Fayetteville",
        "state": "AR",
        "postcode": "72701",
        "phone": "",
        "opening_hours": "Mo-Fr 06:00-11:00,12:00-14:30,15:00-22:00; Sa,Su 00:00-24:00",
    },
    "odd": {
        "name": "Larkspur Night",
        "street": "88 Paper Mill Way",
        "city": "Tulsa",
        "state": "OK",
        "postcode": "74103",
        "phone": "+1 918 555 0188",
        "opening_hours": "Mo-Sa 22:00-04:00; Su off",
    },
}
PLACES["other"] = PLACES["usual"] | {"name": "Larkspur Rogers", "street": "402 Millstone Road", "city": "Rogers"}
PEOPLE = {
    "usual": ("Ada Example", "Bo Collector"),
    "long": ("María Fernanda Guadalupe de la Santísima Trinidad Rodríguez-Villanueva y O'Connor", "欧阳 & Söhne <Bo>"),
    "odd": ("王小明", ""),
}


def sample(kind: str, variety: str = "usual") -> Context:
    """What a message of a kind speaks of, in the language that speaks at the moment.

    Args:
        variety: `usual`; `long`: names and lists; `odd`: a store open at night and hardly that, nothing to pay.
    """
    order, stores = _order(kind, variety), {1: _entry(_store(variety)), 2: _entry(_store("other", 2))}
    if kind.startswith("store_"):
        return store_context(order)
    if kind == "collector":
        return collector_context(order, stores, now=NOW)
    data = {"amount": 718, "from": "awaiting_payment" if variety == "odd" else "reserved"}
    return customer_context(kind, order, data, stores, now=NOW)


def samples(kind: str, language: str) -> dict[str, Context]:
    """All that a message of a kind may speak of, by variety, in a language."""
    with languages.speaking(language):
        return {variety: sample(kind, variety) for variety in VARIETIES}


STATUSES = {"store_new_order": "in_transit", "store_overdue": "picking", "store_customer_here": "ready"}


def _order(kind: str, variety: str) -> Order:
    name, collector = PEOPLE[variety]
    is_long, is_odd = variety == "long", variety == "odd"
    lines = [_line(number, *each, variety=variety) for number, each in enumerate(GOODS[variety])]
    total = 0 if is_odd else sum(line.charged_units * line.unit_amount for line in lines)
    return Order(
        id=uuid.UUID(int=7),
        number=1_000_042,
        status=STATUSES.get(kind, "ready") if is_long else "reserved",
        reason={"usual": "customer", "long": "out_of_stock", "odd": "staff"}[variety],
        customer_name=name,
        collector_name=collector or "Bo",
        collector_code="B7K-MQ2-XHD" if collector or kind == "collector" else None,
        collector_token="c" * 32,
        page_token="p" * 32,
        pickup_code="K4T-9WF-2RM",
        store_id=1,
        store=_store(variety),
        sourcing=[{}] if is_long else None,
        offer=_offer(variety),
        offer_until=NOW + timedelta(days=1),
        total_amount=total,
        returned_amount=0 if is_odd else 718,
        reduced_amount=25 if is_long else 0,
        currency=CURRENCY,
        ready_by=NOW + timedelta(hours=3),
        hold_until=NOW + timedelta(days=1 if is_odd else 7),
        staging_place="Shelf 4, left" if is_long else None,
        arrived_at=NOW - timedelta(minutes=4),
        arrival_bay="Bay 4" if is_long else None,
        arrival_car="red hatchback" if is_long else None,
        lines=lines,
    )


def _line(position: int, name: str, quantity: int, amount: int, *, variety: str) -> OrderLine:
    is_left_out = variety == "long" and position
    return OrderLine(
        position=position,
        product=Product(name=name, minimum_age=21 if variety == "odd" else None),
        quantity=quantity,
        short=1 if is_left_out and quantity > 2 and position % 2 else 0,
        refused=1 if is_left_out and quantity > 2 and position % 3 == 0 else 0,
        unit_amount=0 if variety == "odd" else amount,
        reduced_to=None,
    )


def _offer(variety: str) -> dict[str, Any]:
    wait, move = ({"store_id": number, "ready_by": (NOW + timedelta(days=number)).isoformat()} for number in (1, 2))
    if variety == "odd":
        return {"why": "store_closed", "options": {"move": move}}
    return {"why": "short_pick", "options": {"move": move, "wait": wait}}


def _store(variety: str, number: int = 1) -> Store:
    return Store(
        id=number,
        ref=str(number),
        country="US",
        lat=36.3577,
        lon=-94.2224,
        timezone="America/Chicago",
        price_zone="",
        kind="store",
        feed_state="heard",
        **PLACES[variety],
    )


def _entry(store: Store) -> StoreEntry:
    holiday = date(2026, 3, 6)
    return StoreEntry(
        **{name: getattr(store, name) for name in StoreEntry.__slots__ if hasattr(store, name)},
        special_days={holiday: "off"} if store.name == PLACES["odd"]["name"] else {},
        price_zones=[(EVER, "")],
        safety_floor=0,
    )
