"""The records of a CSV file (RFC 4180), as they come: with their line, their raw text, and what is wrong with them.

Nothing that a file holds stops the reading of the rest: a record that is no CSV is handed out as broken, and the
reading goes on at the next line. Only one record is in memory at a time.
"""

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, TextIO, cast

RECORD_MAX_CHARACTERS = 1024 * 1024
LINE_ENDS = ("\n", "\r")


@dataclass(slots=True)
class Record:
    """A record: its fields, or what is wrong with it. One with neither is further text of the broken one before it."""

    line: int
    """The physical line where it begins; the first is 1."""
    raw: str
    fields: list[str]
    problem: str = ""


class CsvSource:
    """An open CSV file, gzipped or not. Bytes that are not UTF-8 come out as surrogates (PEP 383)."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by `close`
        self._stream = _Forgiving(gzip.GzipFile(fileobj=self._file) if path.lower().endswith(".gz") else self._file)
        buffered = io.BufferedReader(self._stream, buffer_size=256 * 1024)
        self._text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._lines = _Lines(self._text, self._stream)

    @property
    def position(self) -> int:
        """How many bytes of the file have been read; 0 where it is a pipe."""
        return self._file.tell() if self._file.seekable() else 0

    @property
    def line(self) -> int:
        """The next line to read."""
        return self._lines.number

    @property
    def problem(self) -> str:
        """Why the file could not be read to its end; empty while all is well."""
        return self._stream.problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._file.close()

    def __iter__(self) -> Iterator[Record]:
        """Every record but blank lines."""
        lines = self._lines
        reader = csv.reader(lines, strict=True)
        while True:
            line = lines.number
            try:
                fields = next(reader, None)
            except csv.Error as error:
                # A quote that is never closed would swallow all that follows: only its own line is given up.
                raw = lines.accept_first()
                yield Record(line, raw, [], _PROBLEMS.get(str(error), str(error)))
                while not raw.endswith(LINE_ENDS) and (raw := lines.skip()):
                    yield Record(line, raw, [])
                continue
            if fields is None:
                return
            raw = lines.accept()
            if fields:
                yield Record(line, raw, fields)


# The csv module speaks of its parser here, not of the file.
_PROBLEMS = {"unexpected end of data": "a quoted field has no closing quote"}


class _Lines:
    """Physical lines for the CSV parser; those it has taken are kept until somebody says what becomes of them."""

    def __init__(self, text: TextIO, stream: "_Forgiving") -> None:
        self.number = 1
        self._text = text
        self._stream = stream
        self._taken: list[str] = []
        self._size = 0
        self._again: deque[str] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(RECORD_MAX_CHARACTERS)
        if not line:
            raise StopIteration
        self._taken.append(line)
        self._size += len(line)
        if self._size >= RECORD_MAX_CHARACTERS:
            raise csv.Error(f"is longer than {RECORD_MAX_CHARACTERS} characters")
        if self._stream.problem and not line.endswith(LINE_ENDS):
            raise csv.Error(f"is cut off: the file {self._stream.problem}")
        return line

    def accept(self) -> str:
        """All lines taken are one record."""
        raw = "".join(self._taken)
        self.number += len(self._taken)
        self._taken.clear()
        self._size = 0
        return raw

    def accept_first(self) -> str:
        """The first line taken is a record, the others are to be read again."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        return self.accept()

    def skip(self) -> str:
        """More of a line that was too long to be taken whole; empty at the end of the file."""
        return self._text.readline(RECORD_MAX_CHARACTERS)


class _Forgiving(io.RawIOBase):
    """A stream that ends where it can be read no further, and knows why."""

    def __init__(self, stream: io.RawIOBase | gzip.GzipFile) -> None:
        self.problem = ""
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if self.problem:
            return 0
        try:
            return cast(int, self._stream.readinto(buffer))  # type: ignore[arg-type]
        except EOFError:
            self.problem = "ends before its time"
        except (gzip.BadGzipFile, zlib.error):
            self.problem = "is not gzip, or is damaged"
        except OSError as error:
            self.problem = f"cannot be read: {error.strerror}"
        return 0
