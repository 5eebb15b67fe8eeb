"""The demo shop in a real browser: from the first look to the pickup code, and all that can come between."""

from dataclasses import replace

import pytest

from pickup.core.db import unit_of_work
from pickup.dev import demo


@pytest.fixture
def keyed(world, live_server, monkeypatch):
    """The shop calls the API where the test's server is."""
    settings = replace(
        world.app.extensions["settings"],
        shop_api_url=live_server,
        shop_api_key=world.client("shop").key,
        public_url=live_server,
    )
    monkeypatch.setitem(world.app.extensions, "settings", settings)
    return settings


@pytest.fixture
def retailer(keyed):
    with unit_of_work():
        demo.plant_demo()
