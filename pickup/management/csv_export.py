"""Tables as CSV: RFC 4180, UTF-8, with a header row, row by row, however many there are."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

from flask import Response, stream_with_context

from pickup.core.clock import rfc3339
from pickup.core.db import undo
from pickup.management.queries import give_up_after_a_while

ROWS_A_CHUNK = 200
# A spreadsheet takes a cell that begins like this for a formula, and computes it: https://owasp.org, "CSV Injection".
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A file to download. The first row is read at once, so that a refusal is still an answer; the others as they go.

    Args:
        name: of the file, without `.csv`.
        rows: cells: text, numbers, instants (written in UTC), lists and dicts (written as JSON), None (left empty).
    """
    coming = iter(rows)
    first = list(islice(coming, 1))
    answer = Response(
        stream_with_context(_chunks(header, chain(first, coming))),
        content_type="text/csv; charset=utf-8; header=present",
    )
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return answer


def page_by_page(
    fetch: Callable[[Any], tuple[Sequence[Sequence[object]], Any]],
) -> Iterator[Sequence[object]]:
    """All rows of a list, by the pages of its keyset. Between two pages no connection is held: readers may be slow.

    Args:
        fetch: the rows behind a position (None: from the first on), as plain values, and the position of the last of
            them; None where no more come.
    """
    position = None
    while True:
        give_up_after_a_while()
        rows, position = fetch(position)
        undo()
        yield from rows
        if position is None:
            return


def harmless(value: object) -> str:
    """A cell as text that no spreadsheet computes: what could be a formula, and is no number, gets an apostrophe."""
    words = _text(value)
    return f"'{words}" if words.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(words) else words


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _chunks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    all_rows = chain([header], rows)
    while chunk := list(islice(all_rows, ROWS_A_CHUNK)):
        written = io.StringIO()
        csv.writer(written).writerows([harmless(cell) for cell in row] for row in chunk)
        yield written.getvalue()
