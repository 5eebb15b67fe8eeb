"""CSV that a spreadsheet can open: nothing in it is computed, and nothing is kept in memory."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from pickup.management.csv_export import FORMULA_STARTS, NUMBER, csv_response, harmless


def answer(header, rows, name="orders"):
    app = Flask(__name__)
    with app.test_request_context():
        made = csv_response(name, header, rows)
        return made, made.get_data(as_text=True)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("@cmd", "'@cmd"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-12.50", "-12.50"),
        ("+14795550100", "+14795550100"),
        (-5, "-5"),
        (Decimal("-3.59"), "-3.59"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (datetime(2026, 11, 22, 9, 30, tzinfo=UTC), "2026-11-22T09:30:00Z"),
        ({"sku": "MILK"}, '{"sku": "MILK"}'),
    ],
)
def test_a_cell_is_written_so_that_nothing_is_computed(value, cell):
    assert harmless(value) == cell


@given(st.text())
def test_no_text_begins_a_formula(text):
    cell = harmless(text)

    assert not cell.startswith(FORMULA_STARTS) or NUMBER.fullmatch(cell)
    assert cell in (text, f"'{text}")


def test_a_file_is_rfc_4180_with_a_header_row():
    made, text = answer(("name", "note"), [("Ada", 'says "hi", twice'), ("Žofie", "two\nlines")])

    assert made.content_type == "text/csv; charset=utf-8; header=present"
    assert made.headers["Content-Disposition"] == "attachment; filename=orders.csv"
    assert text == 'name,note\r\nAda,"says ""hi"", twice"\r\nŽofie,"two\nlines"\r\n'


@given(st.lists(st.tuples(st.from_regex(r"(a[,\"\r\n;' ]*)?", fullmatch=True), st.integers()), max_size=500))
def test_everything_comes_back(rows):
    _, text = answer(("text", "number"), rows)

    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [[words, str(number)] for words, number in rows]


def test_rows_are_read_as_they_are_sent():
    read = []

    def rows():
        for number in range(1000):
            read.append(number)
            yield (number,)

    app = Flask(__name__)
    with app.test_request_context():
        made = csv_response("numbers", ("number",), rows())
        assert read == [0]
        next(iter(made.response))
        assert len(read) < 300


def test_what_fails_at_once_is_no_file():
    def rows():
        raise LookupError("the database is busy")
        yield

    with pytest.raises(LookupError):
        answer(("number",), rows())
