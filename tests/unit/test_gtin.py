"""GTIN check digits, by the examples of GS1 and by real codes that are wrong."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.catalog import gtin


@pytest.mark.parametrize("code", ["40170725", "036000291452", "4006381333931", "09506000134352"])
def test_codes_of_every_length_pass(code: str) -> None:
    gtin.validate(code)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "must be 8, 12, 13 or 14 digits"),
        ("123", "must be 8, 12, 13 or 14 digits"),
        ("4006381333931 ", "must be 8, 12, 13 or 14 digits"),
        ("400638133393X", "must be 8, 12, 13 or 14 digits"),
        ("٤٠١٧٠٧٢٥", "must be 8, 12, 13 or 14 digits"),
        ("²²²²²²²²", "must be 8, 12, 13 or 14 digits"),
        ("4006381333932", "wrong check digit: 2, and it should be 1"),
    ],
)
def test_others_are_refused_with_the_reason(code: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        gtin.validate(code)


@given(st.sampled_from(gtin.LENGTHS).flatmap(lambda length: st.text("0123456789", min_size=length, max_size=length)))
def test_exactly_one_last_digit_fits(code: str) -> None:
    def fits(digit: int) -> bool:
        try:
            gtin.validate(f"{code[:-1]}{digit}")
        except ValueError:
            return False
        return True

    assert sum(map(fits, range(10))) == 1


def test_every_real_bad_code_is_refused(shared_data: Path) -> None:
    with open(shared_data / "catalog" / "off_bad_barcodes_500.csv", encoding="utf-8", newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    assert len(codes) == 500
    for code in codes:
        with pytest.raises(ValueError, match="digit"):
            gtin.validate(code)
