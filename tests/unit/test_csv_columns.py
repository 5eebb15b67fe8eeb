"""What a cell may hold, column by column."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pickup.catalog import imports as catalog
from pickup.core.csv_columns import (
    Parser,
    choice,
    degrees,
    instant,
    key,
    lookup,
    optional,
    quoted,
    refuse_forbidden,
    text,
    whole,
)
from pickup.core.csv_import import FieldProblem, Plan, Row, rejected_path
from pickup.pricing import imports as pricing
from pickup.stores import imports as stores

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parse", "cell", "value"),
    [
        (whole(0, 10), "7", 7),
        (whole(-3, 10), "-3", -3),
        (whole(0, 10), "+007", 7),
        (degrees(90), "-36.25", -36.25),
        (degrees(90), ".5", 0.5),
        (degrees(90), "90", 90.0),
        (key(), "A-1/ü", "A-1/ü"),
        (key(empty=True), "", ""),
        (text(), "two\r\n lines\tand\u00a0more", "two lines and\u00a0more"),
        (choice(["a", "b"], default="a"), "", "a"),
        (choice(["a", "b"], default="a"), "b", "b"),
        (lookup({"A": 1}, "product"), "A", 1),
        (instant(default=NOW), "", NOW),
        (instant(default=NOW), "2026-03-01T06:00:00-06:00", NOW),
        (instant(default=NOW), "2026-03-01T12:00:00Z", NOW),
        (optional(whole(0, 10)), "", None),
        (optional(whole(0, 10), 5), "", 5),
    ],
)
def test_good_cells(parse: Parser, cell: str, value: Any) -> None:
    assert parse(cell) == value


@pytest.mark.parametrize(
    ("parse", "cell", "reason"),
    [
        *(
            (whole(0, 10), cell, "whole number from 0 to 10")
            for cell in ("", "11", "-1", "1.0", "1e1", "1_0", "٣", "nan")
        ),
        (whole(0, 10), "9" * 5000, "whole number"),
        *((degrees(90), cell, "decimal degrees") for cell in ("", "90.01", "nan", "inf", "-inf", "1e1", "0x1", "1,5")),
        (degrees(90), "1" * 5000, "decimal degrees"),
        (key(), "", "is empty"),
        (key(), "x" * 101, "longer than 100"),
        (key(), "a\nb", "cannot be seen"),
        (key(), "a\u200bb", "cannot be seen"),
        (text(empty=False), "", "is empty"),
        (text(), "x" * 201, "longer than 200"),
        (choice(["a", "b"], default="a"), "c", "one of a, b"),
        (lookup({"A": 1}, "product"), "B", "'B' is no product that is known here"),
        (lookup({"A": 1}, "product"), "", "is empty"),
        (instant(default=NOW), "2026-03-01T06:00:00", "no offset"),
        (instant(default=NOW), "2026-03-01", "no offset"),
        (instant(default=NOW), "1 March", "ISO 8601"),
        (instant(default=NOW), "0001-01-01T00:00:00+23:59", "out of range"),
        (refuse_forbidden, "a\x00b", "control character"),
        (refuse_forbidden, "a\x1b[31m", "control character"),
        (refuse_forbidden, "caf\udce9", "not UTF-8"),
    ],
)
def test_bad_cells(parse: Parser, cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(cell)


def test_a_message_shows_a_short_cell_that_no_terminal_obeys() -> None:
    assert quoted("\x1b[2J") == r"'\x1b[2J'"
    assert len(quoted("x" * 100_000)) < 50


@pytest.mark.parametrize(
    ("path", "rejected"),
    [
        ("a/x.csv", "a/x.rejected.csv"),
        ("x.csv.gz", "x.rejected.csv"),
        ("X.CSV", "X.rejected.csv"),
        ("x", "x.rejected.csv"),
        ("x.rejected.csv", "x.rejected.rejected.csv"),
    ],
)
def test_where_rejected_rows_go(path: str, rejected: str) -> None:
    assert rejected_path(path) == rejected


def parse_row(plan: Plan, **cells: str) -> Row:
    row = {column.staged_name: column.parse(cells.get(column.name, "")) for column in plan.columns}
    plan.complete(row)
    return row


STORE = {"ref": "1", "name": "Rogers", "country": "us", "lat": "36.33", "lon": "-94.15"}


def test_a_store_gets_its_time_zone_from_its_place() -> None:
    row = parse_row(stores.plan(), **STORE)
    assert (row["timezone"], row["country"], row["kind"], row["prep_minutes"]) == (
        "America/Chicago",
        "US",
        "store",
        None,
    )


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"country": "USA"}, "ISO 3166"),
        ({"opening_hours": "Mo-Fr nine to five"}, "opening_hours"),
        ({"timezone": "America/Rogers"}, "time zone"),
        ({"timezone": "../../etc/passwd"}, "time zone"),
        ({"kind": "kiosk"}, "one of store, warehouse, partner"),
        ({"hold_days": "0"}, "from 1 to 365"),
        ({"email": "nobody"}, "must be a mail address"),
        ({"name": ""}, "is empty"),
    ],
)
def test_bad_store_fields(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_row(stores.plan(), **STORE | cells)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"gtin": "4006381333932"}, "check digit"),
        ({"image_url": "javascript:alert(1)"}, "http or https"),
        ({"image_url": "https://"}, "http or https"),
        ({"image_url": "http://[::1"}, "http or https"),
        ({"image_url": "https://example.com/a b"}, "http or https"),
        ({"minimum_age": "121"}, "from 0 to 120"),
        ({"max_per_order": "0"}, "from 1 to"),
    ],
)
def test_bad_product_fields(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_row(catalog.plan(), **{"sku": "A", "name": "Apple"} | cells)


def price(**cells: str) -> Row:
    return parse_row(pricing.plan({"A": 1}, now=NOW), **{"sku": "A", "currency": "USD", "amount": "3.59"} | cells)


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("USD", "3.59", 359),
        ("usd", "3", 300),
        ("USD", ".5", 50),
        ("USD", "3.500", 350),
        ("JPY", "359", 359),
        ("KWD", "0.001", 1),
        ("USD", "0", 0),
        ("USD", "90071992547409.91", 2**53 - 1),
    ],
)
def test_an_amount_is_exact(currency: str, amount: str, minor: int) -> None:
    assert price(currency=currency, amount=amount)["amount"] == minor


@pytest.mark.parametrize(
    ("currency", "amount", "reason"),
    [("USD", "3.591", "decimals"), ("JPY", "3.5", "decimals"), ("USD", "90071992547409.92", "number")]
    + [("USD", amount, "decimal number") for amount in ("", "-1", "1e2", "NaN", "1_000", "1,5", "$3", "1." + "0" * 40)]
    + [(currency, "1", "4217|minor unit") for currency in ("", "US", "XYZ", "XAU", "840")],
)
def test_other_amounts_are_refused(currency: str, amount: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        price(currency=currency, amount=amount)


def test_the_past_is_never_rewritten() -> None:
    assert price(valid_from=(NOW - timedelta(seconds=60)).isoformat())["valid_from"] == NOW
    with pytest.raises(ValueError, match="past"):
        price(valid_from=(NOW - timedelta(seconds=61)).isoformat())
    with pytest.raises(ValueError, match="ahead"):
        price(valid_from="9999-12-31T23:59:59Z")


def test_a_problem_that_needs_two_fields_names_one() -> None:
    with pytest.raises(FieldProblem) as caught:
        price(amount="3.591")
    assert caught.value.field == "amount"
