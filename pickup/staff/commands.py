"""`flask staff`: the people who may sign in on a store's tablet."""

import click
from flask.cli import AppGroup

from pickup.core.db import unit_of_work
from pickup.core.errors import DomainError
from pickup.staff import queries, service
from pickup.staff.models import ROLES, Role
from pickup.stores.queries import store_by_ref

staff_group = AppGroup("staff", help="The people who may sign in on a store's tablet.")


@staff_group.command("create")
@click.option("--store", "ref", required=True, metavar="REF", help="The store's reference.")
@click.option("--name", required=True, help="What colleagues call them; unique in the store.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--pin", required=True, help="4 to 8 digits; unique in the store.")
def create(ref: str, name: str, role: Role, pin: str) -> None:
    """Let somebody sign in on a store's tablet."""
    try:
        with unit_of_work():
            member = service.create_member(store_ref=ref, name=name, role=role, pin=pin)
    except DomainError as error:
        raise click.ClickException(error.detail) from None
    click.echo(f"{member.name} may sign in at store {ref} as {role}")


@staff_group.command("list")
@click.option("--store", "ref", required=True, metavar="REF", help="The store's reference.")
def list_members(ref: str) -> None:
    """Print who may sign in at a store, a line each: name and role."""
    store = store_by_ref(ref)
    if store is None:
        raise click.ClickException(f"there is no store {ref!r}")
    for member in queries.members_at(store.id):
        click.echo(f"{member.name}\t{member.role}")
