"""The feed of events, from a cursor on: as pages, and one by one for streams.

A cursor is a place in the feed, the same for pages and streams, of all events and of one order's.
"""

import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pickup.core.errors import InvalidFields
from pickup.core.pagination import decode_cursor, encode_cursor
from pickup.core.streaming import News
from pickup.webhooks.event_types import PUBLIC
from pickup.webhooks.feed_queries import FeedPage, events_of_order, feed_after, newest_place
from pickup.webhooks.presenting import told_event

# As a cursor: begin with what comes.
NOW = "now"
_LIST = "events"
STREAMED_AT_ONCE = 500
# A stream that has to walk past events of others goes on at once, so often, before it waits.
WALKS_MAX = 20

Read = Callable[[int], FeedPage]
"""Reads the feed after a place."""


def types_of(words: str | None) -> Sequence[str]:
    """Which types of events are wanted: a list with commas; all of them where nothing is said.

    Raises:
        InvalidFields: one of them is none.
    """
    if words is None:
        return PUBLIC
    wanted = [word.strip() for word in words.split(",")]
    unknown = [word for word in wanted if word not in PUBLIC]
    if unknown:
        raise InvalidFields.at("/types", f"{unknown[0][:60]!r} is not a type of events")
    return wanted


def place_of(cursor: str | None) -> int:
    """The place that a cursor stands for.

    Raises:
        InvalidFields: it is none of ours, or leads beyond the feed, which has been set back then.
    """
    name, place = decode_cursor(cursor, str, int) or (_LIST, 0)
    if name != _LIST or place < 0:
        raise InvalidFields.at("/after", "is not a cursor of this list")
    return int(place)


def feed_page(client_id: int, cursor: str | None, *, types: Sequence[str], limit: int) -> dict[str, Any]:
    """A page of what a client may hear of.

    Raises:
        InvalidFields: the cursor is none of this list.
    """
    # Not for streams: a line that breaks before the first event would begin anew, and leave out what came meanwhile.
    start = newest_place() if cursor == NOW else place_of(cursor)
    page = _checked(start, lambda place: feed_after(place, client_id, types=types, limit=limit))
    return {"data": [told_event(event) for event in page.events], "next": _cursor(page.upto)}


def feed_source(client_id: int, types: Sequence[str]) -> "OneByOne":
    """The source of a stream of all that a client may hear of."""

    def read(place: int) -> FeedPage:
        page = FeedPage((), place, place)
        for _ in range(WALKS_MAX):
            page = feed_after(page.upto, client_id, types=types, limit=STREAMED_AT_ONCE)
            if page.events or page.upto >= page.newest:
                break
        return page

    return OneByOne(read)


def order_source(order_id: uuid.UUID) -> "OneByOne":
    """The source of a stream of what happens to an order."""
    return OneByOne(lambda place: events_of_order(order_id, place, limit=STREAMED_AT_ONCE))


class OneByOne:
    """A source of a stream that reads many events at a time and tells one after the other."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._told: str | None = None
        self._waiting: deque[News] = deque()

    def __call__(self, cursor: str | None) -> News:
        """The event after a cursor.

        Raises:
            InvalidFields: the cursor is none of this list.
        """
        if not self._waiting or cursor != self._told:
            page = _checked(place_of(cursor), self._read)
            self._waiting = deque(News(_cursor(event.position), event.type, told_event(event)) for event in page.events)
            if not self._waiting:
                return News(_cursor(page.upto))
        news = self._waiting.popleft()
        self._told = news.cursor
        return news


def _checked(place: int, read: Read) -> FeedPage:
    page = read(place)
    if place > page.newest:
        raise InvalidFields.at("/after", "is ahead of the feed")
    return page


def _cursor(place: int) -> str:
    return encode_cursor(_LIST, place)
