"""A client of server-sent events: the lines of a stream as events."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event, or a comment, whose name is empty."""

    id: str
    name: str
    data: Any

    @property
    def versions(self) -> list[int]:
        return [change["version"] for change in self.data["data"]]


def events_of(lines: Iterable[bytes]) -> Iterator[Event]:
    """What the lines of a stream say, without the word when to come back."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            assert name in ("retry", "id", "event", "data", ":"), line
            fields[name] = value
            continue
        if "retry" not in fields:
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Event(fields.get("id", ""), fields.get("event", ""), data)
        fields = {}
