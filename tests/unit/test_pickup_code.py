"""Pickup codes: easy to say, hard to guess."""

from math import log2

import pytest

from pickup.orders.pickup_code import ALPHABET, LENGTH, matches, new_code, normalise


def test_a_code_has_at_least_forty_bits():
    assert LENGTH * log2(len(ALPHABET)) >= 40
    assert len(set(ALPHABET)) == len(ALPHABET)


def test_a_code_has_no_look_alikes():
    assert not set(ALPHABET) & set("01258BILOSUVZ")


def test_codes_differ():
    assert len({new_code() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("typed", ["K7M-3QX-9TP", "k7m3qx9tp", " K7M 3QX 9TP ", "k7m–3qx–9tp"])
def test_what_people_type_is_understood(typed: str):
    assert normalise(typed) == "K7M-3QX-9TP"
    assert matches(typed, "K7M-3QX-9TP")


@pytest.mark.parametrize("typed", ["", "K7M-3QX-9T", "K7M-3QX-9TPP", "K7M-3QX-9TW", "\ud800", "x" * 10_000])
def test_another_code_is_not_it(typed: str):
    assert not matches(typed, "K7M-3QX-9TP")
