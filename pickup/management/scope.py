"""What a role sees of /admin: a manager their own store, head office all of them."""

from flask import g

from pickup.core.errors import DomainError, Kind


class HeadOfficeNeeded(DomainError):
    """What was asked for concerns other stores, or all of them, and the person looks after one."""

    kind = Kind.FORBIDDEN
    code = "head_office_needed"
    title = "Head office has to do this"


def visible_store_id() -> int | None:
    """The only store whose rows whoever is signed in may see; None for head office, which sees all."""
    return None if g.member.role == "head_office" else g.member.store_id


def require_head_office() -> None:
    """Let nobody pass who looks after one store.

    Raises:
        HeadOfficeNeeded: a manager is signed in.
    """
    if visible_store_id() is not None:
        raise HeadOfficeNeeded("This concerns all stores. Somebody from head office has to sign in for it.")
