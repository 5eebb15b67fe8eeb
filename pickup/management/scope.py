"""What a role sees of /admin: a manager their own store, head office all of them."""

from typing import NamedTuple

from flask import g

from pickup.core.errors import DomainError, Kind
from pickup.stores.directory import StoreEntry, fresh_directory


class HeadOfficeNeeded(DomainError):
    """What was asked for concerns other stores, or all of them, and the person looks after one."""

    kind = Kind.FORBIDDEN
    code = "head_office_needed"
    title = "Head office has to do this"


def visible_store_id() -> int | None:
    """The only store whose rows whoever is signed in may see; None for head office, which sees all."""
    return None if g.member.role == "head_office" else g.member.store_id


def sees_store(store_id: int | None) -> bool:
    """Whether rows of a store may be seen."""
    return store_id is not None and visible_store_id() in (None, store_id)


def require_head_office() -> None:
    """Let nobody pass who looks after one store.

    Raises:
        HeadOfficeNeeded: a manager is signed in.
    """
    if visible_store_id() is not None:
        raise HeadOfficeNeeded("This concerns all stores. Somebody from head office has to sign in for it.")


class Chosen(NamedTuple):
    """The store that a page looks at; None where it is all of them, or where what was typed is none."""

    store: StoreEntry | None
    error: str
    """What is wrong with what was typed."""

    @property
    def store_id(self) -> int | None:
        """Its id, for the queries."""
        return self.store.id if self.store else None

    @property
    def timezone(self) -> str:
        """By whose clock days begin: the store's, or that of whoever looks at all of them."""
        place: StoreEntry = self.store or g.store
        return place.timezone


def chosen_store(ref: str) -> Chosen:
    """The store that is asked for by its number. A manager has no choice."""
    if visible_store_id() is not None:
        return Chosen(g.store, "")
    store = fresh_directory().by_ref.get(ref)
    return Chosen(store, f"There is no store {ref}." if ref and store is None else "")
