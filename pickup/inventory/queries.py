"""Named reads and named locks of stock."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    bindparam,
    column,
    false,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.sql import TableValuedAlias

from pickup.core.db import db, run
from pickup.inventory.models import MovementKind, StockCheck, StockLevel, StockMovement

STORES_REVISION = "stores"

# What happened to the goods themselves; the other kinds are promises, and corrections of the books.
PHYSICAL_KINDS: tuple[MovementKind, ...] = ("receipt", "sale", "return", "handover", "transfer_out", "transfer_in")

_INTEGERS = ARRAY(Integer())


_STORES_WITH_ALL = text("""
    SELECT coalesce(array_agg(store_id), '{}'), (SELECT coalesce(max(value), 0) FROM revisions WHERE name = :revision)
    FROM (
        SELECT asked.store_id
        FROM unnest(:store_ids, :floors) AS asked (store_id, floor)
        CROSS JOIN unnest(:product_ids, :quantities) AS wanted (product_id, quantity)
        JOIN stock_levels AS level ON level.store_id = asked.store_id AND level.product_id = wanted.product_id
        WHERE level.on_hand - level.reserved - greatest(level.safety_stock, asked.floor) >= wanted.quantity
        GROUP BY asked.store_id
        HAVING count(*) = cardinality(:product_ids)
    ) AS fulfilling
""").bindparams(*(bindparam(name, type_=_INTEGERS) for name in ("store_ids", "floors", "product_ids", "quantities")))


def stores_with_all(floors: Mapping[int, int], quantities: Mapping[int, int]) -> tuple[set[int], int]:
    """Which stores have every product in the quantity wanted, and the revision of the stores' data.

    A look, not a promise: only a reservation holds anything.

    Args:
        floors: the stores, by id, each with the units of every product that it keeps back from online.
        quantities: units by product id.
    """
    stores, revision = run(
        _STORES_WITH_ALL,
        {
            "store_ids": list(floors),
            "floors": list(floors.values()),
            "product_ids": list(quantities),
            "quantities": list(quantities.values()),
            "revision": STORES_REVISION,
        },
    ).one()
    return set(stores), revision


_UNRESERVED = """
    SELECT store_id, product_id, on_hand - reserved, safety_stock
    FROM stock_levels WHERE product_id = ANY(:product_ids) AND on_hand - reserved - safety_stock > 0
"""
_UNRESERVED_ANYWHERE = text(_UNRESERVED).bindparams(bindparam("product_ids", type_=_INTEGERS))
_UNRESERVED_AT = text(_UNRESERVED + " AND store_id = ANY(:store_ids)").bindparams(
    bindparam("product_ids", type_=_INTEGERS), bindparam("store_ids", type_=_INTEGERS)
)


def available_by_store(
    product_ids: Iterable[int], floor_of: Callable[[int], int], *, store_ids: Iterable[int] | None = None
) -> dict[int, dict[int, int]]:
    """What can be promised of some products, by store id and product id; where there is nothing, nothing is said.

    Args:
        floor_of: the units of every product that a store keeps back from online.
        store_ids: only of these; None for every store that has any.
    """
    if store_ids is None:
        rows = run(_UNRESERVED_ANYWHERE, {"product_ids": list(product_ids)})
    else:
        rows = run(_UNRESERVED_AT, {"product_ids": list(product_ids), "store_ids": list(store_ids)})
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for store_id, product_id, unreserved, safety_stock in rows:
        available = unreserved - max(safety_stock, floor_of(store_id))
        if available > 0:
            found[store_id][product_id] = available
    return dict(found)


_UNRESERVED_OF = text("""
    SELECT store_id, product_id, on_hand - reserved, safety_stock
    FROM unnest(:store_ids, :product_ids) AS asked (store_id, product_id) JOIN stock_levels USING (store_id, product_id)
""").bindparams(bindparam("store_ids", type_=_INTEGERS), bindparam("product_ids", type_=_INTEGERS))


def available_of(keys: Sequence[tuple[int, int]], floor_of: Callable[[int], int]) -> dict[tuple[int, int], int]:
    """What can be promised of some levels, by (store id, product id); never less than nothing.

    Args:
        floor_of: the units of every product that a store keeps back from online.
    """
    asked = {"store_ids": [store_id for store_id, _ in keys], "product_ids": [product_id for _, product_id in keys]}
    return {
        (store_id, product_id): max(unreserved - max(safety_stock, floor_of(store_id)), 0)
        for store_id, product_id, unreserved, safety_stock in run(_UNRESERVED_OF, asked)
    }


_UNRESERVED_TOTAL = text("""
    SELECT product_id, sum(on_hand - reserved - safety_stock)
    FROM stock_levels WHERE product_id = ANY(:product_ids) AND on_hand - reserved - safety_stock > 0
    GROUP BY product_id
""").bindparams(bindparam("product_ids", type_=_INTEGERS))


def is_anywhere(quantities: Mapping[int, int]) -> bool:
    """Whether all stores together have so many of each product: one quick statement before a long search."""
    totals: dict[int, int] = dict(run(_UNRESERVED_TOTAL, {"product_ids": list(quantities)}).all())
    return all(totals.get(product_id, 0) >= quantity for product_id, quantity in quantities.items())


def lock_stock_levels(keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], StockLevel]:
    """The levels of (store id, product id), locked in the order of their keys, as they are now.

    Every lock of several levels is taken in this order, so that two transactions never wait for each other.
    """
    ordered = sorted(set(keys))
    wanted = _unnest(store_id=(key[0] for key in ordered), product_id=(key[1] for key in ordered))
    levels = db.session.scalars(
        select(StockLevel)
        .join(wanted, (wanted.c.store_id == StockLevel.store_id) & (wanted.c.product_id == StockLevel.product_id))
        .order_by(StockLevel.store_id, StockLevel.product_id)
        .with_for_update(of=StockLevel)
        .execution_options(populate_existing=True)
    )
    return {(level.store_id, level.product_id): level for level in levels}


def physical_changes_after(store_id: int, instants: Mapping[int, datetime]) -> dict[int, int]:
    """How many units of each product came to a store, or (negative) left it, after an instant of each product's own."""
    asked = (
        func.unnest(
            _integers(instants.keys()),
            bindparam(None, list(instants.values()), ARRAY(DateTime(timezone=True)), unique=True),
        )
        .table_valued(column("product_id", Integer), column("at", DateTime(timezone=True)))
        .render_derived()
    )
    # A subquery for each product, not a join: who joins reads the whole past of the store, and drops nearly all of it.
    change = (
        select(func.sum(StockMovement.on_hand_change))
        .where(
            StockMovement.store_id == store_id,
            StockMovement.product_id == asked.c.product_id,
            StockMovement.kind.in_(PHYSICAL_KINDS),
            # True of all of them, and what the index says; a parameter would not match it.
            StockMovement.on_hand_change != literal_column("0"),
            StockMovement.at > asked.c.at,
        )
        .scalar_subquery()
    )
    rows = db.session.execute(select(asked.c.product_id, change))
    return {product_id: units for product_id, units in rows if units is not None}


def levels_after(
    position: tuple[int, int], *, store_id: int | None, product_id: int | None, limit: int
) -> Sequence[StockLevel]:
    """Stock levels in the order of their keys, from behind one."""
    wanted = select(StockLevel).where(_behind(position, store_id=store_id, product_id=product_id))
    if store_id is not None:
        wanted = wanted.where(StockLevel.store_id == store_id)
    if product_id is not None:
        wanted = wanted.where(StockLevel.product_id == product_id)
    return db.session.scalars(wanted.order_by(StockLevel.store_id, StockLevel.product_id).limit(limit)).all()


def _behind(position: tuple[int, int], *, store_id: int | None, product_id: int | None) -> ColumnElement[bool]:
    """That a level comes after a position; said of the one column that a filter leaves open, its index begins there."""
    after_store, after_product = position
    if store_id is not None:
        same_store = StockLevel.product_id > after_product if store_id == after_store else false()
        return true() if store_id > after_store else same_store
    if product_id is not None:
        return StockLevel.store_id >= after_store if product_id > after_product else StockLevel.store_id > after_store
    return tuple_(StockLevel.store_id, StockLevel.product_id) > position


def movements_after(
    position: int, *, store_id: int | None, product_id: int | None, limit: int
) -> Sequence[StockMovement]:
    """Movements, oldest first, from behind one."""
    # First the ids, which an index holds alone. For the whole rows of a busy store PostgreSQL would rather walk all
    # movements and pick, and where the store has none any more, walk to the end.
    wanted = select(StockMovement.id).where(StockMovement.id > position)
    if store_id is not None:
        wanted = wanted.where(StockMovement.store_id == store_id)
    if product_id is not None:
        wanted = wanted.where(StockMovement.product_id == product_id)
    ids = wanted.order_by(StockMovement.id).limit(limit).subquery("ids")
    page = select(StockMovement).join(ids, ids.c.id == StockMovement.id).order_by(StockMovement.id)
    return db.session.scalars(page).all()


def newest_check() -> StockCheck | None:
    """The last check of the books, if there has been one."""
    return db.session.scalars(select(StockCheck).order_by(StockCheck.id.desc()).limit(1)).one_or_none()


def _unnest(**columns: Iterable[int]) -> TableValuedAlias:
    """Rows out of array parameters: one prepared statement however many rows there are."""
    arrays = [bindparam(None, list(values), type_=ARRAY(Integer()), unique=True) for values in columns.values()]
    return func.unnest(*arrays).table_valued(*(column(name, Integer) for name in columns)).render_derived()


def _integers(values: Iterable[int]) -> Any:
    return bindparam(None, list(values), type_=ARRAY(Integer()), unique=True)
