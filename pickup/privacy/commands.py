"""`flask customers`: what a customer may ask for."""

from email.parser import BytesHeaderParser
from email.policy import default
from email.utils import getaddresses
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from pickup.config import Settings
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.privacy import erasing

customers_group = AppGroup("customers", help="What customers may ask for.")


@customers_group.command("erase")
@click.argument("email")
def erase(email: str) -> None:
    """Remove a customer from all that is kept; what was sold stays, without them.

    Orders that are not closed yet are erased as soon as they are; exit with 1 if there are such orders.
    """
    now = utcnow()
    asked = in_transaction(lambda: erasing.ask_for_erasure(email, now=now))
    erasing.erase_due(now)
    waiting = in_transaction(lambda: erasing.waiting(email))
    settings: Settings = current_app.extensions["settings"]
    if settings.development:
        # `make run` tells its own processes of the folder, and not who calls this.
        _drop_mails(settings.mail_catcher_folder or settings.home / "mail", email)
    click.echo(f"erased {asked - waiting} orders, {waiting} wait until they are closed")
    if waiting:
        raise click.exceptions.Exit(1)


def _drop_mails(folder: Path, email: str) -> None:
    """What the mail catcher of a development has caught for somebody."""
    for path in folder.glob("*.eml"):
        headers = BytesHeaderParser(policy=default).parsebytes(path.read_bytes())
        recipients = getaddresses([str(headers.get("To", ""))])
        if email.lower() in {address.lower() for _, address in recipients}:
            path.unlink(missing_ok=True)
