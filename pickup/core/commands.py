"""`flask client`: the programs that may call the API. `flask outbox`: what is still to be done."""

import click
from flask.cli import AppGroup

from pickup.core import auth, outbox
from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.core.errors import DomainError

client_group = AppGroup("client", help="API clients and their keys.")


@client_group.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(auth.SCOPES), help="May be repeated."
)
def create(name: str, scopes: tuple[auth.Scope, ...]) -> None:
    """Print a new API key for NAME. It is shown this once and never again."""
    with unit_of_work():
        key = auth.create_key(name, list(dict.fromkeys(scopes)))
    click.echo(key)


@client_group.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Stop every key of NAME, from its next request on."""
    try:
        with unit_of_work():
            count = auth.revoke_keys(name, now=utcnow())
    except DomainError as error:
        raise click.ClickException(error.detail) from None
    click.echo(f"revoked {count} key{'' if count == 1 else 's'} of {name}")


outbox_group = AppGroup("outbox", help="What is still to be done.")


@outbox_group.command("dead")
def dead() -> None:
    """List the tasks that failed for days and wait for a person; exit with 1 if there are any."""
    with unit_of_work():
        tasks = outbox.dead_tasks()
    for task in tasks:
        click.echo(f"{task.id} {task.handler} of {task.subject_id}, {task.attempts} attempts: {task.last_error}")
    if tasks:
        raise click.exceptions.Exit(1)


@outbox_group.command("revive")
def revive() -> None:
    """Try every dead task again, from now on."""
    with unit_of_work():
        count = outbox.revive(now=utcnow())
    click.echo(f"revived {count}")
