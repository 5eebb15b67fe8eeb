"""What these pages are asked: words in the address, pages of a list, and forms with what is wrong in them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from flask import request

from pickup.core.errors import DomainError, InvalidFields
from pickup.core.pagination import decode_cursor
from pickup.core.pagination import page as page_of
from pickup.management.csv_export import page_by_page
from pickup.management.scope import visible_store_id
from pickup.stores.directory import StoreEntry, fresh_directory
from pickup.stores.errors import StoreNotFound

Row = TypeVar("Row")
Read = Callable[[tuple[Any, ...] | None, int], Sequence[Row]]
"""Reads rows from behind a position, or from the beginning, and so many at most."""

ROWS_MAX = 25
CSV_ROWS_AT_ONCE = 500
TYPED_MAX_CHARACTERS = 100
FIELD_MAX_CHARACTERS = 4000


def typed(field: str) -> str:
    """What a search asks for in one of its fields; nothing where it could not be typed."""
    words = request.args.get(field, "").strip()[:TYPED_MAX_CHARACTERS]
    return words if words.isprintable() else ""


def filled_in(*fields: str) -> dict[str, str]:
    """What a form was sent with, as it was typed."""
    return {field: request.form.get(field, "")[:FIELD_MAX_CHARACTERS].strip() for field in fields}


def wants_csv() -> bool:
    """Whether the list is asked for as a file."""
    return request.args.get("format") == "csv"


def visible_store(ref: str) -> StoreEntry:
    """A store that whoever is signed in may see.

    Raises:
        StoreNotFound: there is none, or it is another one than their own.
    """
    store = fresh_directory().by_ref.get(ref)
    own = visible_store_id()
    if store is None or own not in (None, store.id):
        raise StoreNotFound("There is no store of this reference.")
    return store


def asked_store() -> tuple[StoreEntry | None, str]:
    """The store that a list is limited to, if it is, and what is wrong with what was typed."""
    own, ref = visible_store_id(), typed("store")
    if own is not None:
        return fresh_directory().by_id[own], ""
    if not ref:
        return None, ""
    store = fresh_directory().by_ref.get(ref)
    return store, "" if store else f"There is no store {ref}."


def one_page(read: Read[Row], position_of: Callable[[Row], tuple[Any, ...]], *kinds: type) -> dict[str, Any]:
    """The page of a list that is asked for.

    Args:
        kinds: the types of a position's members.

    Raises:
        InvalidFields: `after` is not a cursor of this list.
    """
    after = request.args.get("after")
    shown = page_of(read(decode_cursor(after, *kinds), ROWS_MAX + 1), ROWS_MAX, position_of)
    return {"rows": shown["data"], "next": shown["next"], "is_first": after is None}


def all_cells(
    read: Read[Row], position_of: Callable[[Row], tuple[Any, ...]], cells: Callable[[Row], Sequence[object]]
) -> Iterator[Sequence[object]]:
    """All rows of a list as cells of a file, some at a time."""

    def fetch(position: tuple[Any, ...] | None) -> tuple[Sequence[Sequence[object]], tuple[Any, ...] | None]:
        rows = read(position, CSV_ROWS_AT_ONCE + 1)
        kept = rows[:CSV_ROWS_AT_ONCE]
        return [cells(row) for row in kept], position_of(kept[-1]) if len(rows) > len(kept) else None

    return page_by_page(fetch)


def wrong_fields(refusal: DomainError, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is wrong in a form, by field, as sentences.

    Args:
        fields: of a refusal that names no field, where it belongs, by its code.
    """
    if isinstance(refusal, InvalidFields):
        return {error.pointer.strip("/"): sentence(error.detail) for error in refusal.errors}
    field = (fields or {}).get(refusal.code)
    if field is None:
        raise refusal
    return {field: refusal.detail}


def sentence(words: str) -> str:
    """Words that go on from a field's name, so that they stand alone."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
