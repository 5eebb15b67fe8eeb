"""`flask payments`: what an operator does with the orders' money; `flask messages`: with their templates."""

from datetime import datetime

import click
from flask import current_app
from flask.cli import AppGroup

from pickup.config import Settings
from pickup.core.clock import utcnow
from pickup.core.options import since_option
from pickup.orders import message_checks, money_checks
from pickup.payments.gateway import GatewayUnreachable
from pickup.payments.reconciliation import payment_count

NOTHING_PROVEN = 2

payments_group = AppGroup("payments", help="The money.")


@payments_group.command("reconcile")
@since_option("eight days")
@click.option("--mend", is_flag=True, help="Write down what a gateway knows and we do not.")
def reconcile(since: datetime | None, mend: bool) -> None:
    """Compare payments with their ledger, their gateways and their orders; exit with 1 if any differs.

    Whatever is still open is looked at, however old it is. A gateway that cannot be reached is exit 2: nothing is
    proven then.
    """
    now, count = utcnow(), 0
    since = since or now - money_checks.SPAN
    try:
        for difference in money_checks.differences(since, now=now):
            is_mended = mend and money_checks.mend(difference, now=now)
            click.echo(f"{'mended: ' if is_mended else ''}{difference}")
            count += not is_mended
        checked = payment_count(since)
    except GatewayUnreachable as error:
        click.echo(f"A gateway cannot be reached, so nothing is proven: {error}", err=True)
        raise click.exceptions.Exit(NOTHING_PROVEN) from error
    click.echo(f"checked {checked} payments, {count} differences")
    if count:
        raise click.exceptions.Exit(1)


messages_group = AppGroup("messages", help="What messages say.")


@messages_group.command("check")
def check_messages() -> None:
    """Render the templates of PICKUP_MESSAGES_FOLDER with sample data; a line per fault, exit 1 if there is one."""
    settings: Settings = current_app.extensions["settings"]
    if settings.messages_folder is None:
        raise click.UsageError("PICKUP_MESSAGES_FOLDER is not set: there are no templates but ours.")
    count, faults = message_checks.check(settings.messages_folder)
    for fault in faults:
        click.echo(fault)
    click.echo(f"checked {count} templates, {len(faults)} faults")
    if faults:
        raise click.exceptions.Exit(1)
