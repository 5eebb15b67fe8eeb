"""The process that sends webhooks: what is due of them, to whom it is for. `python -m worker.webhooks`

Several may run. One thread talks to the database: it leases deliveries and writes down what came of them. Each attempt
has a thread of its own, which only talks to the receiver. Nothing here needs Redis; a hint that comes over it makes a
new event start sooner.
"""

import json
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pickup.config import Settings
from pickup.core import signals
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import in_transaction, undo
from pickup.core.logging import log
from pickup.core.posting import TOTAL_SECONDS, Answer, post, public_tls
from pickup.webhooks import deliveries
from pickup.webhooks.deliveries import Leased, Outcome
from pickup.webhooks.presenting import shown_event
from pickup.webhooks.publishing import TOPIC
from pickup.webhooks.queries import PublicEvent, events_by_id
from pickup.webhooks.signing import message_id, signed_headers
from worker.app import app

ATTEMPTS_AT_ONCE = 32
# However many endpoints are away, there is always room for those that are not.
FAILING_AT_ONCE = 16
PAUSE_MIN_SECONDS = 0.1
PAUSE_MAX_SECONDS = 1.0
PAUSE_AFTER_FAULT_SECONDS = 1.0
# An attempt ends after 15. Process managers wait for 20 and longer.
STOP_SECONDS = 17.0

stopping = threading.Event()


class Sender:
    """What this process has in hand."""

    def __init__(self, *, loopback: bool, total_seconds: float = TOTAL_SECONDS) -> None:
        self.wake = threading.Event()
        """Set when there is something to do: an attempt has ended, an event has come."""
        self._loopback = loopback
        self._total_seconds = total_seconds
        self._ended: SimpleQueue[Outcome] = SimpleQueue()
        self._to_record: list[Outcome] = []
        self._in_hand: set[Leased] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no attempt is under way, or waits to be written down."""
        return not self._in_hand

    def turn(self, *, takes_more: bool = True) -> int:
        """Write down what has ended, and begin with what is due; returns how much there was to do.

        Raises:
            SQLAlchemyError: the database is away. Nothing is forgotten: the next turn says it again.
        """
        self._gather()
        outcomes = list(self._to_record)
        if not outcomes and not takes_more:
            return 0
        begun = in_transaction(lambda: self._settle_and_lease(outcomes, takes_more))
        self._to_record.clear()
        self._in_hand.difference_update(each.delivery for each in outcomes)
        for delivery, body in begun:
            self._in_hand.add(delivery)
            threading.Thread(target=self._attempt, args=(delivery, body), daemon=True).start()
        return len(outcomes) + len(begun)

    def _gather(self) -> None:
        with suppress(Empty):
            while True:
                self._to_record.append(self._ended.get_nowait())

    def _settle_and_lease(self, outcomes: list[Outcome], takes_more: bool) -> list[tuple[Leased, bytes | None]]:
        now = utcnow()
        deliveries.record(outcomes, now=now)
        if not takes_more:
            return []
        in_hand = self._in_hand - {each.delivery for each in outcomes}
        room = ATTEMPTS_AT_ONCE - len(in_hand)
        if room <= 0:
            return []
        leased = deliveries.lease(
            Counter(each.endpoint_id for each in in_hand),
            now=now,
            limit=room,
            limit_of_failing=FAILING_AT_ONCE - sum(each.fails for each in in_hand),
        )
        bodies = _bodies(each.event_id for each in leased)
        return [(each, bodies[each.event_id]) for each in leased]

    def _attempt(self, delivery: Leased, body: bytes | None) -> None:
        at, began = utcnow(), time.monotonic()
        try:
            answer = self._answer(delivery, body, at)
        except Exception as error:
            log.error("webhook_fault", delivery=delivery.id, exc_info=error)
            answer = Answer(None, "a fault of ours")
        self._ended.put(Outcome(delivery, at, round(1000 * (time.monotonic() - began)), answer))
        self.wake.set()

    def _answer(self, delivery: Leased, body: bytes | None, at: datetime) -> Answer:
        if body is None:
            return Answer(None, "a fault of ours")
        headers = signed_headers(message_id(delivery.event_id), body, delivery.secrets, at=at)
        return post(delivery.url, headers, body, loopback=self._loopback, total_seconds=self._total_seconds)


def _bodies(event_ids: Iterable[int]) -> dict[int, bytes | None]:
    """What is sent of some events; one that cannot be shown must not keep the others."""
    wanted = list(event_ids)
    events = events_by_id(wanted) if wanted else {}
    return {event_id: _body(events.get(event_id)) for event_id in wanted}


def _body(event: PublicEvent | None) -> bytes | None:
    if event is None:
        return None
    try:
        return json.dumps(shown_event(event), default=_plain, separators=(",", ":")).encode()
    except (LookupError, TypeError, ValueError) as error:
        log.error("webhook_fault", event_id=event.id, exc_info=error)
        return None


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def send_until(stop: threading.Event, sender: Sender) -> None:
    """Send what is due until the event is set; then wait for what is under way."""
    pause = PAUSE_MIN_SECONDS
    while not stop.is_set():
        sender.wake.wait(pause)
        sender.wake.clear()
        busy = _turn(sender, takes_more=not stop.is_set())
        pause = PAUSE_MIN_SECONDS if busy else min(pause * 1.5, PAUSE_MAX_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while not sender.is_idle and time.monotonic() < deadline:
        sender.wake.wait(PAUSE_MIN_SECONDS)
        sender.wake.clear()
        _turn(sender, takes_more=False)


def _turn(sender: Sender, *, takes_more: bool = True) -> int:
    try:
        return sender.turn(takes_more=takes_more)
    except SQLAlchemyError as error:
        undo()
        log.warning("webhooks_fault", error=str(error)[:300])
        stopping.wait(PAUSE_AFTER_FAULT_SECONDS)
        return 0


def main() -> None:
    """Send until SIGTERM or SIGINT."""
    settings: Settings = app.extensions["settings"]
    sender = Sender(loopback=settings.post_to_loopback)
    public_tls()

    for number in (signal.SIGTERM, signal.SIGINT):
        # Not `sender.wake` as well: the thread that is interrupted may be about to wait for it, and has its lock.
        signal.signal(number, lambda *_: stopping.set())
    waiters: signals.Waiters = app.extensions["order_waiters"]
    with app.app_context(), waiters.waking(sender.wake, TOPIC):
        log.info("webhooks_started")
        send_until(stopping, sender)


if __name__ == "__main__":
    main()
