"""What a shop asks for, before anything is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pickup.catalog.queries import BasketProduct, basket_products
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.types import Money
from pickup.pricing.queries import PriceInForce

QUANTITY_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a basket as it was sent."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Basket:
    """Products and how many of each; a SKU named twice is one line."""

    quantities: Mapping[int, int]
    products: Mapping[int, BasketProduct]

    @property
    def keeps_days(self) -> int | None:
        """For how many days the goods keep that keep shortest; None where no product sets a limit."""
        return min((product.hold_days for product in self.products.values() if product.hold_days), default=None)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its price from the ledger."""

    product: BasketProduct
    quantity: int
    unit_price: Money
    price_version: int

    @property
    def total(self) -> Money:
        """Units times price; there are no fractions of a minor unit to round."""
        return self.unit_price * self.quantity


def read_basket(items: Sequence[Item]) -> Basket:
    """Resolve SKUs and add up those that occur twice.

    Raises:
        InvalidFields: unknown SKUs, or more of a product than one order may have; names each line.
    """
    products = basket_products({item.sku for item in items})
    quantities: dict[int, int] = {}
    errors: list[FieldError] = []
    for position, item in enumerate(items):
        product = products.get(item.sku)
        if product is None:
            errors.append(FieldError(f"/items/{position}/sku", f"{item.sku[:60]!r} is not a product we sell"))
            continue
        quantity = quantities[product.id] = quantities.get(product.id, 0) + item.quantity
        limit = product.max_per_order or QUANTITY_MAX
        if quantity > limit:
            errors.append(FieldError(f"/items/{position}/quantity", f"at most {limit} of this product an order"))
    if errors:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:5]), errors=errors)
    return Basket(quantities, {product.id: product for product in products.values()})


def price_lines(basket: Basket, prices: Mapping[int, PriceInForce]) -> list[PricedLine]:
    """Put the prices in force on the lines.

    Raises:
        InvalidFields: a product without a price, or a basket in two currencies.
    """
    unpriced = [product.sku for product in basket.products.values() if product.id not in prices]
    if unpriced:
        raise InvalidFields.at("/items", f"no price here for {', '.join(sorted(unpriced)[:5])}")
    currencies = {price.currency for price in prices.values()}
    if len(currencies) > 1:
        raise InvalidFields.at("/items", f"one order has one currency, these have {', '.join(sorted(currencies))}")
    return [
        PricedLine(
            basket.products[product_id],
            quantity,
            Money(prices[product_id].amount, prices[product_id].currency),
            prices[product_id].version,
        )
        for product_id, quantity in basket.quantities.items()
    ]


def total_of(lines: Sequence[PricedLine]) -> Money:
    """What the basket costs."""
    total = lines[0].total
    for line in lines[1:]:
        total = total + line.total
    return total
