"""The basket: a few lines that fit into a cookie. Pure; what they cost, only the API says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

# A browser keeps 4096 bytes of a cookie.
LINES_MAX = 30
NAME_MAX_CHARACTERS = 60
QUANTITY_MAX = 99

_ITEM = re.compile(r"/items/(\d+)(?:/|$)")


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product. The name is kept beside it, for a quote does not repeat it."""

    sku: str
    name: str
    quantity: int


Basket = tuple[Line, ...]


class BasketFull(Exception):
    """No more different products fit."""


def add(basket: Basket, sku: str, name: str, quantity: int = 1) -> Basket:
    """The basket with so many more of a product.

    Raises:
        BasketFull: it would be one line too many.
    """
    for line in basket:
        if line.sku == sku:
            return change(basket, sku, line.quantity + quantity)
    if len(basket) == LINES_MAX:
        raise BasketFull
    return (*basket, Line(sku, name[:NAME_MAX_CHARACTERS], min(quantity, QUANTITY_MAX)))


def change(basket: Basket, sku: str, quantity: int) -> Basket:
    """The basket with exactly so many of a product; 0 takes it out."""
    kept = min(quantity, QUANTITY_MAX)
    lines = (replace(line, quantity=kept) if line.sku == sku else line for line in basket)
    return tuple(line for line in lines if line.quantity > 0)


def count(basket: Basket) -> int:
    """How many pieces there are."""
    return sum(line.quantity for line in basket)


def items(basket: Basket) -> list[dict[str, str | int]]:
    """As the API wants it."""
    return [{"sku": line.sku, "quantity": line.quantity} for line in basket]


def quantity_of(text: str) -> int | None:
    """A number as somebody typed it; None where it is none."""
    text = text.strip()
    return min(int(text), QUANTITY_MAX) if text.isascii() and text.isdigit() and len(text) < 9 else None


def errors_by_sku(basket: Sequence[Line], fields: dict[str, str]) -> dict[str, str]:
    """What the API has against which line: it names them by pointers such as `/items/0/quantity`."""
    found = {}
    for pointer, detail in fields.items():
        place = _ITEM.match(pointer)
        if place and int(place[1]) < len(basket):
            found[basket[int(place[1])].sku] = detail
    return found
