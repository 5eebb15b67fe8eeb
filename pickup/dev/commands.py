"""`flask dev`: what only a development machine needs."""

import random
import time
from datetime import timedelta
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from pickup.config import Settings
from pickup.core import auth
from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.dev.demo import plant_demo
from pickup.dev.till import Till
from pickup.dev.till_link import Link, Refused

DEMO_NOTE = "demo.txt"
SHOP_KEY = "shop_key"
SHOP_CLIENT = "demo-shop"

dev_group = AppGroup("dev", help="Development only.")


@dev_group.command("seed")
def seed() -> None:
    """Fill an empty system with a demo retailer, and print how to sign in."""
    settings: Settings = current_app.extensions["settings"]
    with unit_of_work():
        note = plant_demo()
    (settings.home / DEMO_NOTE).write_text(note)
    click.echo(note)


@dev_group.command("shop-key")
def shop_key() -> None:
    """Make the demo shop's key for the API, and keep it in the home for `make run`."""
    settings: Settings = current_app.extensions["settings"]
    note = settings.home / SHOP_KEY
    note.unlink(missing_ok=True)
    note.touch(mode=0o600)
    with unit_of_work():
        note.write_text(auth.create_key(SHOP_CLIENT, ["shop"]))


@dev_group.command("till")
@click.option("--store", "store_ref", required=True, help="The store that it stands in.")
@click.option("--register", required=True, help="Its name there.")
@click.option("--url", help="Where the API is; without it, on this machine.")
@click.option("--key", help="An API key of the scope pos; without it, a new one.")
@click.option("--every", default=5.0, type=click.FloatRange(0), help="Seconds between two sales.")
@click.option("--offline-for", default=0.0, type=click.FloatRange(0), help="Seconds without network.")
@click.option("--clock-ahead", default=0.0, help="Seconds that its clock is fast; less than 0: slow.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="The file it remembers in.")
@click.option("--once", is_flag=True, help="One sale, then the end.")
def till(
    store_ref: str,
    register: str,
    url: str | None,
    key: str | None,
    every: float,
    offline_for: float,
    clock_ahead: float,
    state: Path | None,
    once: bool,
) -> None:
    """Be a till: follow the prices, sell at them, tell of the sales, and do without network for a while."""
    settings: Settings = current_app.extensions["settings"]
    link = Link(url or f"http://127.0.0.1:{settings.port}", key or _till_key(store_ref, register))
    try:
        ahead = timedelta(seconds=clock_ahead)
        simulated = Till(store_ref, register, link, file=state, clock_ahead=ahead, say=click.echo)
        _run(simulated, every=every, offline=timedelta(seconds=offline_for), once=once)
    except (Refused, ValueError) as refusal:
        raise click.ClickException(str(refusal)) from None
    except KeyboardInterrupt:
        click.echo("stopped")


def _till_key(store_ref: str, register: str) -> str:
    with unit_of_work():
        return auth.create_key(f"till-{store_ref}-{register}", ["pos"])


def _run(till: Till, *, every: float, offline: timedelta, once: bool) -> None:
    if till.prices.cursor is None:
        till.communicate()
    back_at = utcnow() + offline
    while True:
        till.link.is_cut = utcnow() < back_at
        till.communicate()
        till.sell(_basket(till))
        if once:
            till.communicate()
            return
        time.sleep(every)


def _basket(till: Till) -> list[tuple[str, int]]:
    """What a customer might put on the belt."""
    skus = till.prices.skus_on_sale(till.now())
    chosen = random.sample(skus, min(len(skus), random.randint(1, 5)))  # noqa: S311  no secret
    return [(sku, random.randint(1, 3)) for sku in chosen]  # noqa: S311
