"""Named reads and named locks of stock."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, any_, bindparam, column, func, select, tuple_
from sqlalchemy.sql import TableValuedAlias

from pickup.core import revisions
from pickup.core.db import db
from pickup.inventory.models import MovementKind, StockCheck, StockLevel, StockMovement

STORES_REVISION = "stores"

# What happened to the goods themselves; the other kinds are promises, and corrections of the books.
PHYSICAL_KINDS: tuple[MovementKind, ...] = ("receipt", "sale", "return", "handover")

AVAILABLE = StockLevel.on_hand - StockLevel.reserved - StockLevel.safety_stock


def stores_with_all(store_ids: Sequence[int], quantities: Mapping[int, int]) -> tuple[set[int], int]:
    """Which of the stores have every product in the quantity wanted, and the revision of the stores' data.

    A look, not a promise: only a reservation holds anything.
    """
    wanted = _unnest(product_id=quantities.keys(), quantity=quantities.values())
    fulfilling = (
        select(StockLevel.store_id)
        .join(wanted, wanted.c.product_id == StockLevel.product_id)
        .where(StockLevel.store_id == any_(_integers(store_ids)), wanted.c.quantity <= AVAILABLE)
        .group_by(StockLevel.store_id)
        .having(func.count() == len(quantities))
        .subquery()
    )
    found = select(func.array_agg(fulfilling.c.store_id)).scalar_subquery()
    stores, revision = db.session.execute(select(found, revisions.current(STORES_REVISION))).one()
    return set(stores or ()), revision


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
    rows = db.session.execute(
        select(StockMovement.product_id, func.sum(StockMovement.on_hand_change))
        .join(asked, asked.c.product_id == StockMovement.product_id)
        .where(
            StockMovement.store_id == store_id,
            StockMovement.kind.in_(PHYSICAL_KINDS),
            StockMovement.at > asked.c.at,
        )
        .group_by(StockMovement.product_id)
    )
    return dict(rows.all())


def levels_after(
    position: tuple[int, int], *, store_id: int | None, product_id: int | None, limit: int
) -> Sequence[StockLevel]:
    """Stock levels in the order of their keys, from behind one."""
    wanted = select(StockLevel).where(tuple_(StockLevel.store_id, StockLevel.product_id) > position)
    if store_id is not None:
        wanted = wanted.where(StockLevel.store_id == store_id)
    if product_id is not None:
        wanted = wanted.where(StockLevel.product_id == product_id)
    return db.session.scalars(wanted.order_by(StockLevel.store_id, StockLevel.product_id).limit(limit)).all()


def movements_after(
    position: int, *, store_id: int | None, product_id: int | None, limit: int
) -> Sequence[StockMovement]:
    """Movements, oldest first, from behind one."""
    wanted = select(StockMovement).where(StockMovement.id > position)
    if store_id is not None:
        wanted = wanted.where(StockMovement.store_id == store_id)
    if product_id is not None:
        wanted = wanted.where(StockMovement.product_id == product_id)
    return db.session.scalars(wanted.order_by(StockMovement.id).limit(limit)).all()


def newest_check() -> StockCheck | None:
    """The last check of the books, if there has been one."""
    return db.session.scalars(select(StockCheck).order_by(StockCheck.id.desc()).limit(1)).one_or_none()


def _unnest(**columns: Iterable[int]) -> TableValuedAlias:
    """Rows out of array parameters: one prepared statement however many rows there are."""
    arrays = [bindparam(None, list(values), type_=ARRAY(Integer()), unique=True) for values in columns.values()]
    return func.unnest(*arrays).table_valued(*(column(name, Integer) for name in columns)).render_derived()


def _integers(values: Iterable[int]) -> Any:
    return bindparam(None, list(values), type_=ARRAY(Integer()), unique=True)
