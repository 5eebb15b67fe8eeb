"""The books, checked by the clock: what is found is kept, logged, and shown by whichever process is asked."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from pickup.core.db import db, unit_of_work
from pickup.inventory import checking
from pickup.inventory.checking import check_stock
from pickup.inventory.models import StockCheck
from pickup.inventory.reconciliation import compare, differences

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def books(world):
    """Thirty products in one store; the books agree."""
    store = world.store("1")
    for number in range(30):
        world.stock(store, world.product(f"P{number:02}"), 5)
    return store


@pytest.fixture
def lines(monkeypatch):
    """What is logged."""
    logged = []

    class Log:
        def error(self, event, **details):
            logged.append((event, details["store_ref"], details["sku"], details["figure"], details["explained"]))

    monkeypatch.setattr(checking, "log", Log())
    return logged


def spoil(levels: int) -> None:
    with unit_of_work():
        db.session.execute(text("UPDATE stock_levels SET on_hand = 9 WHERE product_id <= :levels"), {"levels": levels})


def checks():
    db.session.rollback()
    return db.session.scalars(select(StockCheck).order_by(StockCheck.id)).all()


def metrics(database) -> str:
    return database.test_client().get("/metrics").text


def test_before_the_first_check_nothing_is_claimed(books, database):
    assert "pickup_stock_differences" not in metrics(database)


def test_books_that_agree(books, database, lines):
    assert check_stock(NOON) == 0

    assert [(check.at, check.levels, check.differences, check.first) for check in checks()] == [(NOON, 30, 0, [])]
    assert lines == []
    assert "pickup_stock_differences 0.0" in metrics(database)
    assert "pickup_stock_levels_checked 30.0" in metrics(database)
    when = re.search(r"^pickup_stock_check_timestamp_seconds (\S+)$", metrics(database), re.MULTILINE)
    assert when is not None
    assert float(when[1]) == NOON.timestamp()


def test_a_difference_is_counted_kept_and_logged(books, database, lines):
    spoil(1)

    assert check_stock(NOON) == 1

    assert lines == [("stock_difference", "1", "P00", 9, 5)]
    assert checks()[0].first == [
        {"store_ref": "1", "sku": "P00", "field": "on_hand", "figure": 9, "source": "movements", "explained": 5}
    ]
    assert "pickup_stock_differences 1.0" in metrics(database)


def test_of_many_all_are_counted_and_twenty_told(books, database, lines):
    spoil(30)

    assert check_stock(NOON) == 30

    assert [line[2] for line in lines] == [f"P{number:02}" for number in range(20)]
    assert len(checks()[0].first) == 20
    assert compare(limit=0).first == []
    assert len(differences()) == 30


def test_the_newest_check_counts_and_old_ones_go(books, database):
    spoil(1)
    check_stock(NOON)
    check_stock(NOON + HOUR)
    with unit_of_work():
        db.session.execute(text("UPDATE stock_levels SET on_hand = 5"))

    check_stock(NOON + timedelta(days=30, hours=1))

    assert [check.differences for check in checks()] == [1, 0]
    assert "pickup_stock_differences 0.0" in metrics(database)


def test_a_clock_that_starts_again_makes_no_more_of_them(books):
    check_stock(NOON)
    check_stock(NOON + timedelta(minutes=29))
    assert len(checks()) == 1

    check_stock(NOON + timedelta(minutes=30))
    assert len(checks()) == 2


def test_while_one_clock_checks_another_does_not(books, database):
    with db.engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": checking._LOCK})

        assert check_stock(NOON) == 0
        assert checks() == []

    assert check_stock(NOON) == 0
    assert len(checks()) == 1


def test_the_command_looks_and_keeps_nothing(books, database):
    result = database.test_cli_runner().invoke(args=["stock", "reconcile"])

    assert result.output == "30 stock levels checked, 0 differences\n"
    assert checks() == []
