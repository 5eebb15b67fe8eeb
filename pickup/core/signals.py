"""Hints between processes: "look again now". Carried by Redis, and only hints: who waits also looks by itself.

A web process that holds an answer back (`Prefer: wait`) sleeps here until a worker has decided.
"""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import redis
from flask import Flask, current_app
from redis.exceptions import RedisError
from sqlalchemy import event

from pickup.core.db import db
from pickup.core.logging import log

ORDER_DECIDED = "pickup:order-decided"

# Who waits looks for itself this often, in case a hint got lost.
LOOK_SECONDS = 0.5
LISTENER_TIMEOUT_SECONDS = 1.0


def after_commit(channel: str, subjects: Iterable[uuid.UUID]) -> None:
    """Tell whoever waits for these subjects, once the present transaction is committed."""
    waiting = [subject.hex for subject in subjects]
    if not waiting:
        return
    client: redis.Redis = current_app.extensions["redis"]

    def publish(_: Any) -> None:
        try:
            client.publish(channel, " ".join(waiting))
        except RedisError as error:
            log.warning("hint_lost", channel=channel, error=str(error))

    event.listen(db.session(), "after_commit", publish, once=True)


class Waiters:
    """The threads of this process that wait for subjects of one channel, and the one listener that wakes them."""

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self._listener: threading.Thread | None = None
        self._stopping = threading.Event()

    def wait_until(self, subject: uuid.UUID, decided: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until `decided()` holds, looking at every hint and twice a second; False when the time is up."""
        hint = threading.Event()
        with self._lock:
            self._waiting[subject.hex].add(hint)
            self._keep_listening()
        deadline = time.monotonic() + seconds
        try:
            while not decided():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                hint.wait(min(left, LOOK_SECONDS))
                hint.clear()
            return True
        finally:
            with self._lock:
                self._waiting[subject.hex].discard(hint)
                if not self._waiting[subject.hex]:
                    del self._waiting[subject.hex]

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
        try:
            with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
                subscription.subscribe(self._channel)
                while not self._stopping.is_set():
                    message = subscription.get_message(timeout=LISTENER_TIMEOUT_SECONDS)
                    if message:
                        self._wake(message["data"].decode().split())
        except RedisError as error:
            # The thread ends; the next one who waits starts another.
            log.warning("listener_stopped", error=str(error))

    def _wake(self, subjects: Iterable[str]) -> None:
        with self._lock:
            for subject in subjects:
                for hint in self._waiting.get(subject, ()):
                    hint.set()


def init_app(app: Flask) -> None:
    """Give the process its waiters."""
    app.extensions["order_waiters"] = Waiters(app.extensions["redis"], ORDER_DECIDED)
