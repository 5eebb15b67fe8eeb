"""`flask stock`: what an operator does with stock."""

import click
from flask.cli import AppGroup

from pickup.core.db import unit_of_work
from pickup.inventory.reconciliation import Difference, differences, level_count

stock_group = AppGroup("stock", help="Stock levels.")


@stock_group.command("reconcile")
def reconcile() -> None:
    """Compare every stock level with its movements and open reservations; exit with 1 if any differs."""
    with unit_of_work():
        found = differences()
        checked = level_count()
    for difference in found:
        click.echo(_line(difference))
    click.echo(f"{checked} stock levels checked, {len(found)} differences")
    if found:
        raise click.exceptions.Exit(1)


def _line(difference: Difference) -> str:
    figure = "missing" if difference.figure is None else difference.figure
    return (
        f"store {difference.store_ref}, sku {difference.sku}: {difference.field} is {figure}, "
        f"and its {difference.source} make {difference.explained}"
    )
