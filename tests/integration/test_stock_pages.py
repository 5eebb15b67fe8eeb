"""Pages of stock and its movements: complete whatever the filter, and each by an index of its own."""

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pickup.core.db import db, unit_of_work
from pickup.inventory import queries
from pickup.inventory.models import StockLevel, StockMovement

STORES, PRODUCTS = 6, 5
START = datetime(2026, 3, 3, tzinfo=UTC)
FILTERS = [(None, None), (2, None), (None, 3), (2, 3), (6, None), (None, 5)]


@pytest.fixture
def stock(world):
    """Six stores with five products and 20,000 movements; store 6 has closed long ago."""
    for number in range(STORES):
        world.store(str(number))
    for number in range(PRODUCTS):
        world.product(str(number), price=None)
    with unit_of_work():
        db.session.execute(
            sa.text(
                "INSERT INTO stock_levels (store_id, product_id)"
                " SELECT s, p FROM generate_series(1, 6) AS s, generate_series(1, 5) AS p WHERE (s + p) % 7 > 0"
            )
        )
        db.session.execute(
            sa.text(
                "INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change, at)"
                " SELECT CASE WHEN i <= 5000 AND i % 2 = 0 THEN 6 ELSE 1 + i % 5 END, 1 + i / 7 % 5,"
                "        CASE WHEN i % 3 = 0 THEN 'reservation' ELSE 'sale' END,"
                "        CASE WHEN i % 3 = 0 THEN 0 ELSE -1 END, :start + i * interval '1 minute'"
                " FROM generate_series(1, 20000) AS i"
            ),
            {"start": START},
        )
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE stock_movements, stock_levels"))


def matches(row, store_id, product_id) -> bool:
    return row.store_id == (store_id or row.store_id) and row.product_id == (product_id or row.product_id)


@pytest.mark.parametrize(("store_id", "product_id"), FILTERS)
def test_levels_from_behind_any_position(stock, store_id, product_id):
    everything = db.session.scalars(sa.select(StockLevel).order_by(StockLevel.store_id, StockLevel.product_id)).all()
    wanted = [(row.store_id, row.product_id) for row in everything if matches(row, store_id, product_id)]

    for position in [(store, product) for store in range(STORES + 2) for product in range(PRODUCTS + 2)]:
        found = queries.levels_after(position, store_id=store_id, product_id=product_id, limit=100)
        assert [(row.store_id, row.product_id) for row in found] == [key for key in wanted if key > position]


@pytest.mark.parametrize(("store_id", "product_id"), FILTERS)
def test_movements_page_by_page(stock, store_id, product_id):
    everything = db.session.scalars(sa.select(StockMovement).order_by(StockMovement.id)).all()
    wanted = [row.id for row in everything if matches(row, store_id, product_id)]

    found, position = [], 0
    while page := queries.movements_after(position, store_id=store_id, product_id=product_id, limit=1500):
        found += [row.id for row in page]
        position = found[-1]

    assert found == wanted


def plan_of(work) -> str:
    """How PostgreSQL does the last statement of some work once it has prepared it, for whatever values may come."""
    said = []

    def remember(connection, cursor, statement, parameters, context, executemany):
        said[:] = [statement]

    sa.event.listen(db.engine, "before_cursor_execute", remember)
    try:
        work()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", remember)
    numbers = itertools.count(1)
    statement = re.sub(r"%\(\w+\)s", lambda _: f"${next(numbers)}", said[0])
    raw = db.session.connection().connection.cursor()
    if raw.connection.info.server_version < 160000:
        pytest.skip("PostgreSQL 16 is the first to explain what it prepares")
    raw.execute("SET LOCAL enable_seqscan = off")
    plan = "\n".join(row[0] for row in raw.execute(f"EXPLAIN (GENERIC_PLAN) {statement}").fetchall())
    db.session.rollback()
    return plan


INDEXES = [
    (None, None, "pk_stock_movements"),
    (6, None, "ix_stock_movements_store_id_id"),
    (None, 3, "ix_stock_movements_product_id_id"),
    (6, 3, "ix_stock_movements_store_id_product_id_id"),
]


@pytest.mark.parametrize(("store_id", "product_id", "index"), INDEXES)
def test_each_filter_has_its_index(stock, store_id, product_id, index):
    plan = plan_of(lambda: queries.movements_after(9000, store_id=store_id, product_id=product_id, limit=101))

    assert f"Index Only Scan using {index} " in plan
    assert "Filter" not in plan


def test_what_happened_after_a_count(stock):
    def expected(product_id, after):
        rows = db.session.scalars(sa.select(StockMovement).where(StockMovement.store_id == 2)).all()
        return sum(row.on_hand_change for row in rows if row.product_id == product_id and row.at > after)

    instants = {1: START + timedelta(minutes=19000), 2: START, 3: START + timedelta(minutes=20000), 99: START}

    changes = queries.physical_changes_after(2, instants)

    assert changes == {product_id: expected(product_id, instants[product_id]) for product_id in (1, 2)}


def test_a_count_does_not_read_the_past(stock):
    recently = START + timedelta(minutes=19900)

    plan = plan_of(lambda: queries.physical_changes_after(2, dict.fromkeys(range(1, 6), recently)))

    assert "ix_stock_movements_on_hand" in plan
    assert "(at > asked" in plan or "(at > anon_1.at)" in plan
