"""The key that `make run` makes for the demo shop."""

import stat

from pickup.dev import run
from pickup.dev.commands import SHOP_KEY, shop_key


def test_it_is_made_for_this_database_and_for_its_owner_alone(world, services):
    services.home.mkdir(parents=True, exist_ok=True)
    note = services.home / SHOP_KEY

    assert world.app.test_cli_runner().invoke(shop_key).exit_code == 0
    first = note.read_text()

    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert run._knows_key(services, first)
    assert not run._knows_key(services, first + "x")
    assert world.app.test_cli_runner().invoke(shop_key).exit_code == 0
    assert note.read_text() != first


def test_a_revoked_key_is_not_replaced(world, services):
    assert world.app.test_cli_runner().invoke(shop_key).exit_code == 0
    assert world.app.test_cli_runner().invoke(args=["client", "revoke", "demo-shop"]).exit_code == 0

    assert run._knows_key(services, (services.home / SHOP_KEY).read_text())
