"""HTTP of the pages about stock. They only show."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from flask import make_response, render_template
from sqlalchemy import Row

from pickup.catalog.queries import products_by_id
from pickup.core.pages import Pages
from pickup.inventory.models import StockLevel
from pickup.management import stock_queries
from pickup.management.asking import TYPED_MAX_CHARACTERS, all_cells, asked_store, one_page, typed, wants_csv
from pickup.management.csv_export import csv_response
from pickup.management.views import Answer, require_manager
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.service import known_product
from pickup.stores.directory import StoreEntry, fresh_directory

LEVEL_COLUMNS = ("sku", "name", "store_ref", "on_hand", "reserved", "safety_stock", "available")
MOVEMENT_COLUMNS = ("at", "store_ref", "kind", "on_hand_change", "reserved_change", "order")
KIND_WORDS = {
    "receipt": "Delivered",
    "count": "Counted",
    "sale": "Sold at a till",
    "return": "Came back",
    "reservation": "Reserved",
    "release": "Released",
    "handover": "Handed over",
    "transfer_out": "Sent to another store",
    "transfer_in": "Came from another store",
    "adjustment": "Corrected",
}

blueprint = Pages(
    "stock_admin",
    __name__,
    url_prefix="/admin/stock",
    static_folder=None,
    way_back=("/admin/stock", "Back to the stock"),
)
blueprint.before_request(require_manager)


class LevelRow(NamedTuple):
    """How many of a product a store has, and how many of them can still be promised."""

    sku: str
    name: str
    store: StoreEntry
    on_hand: int
    reserved: int
    safety_stock: int

    @property
    def available(self) -> int:
        """What can be promised; less than nothing where a till has sold what was promised."""
        return self.on_hand - self.reserved - self.safety_stock


@blueprint.get("")
def list_levels() -> Answer:
    """Levels of the store, or of all stores."""
    (store, error), words = asked_store(), typed("q")

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[LevelRow]:
        after = cast(tuple[str, int], position or ("", 0))
        rows = stock_queries.find_levels(words, store_id=store.id if store else None, after=after, limit=limit)
        stores = fresh_directory().by_id
        return [_level(row, stores[row.store_id]) for row in rows]

    if wants_csv() and not error:
        return csv_response("stock", LEVEL_COLUMNS, all_cells(read, _level_position, _level_cells))
    listed = {"rows": (), "next": None, "is_first": True} if error else one_page(read, _level_position, str, int)
    return render_template("management/stock.html", words=words, store_ref=typed("store"), error=error, **listed)


@blueprint.get("/<path:sku>")
def show_product(sku: str) -> Answer:
    """How many there are of one product, and what explains it."""
    try:
        product = products_by_id([known_product(sku)]).popitem()[1]
    except ProductNotFound:
        return make_response(render_template("management/stock_unknown.html", sku=sku[:TYPED_MAX_CHARACTERS]), 404)
    store, error = asked_store()
    store_id = store.id if store else None
    stores = fresh_directory().by_id

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[Row[Any]]:
        before = position[0] if position else None
        return stock_queries.movements_before(product.id, store_id=store_id, before=before, limit=limit)

    def cells(row: Row[Any]) -> Sequence[object]:
        order = row.order_number
        return row.at, stores[row.store_id].ref, row.kind, row.on_hand_change, row.reserved_change, order

    if wants_csv() and not error:
        return csv_response("movements", MOVEMENT_COLUMNS, all_cells(read, _movement_position, cells))
    listed = {"rows": (), "next": None, "is_first": True} if error else one_page(read, _movement_position, int)
    return render_template(
        "management/stock_product.html",
        product=product,
        store=store,
        store_ref=typed("store"),
        error=error,
        stores=stores,
        kind_words=KIND_WORDS,
        total=_total([] if error else stock_queries.levels_of(product.id, store_id=store_id)),
        **listed,
    )


def _level(row: Row[Any], store: StoreEntry) -> LevelRow:
    safety_stock = max(row.safety_stock, store.safety_floor)
    return LevelRow(row.sku, row.name, store, row.on_hand, row.reserved, safety_stock)


def _total(levels: Sequence[StockLevel]) -> dict[str, int]:
    """The sum of some levels; what one store lacks is not taken from what another can promise."""
    stores = fresh_directory().by_id
    safety_stocks = [max(level.safety_stock, stores[level.store_id].safety_floor) for level in levels]
    free = [level.on_hand - level.reserved - safety for level, safety in zip(levels, safety_stocks, strict=True)]
    return {
        "stores": len(levels),
        "on_hand": sum(level.on_hand for level in levels),
        "reserved": sum(level.reserved for level in levels),
        "safety_stock": sum(safety_stocks),
        "available": free[0] if len(free) == 1 else sum(max(each, 0) for each in free),
    }


def _level_cells(row: LevelRow) -> Sequence[object]:
    return row.sku, row.name, row.store.ref, row.on_hand, row.reserved, row.safety_stock, row.available


def _level_position(row: LevelRow) -> tuple[str, int]:
    return row.sku, row.store.id


def _movement_position(row: Row[Any]) -> tuple[int]:
    return (row.id,)
