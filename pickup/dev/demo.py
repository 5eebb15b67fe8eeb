"""The demo retailer: Larkspur, a small chain that does not exist, in towns that do.

The places of its stores come from the ZIP table that the geocoder uses anyway; names, goods and prices are invented.
"""

from collections.abc import Iterable
from datetime import timedelta

from flask import current_app

from pickup.catalog.gtin import check_digit
from pickup.catalog.models import Product
from pickup.core import auth, revisions
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.inventory.models import StockLevel, StockMovement
from pickup.pricing.models import Price
from pickup.staff import service as staff
from pickup.staff.models import Role
from pickup.stores.geocoding import Geocoding
from pickup.stores.models import Store, StoreKind
from pickup.stores.opening_hours import timezone_at

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

ON_HAND = 24
NAMES: dict[StoreKind, str] = {"store": "", "warehouse": "warehouse ", "partner": "kiosk "}
STAFF: tuple[tuple[str, Role, str], ...] = (("Ana", "associate", "2468"), ("Morgan", "manager", "8642"))
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
    # Since yesterday, so that everything that is looked at today has a price.
    since = utcnow() - timedelta(days=1)
    db.session.add(Price(product_id=product.id, amount=cents, currency="USD", valid_from=since, recorded_by="demo"))


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
        f"Demo: warehouse {WAREHOUSE[0]} alone has {sent}, and sends them; kiosk {KIOSK[0]} is sent all it hands over\n"
        f"Demo: an API key for the shop: {key}\n"
    )
