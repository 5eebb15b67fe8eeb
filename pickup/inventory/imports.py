"""Stock from a CSV file: what somebody counted on the shelf."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pickup.core.clock import utcnow
from pickup.core.csv_columns import Column, lookup, optional, whole
from pickup.core.csv_import import Plan, merging
from pickup.core.db import db
from pickup.inventory.models import StockLevel, StockMovement
from pickup.inventory.shelf import ON_HAND_MAX, report_shortages

KEY = ("store_id", "product_id")
COUNT = sa.literal("count")


def plan(store_ids: Mapping[str, int], product_ids: Mapping[str, int]) -> Plan:
    """Stock levels by `store_ref` and `sku`.

    Args:
        store_ids: the id of each store's reference.
        product_ids: the id of each SKU.
    """
    level = StockLevel.__table__.c
    quantity = whole(0, ON_HAND_MAX)
    columns = [
        Column(name="store_ref", staged_as="store_id", parse=lookup(store_ids, "store"), sql_type=level.store_id.type),
        Column(
            name="sku", staged_as="product_id", parse=lookup(product_ids, "product"), sql_type=level.product_id.type
        ),
        Column(name="on_hand", parse=quantity, sql_type=level.on_hand.type),
        Column(name="safety_stock", parse=optional(quantity, 0), sql_type=level.safety_stock.type, required=False),
    ]
    return Plan(columns=columns, key=KEY, store=merging(_merge))


def _merge(staged: sa.Table) -> int:
    """Set the levels to what was counted. What is reserved stays, and so does what explains it."""
    new = _insert_missing(staged)
    _lock(staged)
    _record_differences(staged)
    _set(staged)
    _report_shortages(staged)
    return new


def _same_key(staged: sa.Table) -> sa.ColumnElement[bool]:
    return (StockLevel.store_id == staged.c.store_id) & (StockLevel.product_id == staged.c.product_id)


def _insert_missing(staged: sa.Table) -> int:
    """New levels with the movements that explain them; returns how many."""
    # In the order of the keys, like every lock: another import may be inserting the same ones.
    missing = sa.select(staged).where(~sa.exists().where(_same_key(staged))).order_by(*(staged.c[name] for name in KEY))
    new = (
        insert(StockLevel)
        .from_select(staged.c.keys(), missing)
        .on_conflict_do_nothing()
        .returning(StockLevel.store_id, StockLevel.product_id, StockLevel.on_hand)
        .cte("new")
    )
    recorded = _insert_movements(
        sa.select(new.c.store_id, new.c.product_id, COUNT, new.c.on_hand).where(new.c.on_hand != 0)
    )
    count = sa.select(sa.func.count()).select_from(new).add_cte(recorded.cte("recorded"))
    return db.session.execute(count).scalar_one()


def _lock(staged: sa.Table) -> None:
    # What `lock_stock_levels` does for a basket; these are too many to fetch.
    locked = (
        sa.select(StockLevel.store_id)
        .join(staged, _same_key(staged))
        .order_by(StockLevel.store_id, StockLevel.product_id)
        .with_for_update(of=StockLevel)
        .subquery()
    )
    db.session.execute(sa.select(sa.func.count()).select_from(locked))


def _record_differences(staged: sa.Table) -> None:
    change = staged.c.on_hand - StockLevel.on_hand
    differences = sa.select(staged.c.store_id, staged.c.product_id, COUNT, change).join(StockLevel, _same_key(staged))
    db.session.execute(_insert_movements(differences.where(change != 0)))


def _report_shortages(staged: sa.Table) -> None:
    short = (
        sa.select(StockLevel.store_id, StockLevel.product_id)
        .join(staged, _same_key(staged))
        .where(StockLevel.on_hand < StockLevel.reserved)
    )
    report_shortages([(store_id, product_id) for store_id, product_id in db.session.execute(short)], now=utcnow())


def _insert_movements(rows: sa.Select[Any]) -> sa.Insert:
    return sa.insert(StockMovement).from_select(["store_id", "product_id", "kind", "on_hand_change"], rows)


def _set(staged: sa.Table) -> None:
    counted = {column.name: column for column in staged.c if column.name not in KEY}
    level = StockLevel.__table__.c
    differs = sa.or_(*(level[name] != value for name, value in counted.items()))
    db.session.execute(
        sa.update(StockLevel).where(_same_key(staged), differs).values(counted),
        execution_options={"synchronize_session": False},
    )
