"""Server-sent events: what there is after a cursor, and then whatever comes, on a line that stays open.

A stream asks its source again and again what comes after the last cursor that it told. So nothing is left out, however
often the line breaks, and a hint (`signals`) only makes it ask sooner. It occupies a thread as long as it is open, and
a connection of the database only while it asks.
"""

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from pickup.config import Settings
from pickup.core import signals
from pickup.core.api import Blueprint, accepts_headers, refuses
from pickup.core.errors import DomainError, InvalidFields, Kind
from pickup.core.logging import log
from pickup.core.openapi import EVENT_STREAM

View = TypeVar("View", bound=Callable[..., Any])

# It looks for itself this often, in case a hint got lost or Redis is away.
LOOK_SECONDS = 2.0
# After so long without a word a comment shows both ends, and every proxy between them, that the line is alive.
HEARTBEAT_SECONDS = 15.0
# Then it ends, and the client comes back: so none stays with an old process or an uneven share for long.
STREAM_SECONDS = 300.0
# Whether its key still works is asked this often.
PERMISSION_SECONDS = 60.0
# A client that takes so long to read one event is taken for dead.
WRITE_SECONDS = 30.0
# How often streams are looked after: whether they are to end, and whether anybody is there.
TURN_SECONDS = 0.5
# What a client waits before it comes back.
RETRY_SECONDS = 3
RETRY_WHEN_FULL_SECONDS = 10
# A hint wakes all streams together; the connections that are left are for requests.
LOOKS_AT_ONCE = 4

HEARTBEAT = b":\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LAST_EVENT_ID = "Last-Event-ID"
LAST_EVENT_ID_HEADER = {
    "name": LAST_EVENT_ID,
    "description": "the `id` of the last event that you got: goes before `after`. Browsers send it by themselves",
    "schema": {"type": "string"},
}


class TooManyStreams(DomainError):
    """This server has as many streams open as it may have."""

    kind = Kind.TOO_MANY
    code = "too_many_streams"
    title = "Too many streams are open"


@dataclass(frozen=True, slots=True)
class News:
    """What a source has after a cursor."""

    cursor: str
    """Where to go on."""
    event: str = ""
    data: Any = None
    """JSON; None where there is nothing to tell."""


Source = Callable[[str | None], News]


def documented(example: str) -> Callable[[View], View]:
    """Document that a route answers with a stream.

    Args:
        example: some events, as they come.
    """
    content = {EVENT_STREAM: {"schema": {"type": "string"}, "example": example}}
    answer = {"200": {"description": "Events, as they come (server-sent events).", "content": content}}

    def decorate(view: View) -> View:
        told: View = Blueprint.doc(responses=answer)(view)
        return refuses(TooManyStreams)(accepts_headers(LAST_EVENT_ID_HEADER)(told))

    return decorate


def stream(source: Source, *, topic: str, after: str | None, still_allowed: Callable[[], bool]) -> Response:
    """Answer with the events of a source: what is there after a cursor, then each that comes.

    Once it has begun, a cursor that the source refuses is an event `reset` with the reason. Anything else ends it in
    silence: the client comes back with its `Last-Event-ID`.

    Args:
        source: what comes after a cursor. It is asked within an application context of its own, not a request's, and
            must be quick where there is nothing.
        topic: the subject of `signals.NEWS` that makes it worth asking.
        after: where to begin, unless the client says `Last-Event-ID`.
        still_allowed: asked now and then, with a database; where it is not, the stream ends.

    Raises:
        TooManyStreams: none is free in this process.
        DomainError: what the source refuses at the beginning.
    """
    streams: Streams = current_app.extensions["streams"]
    opened = Stream(streams, source, topic, still_allowed)
    streams.admit(opened)
    try:
        first = source(request.headers.get(LAST_EVENT_ID) or after)
    except BaseException:
        streams.leave(opened)
        raise
    answer = Response(opened.told(first), mimetype=EVENT_STREAM, headers=HEADERS)
    answer.call_on_close(opened.close)
    return answer


class Streams:
    """Those that are open in this process, and the thread that looks after them."""

    def __init__(self) -> None:
        self.looking = threading.BoundedSemaphore(LOOKS_AT_ONCE)
        self.is_stopping: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()
        self._open: set[Stream] = set()
        self._watcher: threading.Thread | None = None

    def stop_when(self, asked: Callable[[], bool]) -> None:
        """Say how to find out that the process is asked to end: then streams end within a second."""
        self.is_stopping = asked

    def admit(self, opened: "Stream") -> None:
        """One more.

        Raises:
            TooManyStreams: there are `PICKUP_WEB_STREAMS` already.
        """
        settings: Settings = current_app.extensions["settings"]
        with self._lock:
            if len(self._open) >= settings.web_streams:
                raise TooManyStreams(
                    "As many streams are open here as there may be. Poll meanwhile, and try again later.",
                    retry_after_seconds=RETRY_WHEN_FULL_SECONDS,
                )
            self._open.add(opened)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="streams", daemon=True)
                self._watcher.start()

    def leave(self, closed: "Stream") -> None:
        """One less."""
        with self._lock:
            self._open.discard(closed)

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)

    def _watch(self) -> None:
        while True:
            time.sleep(TURN_SECONDS)
            with self._lock:
                opened = list(self._open)
                if not opened:
                    self._watcher = None
                    return
            is_stopping = self.is_stopping()
            for each in opened:
                each.look_after(is_stopping)


class Stream:
    """One line to one client."""

    def __init__(self, streams: Streams, source: Source, topic: str, still_allowed: Callable[[], bool]) -> None:
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._streams = streams
        self._source = source
        self._topic = topic
        self._still_allowed = still_allowed
        self._connection: socket.socket | None = request.environ.get("gunicorn.socket")
        self._hint = threading.Event()
        self._ends_at = time.monotonic() + STREAM_SECONDS
        self._permitted_until = time.monotonic() + PERMISSION_SECONDS
        self._written_at = 0.0
        self._is_writing = False

    def told(self, first: News) -> Iterator[bytes]:
        """The body of the answer."""
        # Between the first look and now a hint may have been missed.
        self._hint.set()
        waiters: signals.Waiters = self._app.extensions["order_waiters"]
        try:
            with waiters.waking(self._hint, self._topic):
                for chunk in self._chunks(first):
                    self._written_at, self._is_writing = time.monotonic(), True
                    yield chunk
                    self._is_writing = False
        except SQLAlchemyError as error:
            log.warning("stream_ended", topic=self._topic, error=str(error)[:300])
        except Exception as error:
            log.error("fault", topic=self._topic, exc_info=error)
        finally:
            self._streams.leave(self)

    def close(self) -> None:
        """The answer is over, or the client is gone."""
        self._streams.leave(self)
        if self._streams.is_stopping():
            self._hang_up()  # otherwise the server waits for a next request on this line

    def look_after(self, is_stopping: bool) -> None:
        """End this stream where the process ends or nobody is there. Called by another thread, twice a second."""
        if is_stopping or self._is_alone():
            self._ends_at = -math.inf
            self._hint.set()
        if self._is_writing and time.monotonic() - self._written_at > (TURN_SECONDS if is_stopping else WRITE_SECONDS):
            self._hang_up()

    def _chunks(self, first: News) -> Iterator[bytes]:
        yield f"retry: {RETRY_SECONDS * 1000}\n\n".encode()
        news: News | None = first
        while news is not None:
            if news.data is not None:
                yield _event(news)
                if not news.cursor:
                    return
            elif time.monotonic() - self._written_at >= HEARTBEAT_SECONDS:
                yield HEARTBEAT
            if news.data is None:
                self._hint.wait(LOOK_SECONDS)
                self._hint.clear()
            if time.monotonic() >= self._ends_at:
                return
            news = self._look(news.cursor)

    def _look(self, cursor: str) -> News | None:
        """What comes after a cursor; None when nobody may know any more."""
        with self._streams.looking, self._app.app_context():
            if time.monotonic() >= self._permitted_until:
                if not self._still_allowed():
                    return None
                self._permitted_until = time.monotonic() + PERMISSION_SECONDS
            try:
                return self._source(cursor)
            except InvalidFields as refusal:
                # Without a cursor a client that comes back by itself begins anew.
                return News("", "reset", {"code": refusal.code, "detail": refusal.detail})

    def _is_alone(self) -> bool:
        """Whether the client has hung up."""
        if self._connection is None:
            return False
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except (BlockingIOError, ValueError):  # ValueError: TLS has no peeking
            return False
        except OSError:
            return True

    def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


def _event(news: News) -> bytes:
    data = json.dumps(news.data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {news.cursor}\nevent: {news.event}\ndata: {data}\n\n".encode()


def init_app(app: Flask) -> None:
    """Give the process its streams."""
    app.extensions["streams"] = Streams()
