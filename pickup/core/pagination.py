"""Cursors: where a list goes on, opaque to the client and cheap for an index."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pickup.core.errors import InvalidFields

Row = TypeVar("Row")


def encode_cursor(*position: Any) -> str:
    """A place in a sorted list as one opaque word."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """What `encode_cursor` was given, or None for the start of the list.

    Raises:
        InvalidFields: not one of our cursors; names the field `after`.
    """
    if cursor is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(kinds)
        or not all(type(value) is kind for value, kind in zip(position, kinds, strict=True))
        or any(isinstance(value, int) and abs(value) >= 2**63 for value in position)
        or any(isinstance(value, str) and ("\x00" in value or not value.isprintable()) for value in position)
    ):
        raise InvalidFields.at("/after", "is not a cursor of this list")
    return tuple(position)


def page(rows: Sequence[Row], limit: int, position: Callable[[Row], tuple[Any, ...]]) -> dict[str, Any]:
    """A page from `limit + 1` rows: the extra one only tells whether there is a next page."""
    more = len(rows) > limit
    shown = list(rows[:limit])
    return {"data": shown, "next": encode_cursor(*position(shown[-1])) if more else None}
