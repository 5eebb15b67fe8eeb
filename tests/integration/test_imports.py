"""`flask import` and `flask stock reconcile` against a real database."""

import csv
import gzip
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from pickup.catalog.models import Product
from pickup.commands import PLANS
from pickup.core import csv_import, revisions
from pickup.core.clock import utcnow
from pickup.core.csv_import import CsvImport, Outcome
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event
from pickup.core.types import new_id
from pickup.inventory.models import Reservation, StockLevel, StockMovement
from pickup.pricing.models import Price
from pickup.pricing.queries import PRICE_LEDGER_LOCK
from pickup.stores.models import Store

STORE_HEADER = [
    *("ref", "name", "street", "city", "state", "postcode", "country"),
    *("lat", "lon", "opening_hours", "timezone"),
]

Run = Callable[[str, str | bytes | Path], Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.csv"


@pytest.fixture
def run(database: Flask, path: Path) -> Run:
    """Import a file, or what is to be in one."""

    def run(kind: str, content: str | bytes | Path, *options: str) -> Result:
        file = content if isinstance(content, Path) else path
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        result = database.test_cli_runner().invoke(args=["import", kind, str(file), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        db.session.rollback()
        return result

    return run


def summary(result: Result) -> tuple[int, int, int]:
    words = result.stdout.splitlines()[-1].replace(",", "").split()
    assert words[::2] == ["imported", "updated", "rejected"]
    return int(words[1]), int(words[3]), int(words[5])


def problems(result: Result, path: Path) -> list[tuple[int, str, str]]:
    """Line, field and reason of each line on stderr."""
    lines = [line.removeprefix(f"{path}:").split(": ", 2) for line in result.stderr.splitlines()]
    return [(int(line), field, reason) for line, field, reason in lines]


def table(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    return "\n".join(",".join(map(str, row)) for row in (header, *rows)) + "\n"


@pytest.fixture
def shelf(run: Run) -> None:
    """Stores 1 and 2, products A, B and C."""
    rows = ["1,One,,,,,US,36.3,-94.1,,", "2,Two,,,,,US,36.2,-93.1,Mo-Su 06:00-23:00,America/Chicago"]
    assert summary(run("stores", "\n".join([",".join(STORE_HEADER), *rows]))) == (2, 0, 0)
    assert summary(run("products", "sku,name\nA,Apple\nB,Bread\nC,Cheese\n")) == (3, 0, 0)


def levels() -> dict[tuple[str, str], tuple[int, int, int]]:
    rows = db.session.execute(
        sa.select(Store.ref, Product.sku, StockLevel.on_hand, StockLevel.reserved, StockLevel.safety_stock)
        .join(Store, Store.id == StockLevel.store_id)
        .join(Product, Product.id == StockLevel.product_id)
    )
    return {(ref, sku): (on_hand, reserved, safety) for ref, sku, on_hand, reserved, safety in rows}


def movements() -> list[tuple[str, int]]:
    return [
        (movement.kind, movement.on_hand_change)
        for movement in db.session.scalars(sa.select(StockMovement).order_by(StockMovement.id))
    ]


def ledger() -> list[tuple[str, str, int, str]]:
    rows = db.session.execute(
        sa.select(Product.sku, Price.zone, Price.amount, Price.currency)
        .join(Product, Product.id == Price.product_id)
        .order_by(Price.version)
    )
    return [(sku, zone, amount, currency) for sku, zone, amount, currency in rows]


def reconcile(app: Flask) -> Result:
    result = app.test_cli_runner().invoke(args=["stock", "reconcile"])
    db.session.rollback()
    return result


class TestRows:
    def test_bad_rows_never_stop_good_ones(self, run: Run, path: Path) -> None:
        content = (
            b"sku,name,gtin,extra\r\n"
            b'A,"Apple, red",,x\r\n'
            b"\r\n"
            b",Nameless,123,x\r\n"
            b'B,"two\r\nlines",,\xff\r\n'
            b"C,Caf\xe9,,x\r\n"
            b"D,nul\x00,,x\r\n"
            b"E,short\r\n"
            b"F,long,,x,y\r\n"
            b'G,"open,,x\r\n'
            b"H,Ham,4006381333931,x"
        )
        result = run("products", content)
        assert summary(result) == (3, 0, 6)
        assert result.exit_code == 1
        found = problems(result, path)
        assert [(line, field) for line, field, _ in found] == [
            (4, "sku"),
            (4, "gtin"),
            (7, "name"),
            (8, "name"),
            (9, "row"),
            (10, "row"),
            (11, "row"),
        ]
        assert (path.parent / "x.rejected.csv").read_bytes() == (
            b"sku,name,gtin,extra\r\n"
            b",Nameless,123,x\r\n"
            b"C,Caf\xe9,,x\r\n"
            b"D,nul\x00,,x\r\n"
            b"E,short\r\n"
            b"F,long,,x,y\r\n"
            b'G,"open,,x\r\n'
        )
        products = {product.sku: product.name for product in db.session.scalars(sa.select(Product))}
        assert products == {"A": "Apple, red", "B": "two lines", "H": "Ham"}

    def test_what_was_rejected_can_be_mended_and_imported(self, run: Run, path: Path) -> None:
        run("products", "sku,name,minimum_age\nA,Ale,old\nB,Bread,\n")
        rejected = path.parent / "x.rejected.csv"
        rejected.write_text(rejected.read_text().replace("old", "21"))
        result = run("products", rejected)
        assert (summary(result), result.exit_code, result.stderr) == ((1, 0, 0), 0, "")
        assert not (path.parent / "x.rejected.rejected.csv").exists()

    def test_a_clean_run_leaves_no_rejected_file_of_an_earlier_one(self, run: Run, path: Path) -> None:
        run("products", "sku,name\n,\n")
        assert (path.parent / "x.rejected.csv").exists()
        run("products", "sku,name\nA,Apple\n")
        assert not (path.parent / "x.rejected.csv").exists()

    def test_a_rejected_file_that_cannot_be_written_costs_no_good_row(self, run: Run, path: Path) -> None:
        (path.parent / "x.rejected.csv").mkdir()
        result = run("products", "sku,name\n,\nA,Apple\n,\n")
        assert (summary(result), result.exit_code) == ((1, 0, 2), 1)
        assert [field for _, field, _ in problems(result, path)].count("file") == 1

    def test_of_several_rows_with_one_key_the_last_counts(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(csv_import, "CHUNK_ROWS", 3)
        result = run("products", "sku,name\nA,1\nA,2\nB,1\nA,3\nB,2\n")
        assert summary(result) == (2, 3, 0)
        assert dict(db.session.execute(sa.select(Product.sku, Product.name)).all()) == {"A": "3", "B": "2"}

    def test_columns_that_are_absent_keep_what_is_stored_and_empty_ones_do_not(self, run: Run) -> None:
        run("products", "sku,name,brand,max_per_order\nA,Apple,Orchard,4\n")
        run("products", "sku,name,max_per_order\nA,Pear,\n")
        product = db.session.scalars(sa.select(Product)).one()
        assert (product.name, product.brand, product.max_per_order) == ("Pear", "Orchard", None)

    def test_goods_that_keep_for_some_days_only(self, run: Run) -> None:
        result = run("products", "sku,name,hold_days\nA,Milk,1\nB,Soap,\nC,Fish,0\n")
        assert summary(result) == (2, 0, 1)
        kept = db.session.execute(sa.select(Product.sku, Product.hold_days).order_by(Product.sku)).all()
        assert kept == [("A", 1), ("B", None)]

    def test_a_row_that_is_the_same_is_not_written_again(self, run: Run) -> None:
        for _ in range(2):
            run("products", "sku,name\nA,Apple\nB,Bread\n")
        run("products", "sku,name\nA,Apple\nB,Brown bread\nC,Cheese\n")
        versions = db.session.execute(sa.text("SELECT count(DISTINCT xmin::text) FROM products")).scalar_one()
        assert versions == 2
        assert db.session.scalars(sa.select(sa.func.max(Product.id))).one() == 3


class TestFiles:
    @pytest.mark.parametrize(
        ("content", "field", "reason"),
        [
            (b"", "header", "empty"),
            (b"\n\n", "header", "empty"),
            (b"sku;name\nA;Apple\n", "name", "'sku;name'"),
            (b"sku,title\nA,Apple\n", "name", "no such column"),
            (b"sku,name,name\nA,a,b\n", "name", "several columns"),
            (b'"sku,name\n', "header", "quote"),
            ("sku,name\nA,Apple\n".encode("utf-16"), "header", "UTF-8"),
            (gzip.compress(b"sku,name\nA,Apple\n", mtime=0), "header", "UTF-8"),
        ],
    )
    def test_no_header_that_can_be_used(self, run: Run, path: Path, content: bytes, field: str, reason: str) -> None:
        result = run("products", content)
        assert (summary(result), result.exit_code) == ((0, 0, 0), 1)
        assert any(name == field and reason in said for _, name, said in problems(result, path))

    def test_a_file_that_is_not_there(self, run: Run, path: Path) -> None:
        missing = path.parent / "missing.csv"
        for kind in PLANS:
            result = run(kind, missing)
            assert (summary(result), result.exit_code) == ((0, 0, 0), 1)
            assert result.stderr == f"{missing}:1: file: No such file or directory\n"
        assert "directory" in run("products", path.parent).stderr

    def test_byte_order_mark_and_capital_letters_in_the_header(self, run: Run) -> None:
        assert summary(run("products", b"\xef\xbb\xbfSKU , Name\nA,Apple\n")) == (1, 0, 0)

    def test_gzip(self, run: Run, path: Path) -> None:
        packed = path.parent / "x.csv.gz"
        packed.write_bytes(gzip.compress(b"sku,name\nA,Apple\n,\n"))
        assert summary(run("products", packed)) == (1, 0, 1)
        assert (path.parent / "x.rejected.csv").read_text() == "sku,name\n,\n"

    def test_a_gzip_file_that_is_cut_off_keeps_its_whole_rows(self, run: Run, path: Path) -> None:
        rows = b"".join(b"%d,Product %d\n" % (number, number * 7919) for number in range(1000))
        whole = gzip.compress(b"sku,name\n" + rows)
        packed = path.parent / "x.csv.gz"
        packed.write_bytes(whole[:-1000])
        result = run("products", packed)
        imported, updated, rejected = summary(result)
        assert result.exit_code == 1
        assert 0 < imported < 1000
        assert (updated, rejected) == (0, 1)
        assert [field for _, field, _ in problems(result, packed)] == ["row", "file"]

    def test_what_was_committed_before_an_interruption_stays(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, path: Path
    ) -> None:
        monkeypatch.setattr(csv_import, "CHUNK_ROWS", 2)
        content = table(["sku", "name"], ((number, "x") for number in range(5)))
        stage, calls = csv_import.stage, []

        def interrupted(*given: Any) -> sa.Table:
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return stage(*given)

        monkeypatch.setattr(csv_import, "stage", interrupted)
        result = run("products", content)
        assert (summary(result), result.exit_code) == ((2, 0, 0), 1)
        assert summary(run("products", content)) == (3, 2, 0)

    def test_a_database_that_fails_is_reported_with_the_line(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, path: Path
    ) -> None:
        monkeypatch.setattr(csv_import, "CHUNK_ROWS", 2)
        with unit_of_work():
            db.session.execute(sa.text("ALTER TABLE products ADD CONSTRAINT no_three CHECK (sku <> '3')"))
        try:
            result = run("products", table(["sku", "name"], ((number, "x") for number in range(6))))
        finally:
            with unit_of_work():
                db.session.execute(sa.text("ALTER TABLE products DROP CONSTRAINT no_three"))
        assert (summary(result), result.exit_code) == ((2, 0, 0), 1)
        assert [(line, field) for line, field, _ in problems(result, path)] == [(4, "database")]


class TestStores:
    def test_the_real_ones(self, run: Run, path: Path, shared_data: Path) -> None:
        with open(shared_data / "stores" / "walmart_us_2022.csv", encoding="utf-8", newline="") as source:
            stores = list(csv.DictReader(source))
        with open(path, "w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, STORE_HEADER, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(stores)
        assert summary(run("stores", path)) == (4622, 0, 0)
        assert summary(run("stores", path)) == (0, 4622, 0)

    def test_a_change_moves_the_revision(self, run: Run, shelf: None) -> None:
        before = db.session.execute(sa.select(revisions.current("stores"))).scalar_one()
        run("stores", ",".join(STORE_HEADER) + ",kind\n3,Three,,,,,US,36.3,-94.1,,,warehouse\n")
        assert db.session.execute(sa.select(revisions.current("stores"))).scalar_one() > before
        assert dict(db.session.execute(sa.select(Store.ref, Store.timezone)).all()) == dict.fromkeys(
            "123", "America/Chicago"
        )

    def test_every_problem_of_a_row_is_told(self, run: Run, path: Path) -> None:
        result = run("stores", ",".join(STORE_HEADER) + "\n1,,,,,,USA,91,x,whenever,Mars/Base\n")
        assert summary(result) == (0, 0, 1)
        assert [field for _, field, _ in problems(result, path)] == [
            *("name", "country", "lat", "lon", "opening_hours", "timezone")
        ]


@pytest.mark.usefixtures("shelf")
class TestPrices:
    def test_a_price_that_holds_anyway_is_not_written_again(self, run: Run) -> None:
        assert summary(run("prices", "sku,currency,amount\nA,USD,3.59\nB,USD,2\n")) == (2, 0, 0)
        assert summary(run("prices", "sku,currency,amount\nA,USD,3.59\nB,USD,2.10\nC,USD,1\n")) == (1, 2, 0)
        assert ledger() == [("A", "", 359, "USD"), ("B", "", 200, "USD"), ("B", "", 210, "USD"), ("C", "", 100, "USD")]

    def test_a_zone_has_its_own(self, run: Run) -> None:
        run("prices", "sku,currency,amount\nA,USD,3.59\n")
        assert summary(run("prices", "sku,currency,amount,zone\nA,USD,3.59,north\nA,USD,3.59,\n")) == (1, 1, 0)
        assert ledger() == [("A", "", 359, "USD"), ("A", "north", 359, "USD")]

    def test_a_price_for_later_is_kept_even_if_it_would_hold_anyway(self, run: Run) -> None:
        later = utcnow() + timedelta(days=2)
        sooner = utcnow() + timedelta(days=1)
        rows = f"A,USD,4,{later.isoformat()}\nA,USD,5,{sooner.isoformat()}\n"
        run("prices", "sku,currency,amount\nA,USD,4\n")
        assert summary(run("prices", f"sku,currency,amount,valid_from\n{rows}")) == (0, 2, 0)
        assert [amount for _, _, amount, _ in ledger()] == [400, 500, 400]
        # The same file again says nothing new.
        assert summary(run("prices", f"sku,currency,amount,valid_from\n{rows}")) == (0, 2, 0)
        assert len(ledger()) == 3

    def test_a_clock_that_is_slow_means_now(self, run: Run) -> None:
        run("prices", "sku,currency,amount\nA,USD,4\n")
        ago = (utcnow() - timedelta(seconds=20)).isoformat()
        assert summary(run("prices", f"sku,currency,amount,valid_from\nA,USD,5,{ago}\nB,USD,5,{ago}\n")) == (1, 1, 0)
        assert [amount for _, _, amount, _ in ledger()] == [400, 500, 500]
        first, second = db.session.scalars(
            sa.select(Price.valid_from)
            .join(Product, Product.id == Price.product_id)
            .where(Product.sku == "A")
            .order_by(Price.version)
        )
        assert first < second

    def test_one_event_tells_which_versions_are_new(self, run: Run) -> None:
        for content in ("A,USD,4\nB,USD,1\n", "A,USD,4\nB,USD,2\n", "A,USD,4\nB,USD,2\n"):
            run("prices", "sku,currency,amount\n" + content)
        events = db.session.scalars(sa.select(Event).order_by(Event.id)).all()
        assert [(event.type, event.data["count"]) for event in events] == [("price.changed", 2), ("price.changed", 1)]
        assert events[1].data["from_version"] == db.session.scalars(sa.select(sa.func.max(Price.version))).one()

    def test_the_past_is_refused_with_its_line(self, run: Run, path: Path) -> None:
        past = (utcnow() - timedelta(hours=1)).isoformat()
        result = run("prices", f"sku,currency,amount,valid_from\nA,USD,1,\nA,USD,2,{past}\nX,EUR,1.234,2020-01-01\n")
        assert summary(result) == (1, 0, 2)
        assert [(line, field) for line, field, _ in problems(result, path)] == [
            (3, "valid_from"),
            (4, "sku"),
            (4, "valid_from"),
        ]

    def test_all_of_a_file_holds_from_one_instant_on(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(csv_import, "CHUNK_ROWS", 2)
        before = utcnow()
        content = "sku,currency,amount\nA,USD,1\nB,USD,2\nC,USD,3\n"
        assert summary(run("prices", content, "--reason", "spring")) == (3, 0, 0)
        (begins,) = set(db.session.scalars(sa.select(Price.valid_from)))
        assert before < begins <= utcnow()
        assert set(db.session.scalars(sa.select(Price.reason))) == {"spring"}
        assert db.session.scalars(sa.select(Event)).one().data["count"] == 3

    def test_all_or_none(self, run: Run, path: Path) -> None:
        content = "sku,currency,amount\nA,USD,1\nX,USD,2\nB,USD,2\n"
        result = run("prices", content, "--all-or-none")
        assert result.exit_code == 1
        assert summary(result) == (0, 0, 1)
        assert [(line, field) for line, field, _ in problems(result, path)] == [(3, "sku"), (1, "file")]
        assert ledger() == []
        assert summary(run("prices", content.replace("X", "C"), "--all-or-none")) == (3, 0, 0)
        assert len(ledger()) == 3

    def test_writers_take_turns(self, database: Flask, path: Path) -> None:
        db.session.rollback()
        with db.engine.begin() as other:
            other.execute(sa.select(sa.func.pg_advisory_xact_lock(PRICE_LEDGER_LOCK)))
            thread = threading.Thread(
                target=run_plan, args=(database, "prices", "sku,currency,amount\nA,USD,1\n", path)
            )
            thread.start()
            thread.join(0.5)
            assert thread.is_alive()
        thread.join(20)
        assert ledger() == [("A", "", 100, "USD")]


@pytest.mark.usefixtures("shelf")
class TestStock:
    def test_every_change_leaves_a_movement(self, database: Flask, run: Run) -> None:
        assert summary(run("stock", "store_ref,sku,on_hand\n1,A,40\n1,B,0\n2,A,7\n")) == (3, 0, 0)
        assert summary(run("stock", "store_ref,sku,on_hand\n1,A,38\n1,B,0\n2,B,1\n")) == (1, 2, 0)
        assert levels() == {("1", "A"): (38, 0, 0), ("1", "B"): (0, 0, 0), ("2", "A"): (7, 0, 0), ("2", "B"): (1, 0, 0)}
        assert sorted(movements()) == [("count", -2), ("count", 1), ("count", 7), ("count", 40)]
        result = reconcile(database)
        assert (result.exit_code, result.stdout) == (0, "4 stock levels checked, 0 differences\n")

    def test_safety_stock_and_reservations_stay(self, run: Run) -> None:
        run("stock", "store_ref,sku,on_hand,safety_stock\n1,A,40,3\n")
        with unit_of_work():
            db.session.execute(sa.update(StockLevel).values(reserved=5))
        run("stock", "store_ref,sku,on_hand\n1,A,2\n")
        assert levels() == {("1", "A"): (2, 5, 3)}
        run("stock", "store_ref,sku,on_hand,safety_stock\n1,A,2,\n")
        assert levels() == {("1", "A"): (2, 5, 0)}

    def test_bad_rows(self, run: Run, path: Path) -> None:
        result = run("stock", "store_ref,sku,on_hand,safety_stock\n9,X,-1,x\n,A,1.5,\n1,A,99999999999,\n")
        assert summary(result) == (0, 0, 3)
        assert [(line, field) for line, field, _ in problems(result, path)] == [
            *((2, "store_ref"), (2, "sku"), (2, "on_hand"), (2, "safety_stock")),
            *((3, "store_ref"), (3, "on_hand"), (4, "on_hand")),
        ]

    def test_imports_at_once_agree_with_their_movements(self, database: Flask, run: Run, tmp_path: Path) -> None:
        run("products", table(["sku", "name"], ((f"P{number}", "x") for number in range(300))))
        keys = [(store, f"P{number}") for number in range(300) for store in (1, 2)]
        files = []
        for turn in range(4):
            # Each in another order: if locks were taken as rows come, these would wait for each other in a circle.
            ordered = keys[::-1] if turn % 2 else keys
            files.append(table(["store_ref", "sku", "on_hand"], ((*key, turn + 1) for key in ordered)))
        threads = [
            threading.Thread(target=run_plan, args=(database, "stock", file, tmp_path / f"{turn}.csv", 5))
            for turn, file in enumerate(files)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        db.session.rollback()
        assert len(levels()) == 600
        assert len(set(levels().values())) == 1
        assert reconcile(database).exit_code == 0


@pytest.mark.usefixtures("shelf")
class TestReconcile:
    def test_every_difference_is_named(self, database: Flask, run: Run) -> None:
        run("stock", "store_ref,sku,on_hand\n1,A,40\n1,B,5\n1,C,1\n2,A,7\n")
        ids = {product.sku: product.id for product in db.session.scalars(sa.select(Product))}
        first, second = db.session.scalars(sa.select(Store.id).order_by(Store.ref)).all()
        with unit_of_work():
            level = sa.update(StockLevel).where(StockLevel.store_id == first)
            db.session.execute(level.where(StockLevel.product_id == ids["A"]).values(on_hand=39))
            db.session.execute(level.where(StockLevel.product_id == ids["B"]).values(reserved=2))
            for store_id, product_id in ((first, ids["C"]), (second, ids["C"])):
                db.session.add(
                    Reservation(
                        order_id=new_id(), product_id=product_id, store_id=store_id, quantity=3, reserved_at=utcnow()
                    )
                )
            db.session.add(StockMovement(store_id=777, product_id=ids["A"], kind="count", on_hand_change=1))
        result = reconcile(database)
        assert result.exit_code == 1
        assert result.stdout.splitlines() == [
            "store 1, sku A: on_hand is 39, and its movements make 40",
            "store 1, sku B: reserved is 2, and its movements make 0",
            "store 1, sku B: reserved is 2, and its open reservations make 0",
            "store 1, sku C: reserved is 0, and its open reservations make 3",
            "store 2, sku C: reserved is missing, and its open reservations make 3",
            "store id 777, sku A: on_hand is missing, and its movements make 1",
            "store id 777, sku A: reserved is missing, and its movements make 0",
            "4 stock levels checked, 7 differences",
        ]


def run_plan(app: Flask, kind: str, content: str, path: Path, turns: int = 1) -> None:
    """Import within a thread of its own; the command line takes over the whole process's output."""
    path.write_text(content)
    with app.app_context():
        for _ in range(turns):
            outcome = Outcome()
            CsvImport(str(path), PLANS[kind](utcnow()), outcome, print, lambda position: None).run()
            db.session.remove()
            assert outcome.is_clean
