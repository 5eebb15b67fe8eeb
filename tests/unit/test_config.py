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


@pytest.mark.parametrize(
    ("text", "methods"),
    [("sandbox,stripe", ("sandbox", "stripe")), ("stripe", ("stripe",)), (" stripe , sandbox,", ("stripe", "sandbox"))],
)
def test_payment_methods_are_a_list(monkeypatch, text, methods):
    monkeypatch.setenv("PICKUP_PAYMENT_METHODS", text)

    assert Settings.from_environment().payment_methods == methods


@pytest.mark.parametrize("text", ["", ",", "cash", "stripe,cash"])
def test_other_payment_methods_are_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("PICKUP_PAYMENT_METHODS", text)

    with pytest.raises(EnvError, match="PICKUP_PAYMENT_METHODS"):
        Settings.from_environment()


def test_no_secret_is_in_what_settings_look_like(monkeypatch):
    secrets = {"SECRET_KEY": "s1", "STRIPE_SECRET_KEY": "sk_live_s2", "STRIPE_WEBHOOK_SECRETS": "whsec_s3,whsec_s4"}
    for name, value in secrets.items():
        monkeypatch.setenv(f"PICKUP_{name}", value)

    settings = Settings.from_environment()

    assert settings.stripe_webhook_secrets == ("whsec_s3", "whsec_s4")
    assert not [word for word in ("'s1'", "sk_live", "whsec") if word in repr(settings)]
