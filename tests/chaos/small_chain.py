"""What the shop sells, as the files that a retailer imports."""

from tests.chaos.good_shop import SKUS, STORES, rare

PLENTY = 10_000


def small_chain(orders: int) -> dict[str, list[tuple[object, ...]]]:
    """Every store has plenty of everything, but for two products that only one store has, each another.

    Args:
        orders: how many there will be; each may want a product of its own.
    """
    stores = [f"S{number}" for number in range(STORES)]
    everywhere = [*(f"P{number}" for number in range(SKUS)), *map(rare, range(orders))]
    scattered = {"ONLY-S0": "S0", "ONLY-S1": "S1"}
    place = ("1 Main Street", "Bentonville", "AR", "72712", "US")
    columns = "ref,name,street,city,state,postcode,country,lat,lon,opening_hours,timezone"
    return {
        "stores": [
            tuple(columns.split(",")),
            *((ref, f"Store {ref}", *place, 36.37, -94.2 + n / 10, "24/7", "") for n, ref in enumerate(stores)),
        ],
        "products": [("sku", "name"), *((sku, f"Product {sku}") for sku in (*everywhere, *scattered))],
        "prices": [("sku", "currency", "amount"), *((sku, "USD", "3.59") for sku in (*everywhere, *scattered))],
        "stock": [
            ("store_ref", "sku", "on_hand"),
            *((ref, sku, PLENTY) for ref in stores for sku in everywhere),
            *((ref, sku, PLENTY) for sku, ref in scattered.items()),
        ],
    }
