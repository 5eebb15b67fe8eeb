"""Importing a CSV file: streamed, in chunks, each one transaction; bad rows are set aside, good rows are kept.

A feature says with a `Plan` what its columns are and how a staged chunk becomes rows of its tables. The rest is here:
a chunk is parsed, goes by COPY into a temporary table, is merged with set-based SQL and committed. So memory does not
grow with the file, and an import that is stopped midway has kept its whole chunks; run again, it ends as if it had
never been stopped, because every plan upserts. Prices are one chunk: all of a file holds from one instant on.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Self, TextIO

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pickup.core.csv_columns import FORBIDDEN, Column, refuse_forbidden
from pickup.core.csv_records import CsvSource, Record
from pickup.core.db import db, in_transaction
from pickup.core.errors import Unavailable
from pickup.core.staging import stage

# Rows of a chunk stay locked until it is committed, and orders must not wait for that: this is well under a second.
CHUNK_ROWS = 20_000
# An import is not in a hurry: it waits for a lock where a request would give up.
LOCK_TIMEOUT_SECONDS = 60

Row = dict[str, Any]
Stage = Callable[[], sa.Table]
"""Makes a temporary table with the rows of a chunk, in the present transaction."""
Report = Callable[[int, str, str], None]
"""Tells a person about a line, a field and what is wrong there."""
Progress = Callable[[int], None]
"""Is told how many bytes of the file have been read."""


class FieldProblem(ValueError):
    """What is wrong with a field in the light of the others."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one kind of file becomes rows of tables. Made at the start of a run, with its look-ups loaded."""

    columns: Sequence[Column]
    key: tuple[str, ...]
    """Staged names. Of several rows of a chunk with the same key the last one counts."""
    store: Callable[[Stage, int], int]
    """Brings a chunk into the feature's tables, in a transaction of its own: see `merging`, which is what most want.
    Is told how many rows there are, and returns how many of the keys are new."""
    complete: Callable[[Row], None] = lambda row: None
    """Finishes a row whose fields are all good: what one field means by another. May raise FieldProblem."""
    at_once: bool = False
    """Whether the whole file is one chunk, and takes effect at one instant. It has to fit into memory then."""
    all_or_none: bool = False
    """Whether a bad row keeps the others out. Only together with `at_once`."""


def merging(merge: Callable[[sa.Table], int]) -> Callable[[Stage, int], int]:
    """Store a chunk by a function that turns the staged rows into the feature's tables, and may run again.

    Args:
        merge: gets the rows, unique by key, with optional columns only where the file has them; returns how many keys
            are new.
    """
    return lambda stage, _: in_transaction(lambda: merge(stage()))


@dataclass(slots=True)
class Outcome:
    """How an import went, in rows."""

    imported: int = 0
    updated: int = 0
    rejected: int = 0
    is_complete: bool = True
    """Whether all of the file was read, its good rows stored and its bad rows set aside."""

    @property
    def is_clean(self) -> bool:
        """Whether everything in the file is in the database now."""
        return self.is_complete and not self.rejected


def database_reason(error: Exception) -> str:
    """What PostgreSQL said, on one line."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def rejected_path(path: str) -> str:
    """Where the rejected rows of a file go: `x.csv` and `x.csv.gz` have theirs in `x.rejected.csv`."""
    return re.sub(r"(\.csv)?(\.gz)?$", "", path, flags=re.IGNORECASE) + ".rejected.csv"


class CsvImport:
    """One run of an import."""

    def __init__(self, path: str, plan: Plan, outcome: Outcome, report: Report, progress: Progress) -> None:
        """
        Args:
            path: the file, as the user named it.
            plan: what the file holds.
            outcome: is kept up to date with every commit, so that it is true whatever ends the run.
            report: is told of every problem, as soon as it is found.
            progress: is told of every chunk.
        """
        self._path = path
        self._plan = plan
        self._outcome = outcome
        self._report = report
        self._progress = progress
        self._staged: list[Column] = []
        self._layout: list[tuple[Column, int]] = []
        self._defaults: Row = {}
        self._width = 0
        self._chunk: dict[Any, Any] = {}
        self._chunk_rows = 0
        self._chunk_line = 1
        self._key = itemgetter(*plan.key)
        self._values: Callable[[Row], Any] = tuple

    def run(self) -> None:
        """Import what can be imported; problems of the file and of the database are reported, not raised."""
        try:
            with CsvSource(self._path) as source, _RejectedFile(rejected_path(self._path), self._complain) as rejected:
                self._read(source, rejected)
                if source.problem:
                    self._complain(source.line, "file", source.problem)
        except OSError as error:
            self._complain(1, "file", error.strerror or str(error))
        except (SQLAlchemyError, psycopg.Error) as error:
            self._complain(self._chunk_line, "database", f"nothing from here on is imported: {database_reason(error)}")
        except Unavailable as error:
            self._complain(self._chunk_line, "database", error.detail)

    def _read(self, source: CsvSource, rejected: "_RejectedFile") -> None:
        records = iter(source)
        header = next(records, None)
        if header is None:
            if not source.problem:
                self._complain(1, "header", "the file is empty")
            return
        if not self._read_header(header):
            return
        rejected.header = header.raw
        for record in records:
            if not self._take(record):
                rejected.write(record.raw)
            if self._chunk_rows and self._chunk_rows % CHUNK_ROWS == 0:
                if not self._plan.at_once:
                    self._flush()
                self._progress(source.position)
        if self._plan.all_or_none and (self._outcome.rejected or source.problem):
            self._complain(1, "file", "nothing of it is imported, since not all of it can be")
            return
        self._flush()
        self._progress(source.position)

    def _complain(self, line: int, field: str, reason: str) -> None:
        self._outcome.is_complete = False
        self._report(line, field, reason)

    def _read_header(self, header: Record) -> bool:
        """Find out which column is where; if that cannot be done, say so."""
        names = [name.strip().lower() for name in header.fields]
        problems = [("header", header.problem)] if header.problem else list(self._problems_of_header(names))
        if problems:
            if FORBIDDEN.search(header.raw):
                problems = [("header", "is not plain UTF-8 text")]
            for field, reason in problems:
                self._complain(header.line, field, reason)
            return False
        self._width = len(names)
        self._staged = [column for column in self._plan.columns if column.name in names or column.always]
        self._layout = [(column, names.index(column.name)) for column in self._staged if column.name in names]
        self._defaults = {column.staged_name: column.parse("") for column in self._staged if column.name not in names}
        self._values = itemgetter(*(column.staged_name for column in self._staged))
        return True

    def _problems_of_header(self, names: list[str]) -> Iterator[tuple[str, str]]:
        for column in self._plan.columns:
            if names.count(column.name) > 1:
                yield column.name, "there are several columns of this name"
            elif column.required and column.name not in names:
                yield column.name, f"there is no such column; the header is {','.join(names)[:200]!r}"

    def _take(self, record: Record) -> bool:
        """Put a record into the chunk; False, and reported, if it is bad."""
        if not record.fields and not record.problem:
            return False  # further text of a broken record, which was reported and counted
        row = dict(self._defaults)
        problems = self._problems_of_form(record) or self._parse(record, row)
        if not problems:
            try:
                self._plan.complete(row)
            except FieldProblem as problem:
                problems = [(problem.field, str(problem))]
        if problems:
            for field, reason in problems:
                self._report(record.line, field, reason)
            self._outcome.rejected += 1
            return False
        if not self._chunk:
            self._chunk_line = record.line
        self._chunk[self._key(row)] = self._values(row)
        self._chunk_rows += 1
        return True

    def _problems_of_form(self, record: Record) -> list[tuple[str, str]]:
        if record.problem:
            return [("row", record.problem)]
        if len(record.fields) == self._width:
            return []
        return [("row", f"has {len(record.fields)} fields, and the header {self._width}")]

    def _parse(self, record: Record, row: Row) -> list[tuple[str, str]]:
        problems = []
        # One search through the raw text spares one in each cell.
        suspect = FORBIDDEN.search(record.raw) is not None
        for column, index in self._layout:
            cell = record.fields[index]
            try:
                if suspect:
                    refuse_forbidden(cell)
                row[column.staged_name] = column.parse(cell.strip())
            except ValueError as error:
                problems.append((column.name, str(error)))
        return problems

    def _flush(self) -> None:
        """Merge and commit the chunk."""
        if not self._chunk:
            return
        new = self._plan.store(self._stage_chunk, len(self._chunk))
        self._outcome.imported += new
        self._outcome.updated += self._chunk_rows - new
        self._chunk.clear()
        self._chunk_rows = 0

    def _stage_chunk(self) -> sa.Table:
        db.session.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        return stage({column.staged_name: column.sql_type for column in self._staged}, self._chunk.values())


class _RejectedFile:
    """The rows that were refused, as they were, under the header of their file; exists only if there are any."""

    def __init__(self, path: str, complain: Report) -> None:
        self.header = ""
        self._path = Path(path)
        self._complain = complain
        self._file: TextIO | None = None
        self._broken = False

    def __enter__(self) -> Self:
        # Removed, not truncated: the name may be a link to a file that is somebody's.
        with suppress(OSError):
            self._path.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)

    def write(self, raw: str) -> None:
        """Add a row. That it cannot be written is said once; the import is worth more than this file."""
        if self._broken:
            return
        try:
            if self._file is None:
                self._file = open(self._path, "x", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115
                self._file.write(self.header)
            self._file.write(raw)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self._broken:
            self._broken = True
            self._complain(1, "file", f"{self._path} cannot be written: {error.strerror}")
