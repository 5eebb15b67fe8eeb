"""Messages about orders on their way out: what the handlers that tell somebody something have in common."""

import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import segno

from pickup.core.outbox import NotNow, Task
from pickup.notifications import service as notifications
from pickup.notifications.service import Draft, Outcome, Sending
from pickup.notifications.sms import phone_number
from pickup.orders.message_contexts import QR_CONTENT_ID
from pickup.orders.models import Order


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message that waits to be sent."""

    sending: Sending
    attempts: int
    """How often that has failed."""
    code: str | None
    """What the picture in it says, if it has one."""


def write(drafts: Sequence[tuple[Task, Draft, str | None]], now: datetime) -> dict[int, Announcement | NotNow]:
    """Write messages down; by task, without those that are sent or that nobody wants.

    Args:
        drafts: each with the code that is shown as a picture, if any.
    """
    written = notifications.write_messages([draft for _, draft, _ in drafts], now=now)
    return {
        task.id: Announcement(each, task.attempts, code) if isinstance(each, Sending) else each
        for (task, _, code), each in zip(drafts, written, strict=True)
        if each is not None
    }


@contextmanager
def performing() -> Iterator[Callable[[Announcement], Outcome]]:
    """What sends an announcement; many go over one connection."""
    with notifications.delivery() as send:

        def perform(announcement: Announcement) -> Outcome:
            code = announcement.code
            return send(announcement.sending, announcement.attempts, {QR_CONTENT_ID: qr_png(code)} if code else {})

        yield perform


def record(said: Sequence[tuple[Task, Outcome]], now: datetime) -> list[Task]:
    """Keep what the channels said; the tasks that another channel has to do stay."""
    failed: set[uuid.UUID] = notifications.record([outcome for _, outcome in said], now=now)
    return [task for task, outcome in said if outcome.message_id in failed]


def addresses(email: str | None, phone: str | None, order: Order) -> Mapping[str, str]:
    """Where somebody can be reached, by channel."""
    number = phone_number(phone, order.store.country) if phone else None
    return {channel: address for channel, address in (("email", email), ("sms", number)) if address}


def qr_png(code: str) -> bytes:
    """A pickup code as a picture that a scanner reads from a telephone."""
    picture = io.BytesIO()
    segno.make(code, micro=False, error="m").save(picture, kind="png", scale=6, border=3)
    return picture.getvalue()
