"""Products from a CSV file."""

from functools import partial
from urllib.parse import urlsplit

from pickup.catalog import gtin
from pickup.catalog.models import Product
from pickup.core.csv_columns import columns_of, key, optional, quoted, text, whole
from pickup.core.csv_import import Plan, merging
from pickup.core.staging import upsert

AGE_MAX_YEARS = 120
MAX_PER_ORDER_MAX = 1_000_000
HOLD_DAYS_MAX = 365
URL_MAX_CHARACTERS = 2000


def plan() -> Plan:
    """Products by `sku`."""
    columns = columns_of(
        Product.__table__,
        required={"sku": key(), "name": text(empty=False)},
        optional={
            "gtin": optional(_gtin, ""),
            "department": text(),
            "brand": text(),
            "image_url": optional(_url, ""),
            "minimum_age": optional(whole(0, AGE_MAX_YEARS)),
            "max_per_order": optional(whole(1, MAX_PER_ORDER_MAX)),
            "hold_days": optional(whole(1, HOLD_DAYS_MAX)),
        },
    )
    return Plan(columns=columns, key=("sku",), store=merging(partial(upsert, Product.__table__, key="sku")))


def _gtin(cell: str) -> str:
    gtin.validate(cell)
    return cell


def _url(cell: str) -> str:
    try:
        parts = urlsplit(cell)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # a bracket that belongs to no IPv6 address
        is_usable = False
    if not is_usable or not cell.isprintable() or " " in cell or len(cell) > URL_MAX_CHARACTERS:
        raise ValueError(f"must be an http or https address, not {quoted(cell)}")
    return cell
