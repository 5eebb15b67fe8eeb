"""The demo retailer: Larkspur, a small chain that does not exist, in towns that do.

The places of its stores come from the ZIP table that the geocoder uses anyway; names, goods and prices are invented.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import cycle

from flask import current_app

from pickup.catalog.gtin import check_digit
from pickup.catalog.models import Product
from pickup.core import auth, revisions
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.inventory.models import StockLevel, StockMovement
from pickup.pricing.models import Price
from pickup.pricing.queries import PriceInForce, prices_in_force
from pickup.staff import service as staff
from pickup.staff.models import Role
from pickup.stores.geocoding import Geocoding
from pickup.stores.models import Store, StoreKind
from pickup.stores.opening_hours import timezone_at
from pickup.tills.models import ParityBreach, TillSale, TillSaleLine

WEEKDAYS = "Mo-Sa 08:00-21:00; Su 10:00-18:00"

# ref, ZIP, town, state, street, opening hours
STORES = (
    ("101", "72712", "Bentonville", "AR", "18 Orchard Lane", WEEKDAYS),
    ("102", "72756", "Rogers", "AR", "402 Millstone Road", WEEKDAYS),
    ("103", "72764", "Springdale", "AR", "77 Kiln Street", WEEKDAYS),
    ("104", "72701", "Fayetteville", "AR", "9 Lantern Court", "Mo-Su 07:00-23:00"),
    ("105", "72761", "Siloam Springs", "AR", "230 Weaver Avenue", WEEKDAYS),
    ("106", "72601", "Harrison", "AR", "61 Hickory Square", WEEKDAYS),
    ("201", "64801", "Joplin", "MO", "515 Foundry Street", WEEKDAYS),
    ("202", "65806", "Springfield", "MO", "1200 Sundial Avenue", "Mo-Su 07:00-23:00"),
    ("301", "74103", "Tulsa", "OK", "88 Paper Mill Way", "24/7"),
    ("302", "73102", "Oklahoma City", "OK", "340 Quarry Street", WEEKDAYS),
)

# Nobody collects there; it sends what no shop has on its shelf.
WAREHOUSE = ("DC-1", "72745", "Lowell", "AR", "3 Depot Road", "Mo-Sa 05:00-23:00")
# A counter in somebody else's shop: whatever is collected there is sent there.
KIOSK = ("K-1", "72727", "Elkins", "AR", "5 Mercantile Row", "Mo-Sa 09:00-19:00; Su 12:00-17:00")
# Orders an hour, for the one shop that has a limit.
HOURLY_CAPACITY = {"102": 4}

# SKU, name, department, brand, cents, minimum age
PRODUCTS = (
    ("1001", "Whole milk, 1 gal", "Dairy", "Larkspur", 349, None),
    ("1002", "Eggs, large, dozen", "Dairy", "Larkspur", 289, None),
    ("1003", "Butter, salted, 1 lb", "Dairy", "Fallow Farm", 459, None),
    ("1004", "Greek yogurt, plain, 32 oz", "Dairy", "Fallow Farm", 529, None),
    ("2001", "Bananas, 3 lb", "Produce", "", 177, None),
    ("2002", "Gala apples, 3 lb bag", "Produce", "", 439, None),
    ("2003", "Baby spinach, 10 oz", "Produce", "Greenhand", 398, None),
    ("2004", "Yellow onions, 3 lb bag", "Produce", "", 299, None),
    ("3001", "Sourdough loaf", "Bakery", "Hearth & Hand", 499, None),
    ("3002", "Bagels, plain, 6 pack", "Bakery", "Hearth & Hand", 379, None),
    ("4001", "Spaghetti, 1 lb", "Pantry", "Larkspur", 149, None),
    ("4002", "Crushed tomatoes, 28 oz", "Pantry", "Terrazza", 229, None),
    ("4003", "Olive oil, extra virgin, 25 oz", "Pantry", "Terrazza", 1199, None),
    ("4004", "Ground coffee, medium roast, 12 oz", "Pantry", "Kettle Road", 899, None),
    ("4005", "Black tea, 80 bags", "Pantry", "Kettle Road", 429, None),
    ("5001", "Dish soap, lemon, 24 oz", "Household", "Brightwell", 349, None),
    ("5002", "Laundry detergent, 92 oz", "Household", "Brightwell", 1297, None),
    ("5003", "Paper towels, 6 rolls", "Household", "Larkspur", 949, None),
    ("5004", "LED bulb, 60 W equivalent, 4 pack", "Household", "Glimmer", 879, None),
    ("6001", "Desk lamp, oak and linen", "Home", "Glimmer", 3499, None),
    ("6002", "Wool throw, 50 × 60 in", "Home", "Fallow Farm", 4999, None),
    ("6003", "Cast-iron skillet, 10 in", "Home", "Hearth & Hand", 2499, None),
    ("7001", "Red wine, Tempranillo, 750 ml", "Wine", "Terrazza", 1149, 21),
    ("7002", "Lager, 6 × 12 oz", "Wine", "Kettle Road", 999, 21),
)

# What only the warehouse has.
FROM_WAREHOUSE = (
    ("8001", "Rocking chair, oak", "Home", "Fallow Farm", 18900, None),
    ("8002", "Rain barrel, 50 gal", "Garden", "Greenhand", 11900, None),
)

# What a price was and will be, where it is not the same all the time: days from now, the zone, cents, why.
CHANGES = {
    "4004": (
        (-45, "", 949, ""),
        (-24, "", 799, "weekend offer"),
        (-21, "", 949, "end of the offer"),
        (-17, "oklahoma", 929, "the shop across the street"),
        (-8, "", 899, "beans are cheaper"),
        (4, "", 849, "holiday offer"),
        (9, "", 899, "end of the offer"),
    ),
}
# The stores whose price zone is not everywhere.
ZONES = {"301": "oklahoma", "302": "oklahoma"}
# What the till of one shop has sold: every so many hours so many units, and once at a price that had just ended.
SOLD_SKU, SOLD_AT, SOLD_EVERY_HOURS, SOLD_UNITS = "4004", "101", 11, (1, 2, 1, 3, 1, 1, 6, 2)
OVERCHARGED_HOURS, OVERCHARGED_CENTS = -8 * 24 + 5, 949

ON_HAND = 24
NAMES: dict[StoreKind, str] = {"store": "", "warehouse": "warehouse ", "partner": "kiosk "}
STAFF: tuple[tuple[str, Role, str], ...] = (("Ana", "associate", "2468"), ("Morgan", "manager", "8642"))
# Looks after every store, and signs in at the first.
HEAD_OFFICE: tuple[str, Role, str] = ("Riley", "head_office", "9753")
# What GS1 keeps free for use inside a company, so that no demo article has a real one's number.
GTIN_PREFIX = "20000000"


def plant_demo() -> str:
    """Make the chain in the present transaction; returns how to sign in, for people."""
    shops, warehouse = [_store(*row) for row in STORES], _store(*WAREHOUSE, kind="warehouse")
    stores = [*shops, warehouse, _store(*KIOSK, kind="partner")]
    usual, special = _products(PRODUCTS), _products(FROM_WAREHOUSE)
    db.session.add_all([*stores, *usual, *special])
    db.session.flush()
    for product, row in zip([*usual, *special], [*PRODUCTS, *FROM_WAREHOUSE], strict=True):
        _price(product, row[4])
    _sell(next(store for store in shops if store.ref == SOLD_AT), next(each for each in usual if each.sku == SOLD_SKU))
    for store in shops:
        for product in usual:
            # Every store lacks something, so that a route has something to explain.
            _stock(store, product, 0 if (store.id + product.id) % 7 == 0 else ON_HAND)
    for product in special:
        _stock(warehouse, product, ON_HAND)
    revisions.bump("stores")
    for store in stores:
        for name, role, pin in STAFF:
            staff.create_member(store_ref=store.ref, name=name, role=role, pin=pin)
    name, role, pin = HEAD_OFFICE
    staff.create_member(store_ref=shops[0].ref, name=name, role=role, pin=pin)
    return _note(auth.create_key("demo-shop", ["shop"]))


def _store(ref: str, zip_code: str, city: str, state: str, street: str, hours: str, kind: StoreKind = "store") -> Store:
    geocoding: Geocoding = current_app.extensions["geocoding"]
    place = geocoding.locate_postcode(zip_code, "US")
    return Store(
        ref=ref,
        name=f"Larkspur {NAMES[kind]}{city}",
        street=street,
        city=city,
        state=state,
        postcode=zip_code,
        country="US",
        lat=place.lat,
        lon=place.lon,
        opening_hours=hours,
        timezone=timezone_at(place.lat, place.lon),
        hourly_capacity=HOURLY_CAPACITY.get(ref),
        price_zone=ZONES.get(ref, ""),
        kind=kind,
    )


def _products(rows: Iterable[tuple[str, str, str, str, int, int | None]]) -> list[Product]:
    return [_product(*row[:4], row[5]) for row in rows]


def _product(sku: str, name: str, department: str, brand: str, minimum_age: int | None) -> Product:
    body = GTIN_PREFIX + sku
    return Product(
        sku=sku,
        name=name,
        department=department,
        brand=brand,
        minimum_age=minimum_age,
        gtin=body + check_digit(body),
    )


def _price(product: Product, cents: int) -> None:
    # Since yesterday at least, so that everything that is looked at today has a price.
    for days, zone, amount, reason in CHANGES.get(product.sku, ((-1, "", cents, ""),)):
        stated = {"zone": zone, "amount": amount, "currency": "USD", "reason": reason, "recorded_by": "demo"}
        db.session.add(Price(product_id=product.id, valid_from=utcnow() + timedelta(days=days), **stated))
    db.session.flush()  # the versions in the order of the changes


def _sell(store: Store, product: Product) -> None:
    """What a till told in the past weeks, before the shelves were counted. Its register is not there yet: it would be
    missed when it says nothing more, and the shop would close for orders."""
    now = utcnow()
    hours = range(-30 * 24, -1, SOLD_EVERY_HOURS)
    for hour, units in zip(hours, cycle(SOLD_UNITS), strict=False):
        _sale(store, product, now + timedelta(hours=hour), units)
    at = now + timedelta(hours=OVERCHARGED_HOURS)
    sale, held = _sale(store, product, at, 1, charged=OVERCHARGED_CENTS)
    db.session.add(
        ParityBreach(
            kind="price",
            sale_id=sale.id,
            store_id=store.id,
            register=sale.register,
            product_id=product.id,
            charged_amount=OVERCHARGED_CENTS,
            charged_currency=held.currency,
            ledger_amount=held.amount,
            ledger_currency=held.currency,
            ledger_version=held.version,
            at=at,
        )
    )


def _sale(
    store: Store, product: Product, at: datetime, units: int, *, charged: int | None = None
) -> tuple[TillSale, PriceInForce]:
    """A sale of one product, at the price that held or at another; returns that price, too."""
    held = prices_in_force([product.id], store.price_zone, at=at)[product.id]
    sale = TillSale(store_id=store.id, ref=f"demo-{at:%m%d%H%M}", register="1", at=at)
    db.session.add(sale)
    db.session.flush()
    amount = held.amount if charged is None else charged
    line = {"sale_id": sale.id, "position": 0, "product_id": product.id, "quantity": units}
    db.session.add(TillSaleLine(**line, unit_amount=amount, currency=held.currency))
    return sale, held


def _stock(store: Store, product: Product, on_hand: int) -> None:
    place = {"store_id": store.id, "product_id": product.id}
    db.session.add(StockLevel(**place, on_hand=on_hand))
    if on_hand:
        db.session.add(StockMovement(**place, kind="receipt", on_hand_change=on_hand))


def _note(key: str) -> str:
    people = ", ".join(f"{name} ({role}) PIN {pin}" for name, role, pin in STAFF)
    sent = ", ".join(row[0] for row in FROM_WAREHOUSE)
    return (
        f"Demo: the tablet of store 101, as of every store: {people}\n"
        f"Demo: every store at /admin, by store {STORES[0][0]}: {HEAD_OFFICE[0]} (head office) PIN {HEAD_OFFICE[2]}\n"
        f"Demo: the price of {SOLD_SKU} went up and down, managers see how at /admin/prices/{SOLD_SKU}\n"
        f"Demo: warehouse {WAREHOUSE[0]} alone has {sent}, and sends them; kiosk {KIOSK[0]} is sent all it hands over\n"
        f"Demo: an API key for the shop: {key}\n"
    )
