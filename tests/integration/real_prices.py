"""What a real chain's tills charged, line by line, and the price history behind it: plain Python, no ledger of ours."""

import csv
import gzip
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

FILE = "loyalty/transactions_w01_13.csv.gz"
# What a week's prices begin with: its Monday, where the chain is.
WHERE, FIRST_MONDAY, WEEKS = ZoneInfo("America/New_York"), date(2016, 12, 26), 13
BEGINS = [
    datetime.combine(FIRST_MONDAY + timedelta(weeks=week), time(), WHERE).astimezone(UTC) for week in range(WEEKS)
]
AHEAD = timedelta(days=3)
# Nobody carries more of one thing; fuel is counted in the thousands.
UNITS_MAX = 100


@dataclass(frozen=True, slots=True)
class TillLine:
    """So many of a product at a shelf price, in cents, before what loyalty and coupons took off."""

    sku: str
    units: int
    cents: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What somebody bought at once."""

    ref: str
    store: str
    at: datetime
    lines: list[TillLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price of a product in a store: since when, known since when."""

    valid_from: datetime
    known_from: datetime
    cents: int


def week_of(at: datetime) -> int:
    """The week that an instant is in; 0 is the first."""
    return bisect_right(BEGINS, at) - 1


def read_baskets(shared_data: Path) -> tuple[list[Basket], Counter[str]]:
    """Every basket in the order of time, and how many lines there were of each sort: those that are left out, why."""
    baskets: dict[str, Basket] = {}
    sorts: Counter[str] = Counter()
    with gzip.open(shared_data / FILE, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            line = _shelf_line(row)
            sorts[line if isinstance(line, str) else "taken"] += 1
            if isinstance(line, str):
                continue
            at = datetime.fromisoformat(row["transaction_timestamp"]).replace(tzinfo=UTC)
            assert week_of(at) == int(row["week"]) - 1, row
            basket = baskets.setdefault(row["basket_id"], Basket(row["basket_id"], row["store_id"], at))
            basket.lines.append(line)
    return sorted(baskets.values(), key=lambda basket: basket.at), sorts


def _shelf_line(row: dict[str, str]) -> TillLine | str:
    """The line at the price that stood on the shelf, or why it has none: all that was taken off is put back on."""
    units = int(row["quantity"])
    if units <= 0:
        return "no units"
    if units > UNITS_MAX:
        return "too many units"
    cents = 100 * sum(Decimal(row[name]) for name in ("sales_value", "retail_disc", "coupon_match_disc"))
    if cents <= 0:
        return "for nothing"
    if cents % units:
        return "no whole cents"
    return TillLine(row["product_id"], units, int(cents / units))


def most_frequent(amounts: Counter[int]) -> int:
    """Of several prices the one seen most often; of those as frequent the lowest."""
    return min(amounts, key=lambda cents: (-amounts[cents], cents))


def central_prices(baskets: list[Basket]) -> dict[str, int]:
    """One price for each product, in cents: the most frequent of all stores and weeks."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for basket in baskets:
        for line in basket.lines:
            seen[line.sku][line.cents] += 1
    return {sku: most_frequent(amounts) for sku, amounts in seen.items()}


class History:
    """A price for each product, store and week in which it was sold there; until the next one it stays.

    Prices of products with an odd number are known some days before they hold, the others when they begin.
    """

    def __init__(self, baskets: list[Basket]) -> None:
        self.points: dict[tuple[str, str], list[PricePoint]] = defaultdict(list)
        seen: dict[tuple[str, str, int], Counter[int]] = defaultdict(Counter)
        for basket in baskets:
            for line in basket.lines:
                seen[basket.store, line.sku, week_of(basket.at)][line.cents] += 1
        for (store, sku, week), amounts in sorted(seen.items()):
            cents, points = most_frequent(amounts), self.points[store, sku]
            if not points or points[-1].cents != cents:
                begins = BEGINS[week]
                points.append(PricePoint(begins, begins - AHEAD if int(sku) % 2 else begins, cents))

    def price(self, store: str, sku: str, at: datetime, *, told_before: datetime | None = None) -> int | None:
        """Cents at an instant; by what was known before another one, if that is given."""
        cents = None
        for point in self.points[store, sku]:
            if point.valid_from <= at and (told_before is None or point.known_from < told_before):
                cents = point.cents
        return cents

    def news(self) -> dict[datetime, list[tuple[str, str, PricePoint]]]:
        """By the instant at which they become known: store, SKU and price."""
        news: dict[datetime, list[tuple[str, str, PricePoint]]] = defaultdict(list)
        for (store, sku), points in self.points.items():
            for point in points:
                news[point.known_from].append((store, sku, point))
        return news
