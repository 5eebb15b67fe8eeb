"""Money: exact, by the decimals that ISO 4217 gives each currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.core.types import Money, minor_unit_digits


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("3.59", "USD", 359),
        ("3.5", "USD", 350),
        ("1.230", "USD", 123),
        ("359", "JPY", 359),
        ("1.234", "KWD", 1234),
        ("0", "EUR", 0),
    ],
)
def test_major_units_are_read_exactly(text: str, currency: str, amount: int):
    assert Money.from_major(text, currency) == Money(amount, currency)


NO_PRICES = {
    "USD": [
        "3.599",
        "-1",
        "NaN",
        "inf",
        "",
        "3,59",
        "1e2",
        "1_000",
        "\u0661",
        "9" * 17,
        "1." + "0" * 36 + "1",
        "1e999999999",
    ],
    "JPY": ["3.5"],
    "XYZ": ["1"],
    "XAU": ["1"],
}


@pytest.mark.parametrize(
    ("currency", "text"), [(currency, text) for currency in NO_PRICES for text in NO_PRICES[currency]]
)
def test_what_is_no_price_is_refused(text: str, currency: str):
    with pytest.raises(ValueError):
        Money.from_major(text, currency)


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_major_and_minor_are_the_same_amount(amount: int, currency: str):
    money = Money(amount, currency)

    assert Money.from_major(str(money.major()), currency) == money


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="cannot add"):
        Money(1, "USD") + Money(1, "EUR")


def test_digits_come_from_the_standard():
    assert [minor_unit_digits(currency) for currency in ("USD", "JPY", "KWD")] == [2, 0, 3]
