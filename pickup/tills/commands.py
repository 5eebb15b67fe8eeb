"""`flask prices`: what an operator does with prices."""

from datetime import datetime, timedelta

import click
from flask.cli import AppGroup

from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.core.options import since_option
from pickup.tills.checking import differences

SPAN = timedelta(days=8)

prices_group = AppGroup("prices", help="The price ledger, and whether everybody goes by it.")


@prices_group.command("check")
@since_option("eight days")
def check(since: datetime | None) -> None:
    """Compare each line of orders and sales with the price ledger; exit with 1 if any differs unnoticed."""
    count = 0
    with unit_of_work():
        for difference in differences(since or utcnow() - SPAN):
            click.echo(difference)
            count += 1
    click.echo(f"{count} differences")
    if count:
        raise click.exceptions.Exit(1)
