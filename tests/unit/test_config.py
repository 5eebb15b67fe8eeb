"""Settings that are more than a word or a number."""

from typing import get_args

import pytest
from environs import EnvError

from pickup.config import STORE_KINDS, Settings
from pickup.stores.models import StoreKind


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", {}),
        ("store=3", {"store": 3}),
        ("store=0,warehouse=10,partner=1", {"store": 0, "warehouse": 10, "partner": 1}),
        (" store = 1 , partner=2,", {"store": 1, "partner": 2}),
    ],
)
def test_safety_stock_is_a_table_by_kind(monkeypatch, text, units):
    monkeypatch.setenv("PICKUP_SAFETY_STOCK", text)

    assert Settings.from_environment().safety_stock == units


@pytest.mark.parametrize(
    "text", ["3", "store", "kiosk=1", "store=-1", "store=1.5", "store=1,store=2", "store=9999999999"]
)
def test_what_is_none_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("PICKUP_SAFETY_STOCK", text)

    with pytest.raises(EnvError, match="PICKUP_SAFETY_STOCK"):
        Settings.from_environment()


def test_the_kinds_are_those_of_the_stores():
    assert get_args(StoreKind) == STORE_KINDS
