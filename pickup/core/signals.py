"""Hints between processes: "look again now". Carried by Redis, and only hints: who waits also looks by itself.

A web process that holds an answer back (`Prefer: wait`) sleeps here until a worker has decided, and a stream until
there is news.
"""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from flask import Flask, current_app
from redis.exceptions import RedisError
from sqlalchemy import event

from pickup.core.db import db
from pickup.core.logging import log

ORDER_DECIDED = "pickup:order-decided"
# What streams follow; the subjects are the names of events.
NEWS = "pickup:news"

# Who waits looks for itself this often, in case a hint got lost.
LOOK_SECONDS = 0.5
LISTENER_TIMEOUT_SECONDS = 1.0
# How long the listener waits for a Redis that is away.
RETRY_SECONDS = 1.0

# What a hint is about: a thing by its id, or a matter by a name without blanks.
Subject = uuid.UUID | str


def after_commit(channel: str, subjects: Iterable[Subject]) -> None:
    """Tell whoever waits for these subjects, once the present transaction is committed."""
    waiting = list(map(_word, subjects))
    if not waiting:
        return
    client: redis.Redis = current_app.extensions["redis"]

    def publish(_: Any) -> None:
        try:
            client.publish(channel, " ".join(waiting))
        except RedisError as error:
            log.warning("hint_lost", channel=channel, error=str(error))

    event.listen(db.session(), "after_commit", publish, once=True)


def _word(subject: Subject) -> str:
    return subject if isinstance(subject, str) else subject.hex


class Waiters:
    """The threads of this process that wait for subjects of some channels, and the one listener that wakes them."""

    def __init__(self, client: redis.Redis, *channels: str) -> None:
        self._client = client
        self._channels = channels
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self._listener: threading.Thread | None = None
        self._stopping = threading.Event()
        self._is_deaf = False

    def wait_until(self, subject: Subject, decided: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until `decided()` holds, looking at every hint and twice a second; False when the time is up."""
        deadline = time.monotonic() + seconds
        hint = threading.Event()
        with self.waking(hint, subject):
            while not decided():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                hint.wait(min(left, LOOK_SECONDS))
                hint.clear()
            return True

    @contextmanager
    def waking(self, hint: threading.Event, subject: Subject) -> Iterator[None]:
        """While this is entered, every hint about the subject sets the event."""
        word = _word(subject)
        with self._lock:
            self._waiting[word].add(hint)
            self._keep_listening()
        try:
            yield
        finally:
            with self._lock:
                self._waiting[word].discard(hint)
                if not self._waiting[word]:
                    del self._waiting[word]

    def stop(self) -> None:
        """End the listener, before the world around it goes."""
        self._stopping.set()
        if self._listener is not None:
            self._listener.join(2 * LISTENER_TIMEOUT_SECONDS)

    def _keep_listening(self) -> None:
        if self._listener is None or not self._listener.is_alive():
            self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
            self._listener.start()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._pass_hints_on()
            except RedisError as error:
                if not self._is_deaf:
                    log.warning("listener_stopped", error=str(error))
                self._is_deaf = True
                self._stopping.wait(RETRY_SECONDS)

    def _pass_hints_on(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(*self._channels)
            self._is_deaf = False
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=LISTENER_TIMEOUT_SECONDS)
                if message:
                    self._wake(message["data"].decode().split())

    def _wake(self, words: Iterable[str]) -> None:
        with self._lock:
            for word in words:
                for hint in self._waiting.get(word, ()):
                    hint.set()


def init_app(app: Flask) -> None:
    """Give the process its waiters."""
    app.extensions["order_waiters"] = Waiters(app.extensions["redis"], ORDER_DECIDED, NEWS)
