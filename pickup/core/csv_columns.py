"""The columns of a CSV file: what each is called, how a cell becomes a value, and how the database holds it.

A parser gets a cell without the space around it and returns the value, or raises ValueError with the reason in words
that follow the column's name: `on_hand: must be a whole number …`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

Parser = Callable[[str], Any]

KEY_MAX_CHARACTERS = 100
TEXT_MAX_CHARACTERS = 200
QUOTED_MAX_CHARACTERS = 40

# What no cell may hold, whatever its column: controls other than tab and line breaks, and (surrogates, by which the
# reader passes them on) bytes that are not UTF-8.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"\s*[\t\r\n\u2028\u2029]\s*")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a file."""

    name: str
    parse: Parser
    sql_type: sa.types.TypeEngine[Any]
    required: bool = True
    """Whether the header must have it; whether a cell may be empty is the parser's matter."""
    always: bool = False
    """Whether it is staged even if the file has no such column, as if its cells were empty. Elsewhere what is stored
    stays as it is."""
    staged_as: str = ""
    """The name of the value in the row and in the staging table, where it is another (`sku` becomes `product_id`)."""

    @property
    def staged_name(self) -> str:
        """The name of the value in the row and in the staging table."""
        return self.staged_as or self.name


def columns_of(table: sa.FromClause, required: Mapping[str, Parser], optional: Mapping[str, Parser]) -> list[Column]:
    """Columns that are called as in their table and hold what it holds."""
    return [
        Column(name=name, parse=parse, sql_type=table.c[name].type, required=parsers is required)
        for parsers in (required, optional)
        for name, parse in parsers.items()
    ]


def quoted(cell: str) -> str:
    """A cell as a message shows it: short, and with nothing in it that a terminal would obey."""
    return repr(cell if len(cell) <= QUOTED_MAX_CHARACTERS else f"{cell[:QUOTED_MAX_CHARACTERS]}…")


def refuse_forbidden(cell: str) -> None:
    """Refuse what no column may hold.

    Raises:
        ValueError: a control character, or bytes that are not UTF-8.
    """
    found = FORBIDDEN.search(cell)
    if found is None:
        return
    if found[0] >= "\ud800":
        raise ValueError(f"{quoted(cell)} is not UTF-8 text")
    raise ValueError(f"{quoted(cell)} holds a control character")


def key(*, max_characters: int = KEY_MAX_CHARACTERS, empty: bool = False) -> Parser:
    """A name that other files and systems refer by: taken as it is, so it holds nothing that cannot be seen."""

    def parse(cell: str) -> str:
        if not cell and not empty:
            raise ValueError("is empty")
        if len(cell) > max_characters:
            raise ValueError(f"is longer than {max_characters} characters")
        if not cell.isprintable():
            raise ValueError(f"{quoted(cell)} holds a character that cannot be seen")
        return cell

    return parse


def text(*, max_characters: int = TEXT_MAX_CHARACTERS, empty: bool = True) -> Parser:
    """Words for people. Line breaks and tabs become a space: such words end up in subject lines and on labels."""

    def parse(cell: str) -> str:
        if not cell and not empty:
            raise ValueError("is empty")
        # Nearly every cell is printable, and that is quicker to know than where to search.
        value = cell if cell.isprintable() else _LINE_BREAKS.sub(" ", cell)
        if len(value) > max_characters:
            raise ValueError(f"is longer than {max_characters} characters")
        return value

    return parse


def whole(minimum: int, maximum: int) -> Parser:
    """A whole number within bounds."""

    def parse(cell: str) -> int:
        # int() alone would take "1_000" and the digits of every script.
        if _WHOLE.fullmatch(cell) and minimum <= (value := int(cell)) <= maximum:
            return value
        raise ValueError(f"must be a whole number from {minimum} to {maximum}, not {quoted(cell)}")

    return parse


def degrees(limit: int) -> Parser:
    """Decimal degrees from -limit to limit."""

    def parse(cell: str) -> float:
        if _DECIMAL.fullmatch(cell) and abs(value := float(cell)) <= limit:
            return value
        raise ValueError(f"must be decimal degrees from -{limit} to {limit}, not {quoted(cell)}")

    return parse


def choice(values: Iterable[str], *, default: str) -> Parser:
    """One of a few words; an empty cell is the default."""
    allowed = tuple(values)

    def parse(cell: str) -> str:
        if not cell:
            return default
        if cell in allowed:
            return cell
        raise ValueError(f"must be one of {', '.join(allowed)}, not {quoted(cell)}")

    return parse


def lookup(found: Mapping[str, int], noun: str) -> Parser:
    """What another file has brought in before, by its key."""

    def parse(cell: str) -> int:
        try:
            return found[cell]
        except KeyError:
            raise ValueError(f"{quoted(cell)} is no {noun} that is known here" if cell else "is empty") from None

    return parse


def instant(*, default: datetime) -> Parser:
    """A moment as ISO 8601 with its offset from UTC; an empty cell is the default."""

    def parse(cell: str) -> datetime:
        if not cell:
            return default
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:
            raise ValueError(f"{quoted(cell)} is not ISO 8601, such as 2026-03-01T06:00:00-06:00") from None
        if at.tzinfo is None:
            raise ValueError(f"{quoted(cell)} has no offset from UTC, such as -06:00 or Z")
        try:
            return at.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{quoted(cell)} is out of range") from None

    return parse


def optional(parse: Parser, default: Any = None) -> Parser:
    """The same, but an empty cell is the default."""
    return lambda cell: parse(cell) if cell else default
