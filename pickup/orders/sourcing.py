"""Which store gives how many of what, where the shelf of the pickup point has not all of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Quantities = Mapping[int, int]
"""Units by product id."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What one store could give: units by product id."""

    store_id: int
    available: Quantities


@dataclass(frozen=True, slots=True)
class Source:
    """What one store gives for an order, and when it is at the pickup point; None: it lies on that shelf already."""

    store_id: int
    quantities: Quantities
    expected_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """As the order keeps it."""
        return {
            "store_id": self.store_id,
            "units": [[product_id, quantity] for product_id, quantity in sorted(self.quantities.items())],
            "expected_at": self.expected_at.isoformat() if self.expected_at else None,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Source":
        """What `as_json` wrote."""
        expected_at = datetime.fromisoformat(kept["expected_at"]) if kept["expected_at"] else None
        return cls(kept["store_id"], dict(kept["units"]), expected_at)


def take_from_shelf(wanted: Quantities, shelf: Quantities) -> dict[int, int]:
    """What the pickup point's own shelf gives: as much of each product as it has."""
    taken = {product_id: min(quantity, shelf.get(product_id, 0)) for product_id, quantity in wanted.items()}
    return {product_id: quantity for product_id, quantity in taken.items() if quantity > 0}


def missing_from(wanted: Quantities, taken: Quantities) -> dict[int, int]:
    """What is wanted and not taken."""
    left = {product_id: quantity - taken.get(product_id, 0) for product_id, quantity in wanted.items()}
    return {product_id: quantity for product_id, quantity in left.items() if quantity > 0}


def nearest_sources(missing: Quantities, stocks: Iterable[Stock]) -> dict[int, dict[int, int]] | None:
    """Each product from the nearest store that has all that is missing of it; where none has, from several.

    Args:
        stocks: nearest first; read only until everything is found.

    Returns:
        Units by store id and product id, or None where all together have too little.
    """
    found: dict[int, dict[int, int]] = {}
    left = dict(missing)
    seen: list[Stock] = []
    for stock in stocks:
        seen.append(stock)
        for product_id in [each for each in left if stock.available.get(each, 0) >= left[each]]:
            found.setdefault(stock.store_id, {})[product_id] = left.pop(product_id)
        if not left:
            return found
    return _gather(left, seen, found)


def fewest_sources(missing: Quantities, stocks: Iterable[Stock]) -> dict[int, dict[int, int]] | None:
    """As few stores as can be had by always taking the one that has most of what is missing (of equals the nearest).

    That is the greedy set cover (Chvátal, 1979): at most ln n + 1 times as many as there need be.
    """
    found: dict[int, dict[int, int]] = {}
    left, seen = dict(missing), list(stocks)
    while left:
        best = max(seen, key=lambda stock: _covered(left, stock), default=None)
        if best is None or not _covered(left, best):
            return _gather(left, seen, found)
        for product_id in [each for each in left if best.available.get(each, 0) >= left[each]]:
            found.setdefault(best.store_id, {})[product_id] = left.pop(product_id)
    return found


SOURCINGS = {"nearest": nearest_sources, "fewest_transfers": fewest_sources, "balance": nearest_sources}
"""How each routing policy finds what is missing."""


def _covered(left: Quantities, stock: Stock) -> int:
    return sum(stock.available.get(product_id, 0) >= quantity for product_id, quantity in left.items())


def _gather(
    left: dict[int, int], stocks: Sequence[Stock], found: dict[int, dict[int, int]]
) -> dict[int, dict[int, int]] | None:
    """No store has all that is left of these products: some from each, the nearest first."""
    for stock in stocks:
        for product_id, taken in take_from_shelf(left, stock.available).items():
            given = found.setdefault(stock.store_id, {})
            given[product_id] = given.get(product_id, 0) + taken
            left[product_id] -= taken
            if not left[product_id]:
                del left[product_id]
    return found if not left else None
