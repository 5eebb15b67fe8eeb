"""`flask dev`: what only a development machine needs."""

import click
from flask import current_app
from flask.cli import AppGroup

from pickup.config import Settings
from pickup.core.db import unit_of_work
from pickup.dev.demo import plant_demo

DEMO_NOTE = "demo.txt"

dev_group = AppGroup("dev", help="Development only.")


@dev_group.command("seed")
def seed() -> None:
    """Fill an empty system with a demo retailer, and print how to sign in."""
    settings: Settings = current_app.extensions["settings"]
    with unit_of_work():
        note = plant_demo()
    (settings.home / DEMO_NOTE).write_text(note)
    click.echo(note)
