"""Messages: written once per event, sent at least once, known by one id."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from sqlalchemy import ARRAY, BigInteger, Uuid, any_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core.db import db, table_of
from pickup.core.types import new_id
from pickup.notifications import writing
from pickup.notifications.email import EmailChannel
from pickup.notifications.models import Message


@dataclass(frozen=True, slots=True)
class Draft:
    """What to say to whom."""

    event_id: int
    order_id: uuid.UUID
    kind: str
    recipient: str
    language: str
    """A code of `core.languages`."""
    context: Mapping[str, Any]
    """What the templates of the kind speak of, in that language."""


def write_messages(drafts: Sequence[Draft], *, now: datetime) -> list[Message]:
    """Write messages down, once per event and kind, before anybody tries to send them.

    Returns:
        The message of each draft, in their order, as it was written the first time; belonging to no session.
    """
    written = _written(drafts)
    new = [_row(draft, now) for draft in drafts if _key(draft) not in written]
    if new:
        inserted = db.session.execute(
            insert(table_of(Message)).on_conflict_do_nothing().returning(Message.event_id, Message.kind), new
        )
        ours = {(event_id, kind) for event_id, kind in inserted}
        written |= {(row["event_id"], row["kind"]): Message(**row) for row in new}
        if len(ours) < len(new):  # another copy of the job has just written the others
            written |= _written([draft for draft in drafts if _key(draft) not in ours])
    return [written[_key(draft)] for draft in drafts]


@contextmanager
def delivery() -> Iterator[Callable[[Message, Mapping[str, bytes]], None]]:
    """For some messages in a row: the function that hands one to its channel, with PNGs by content id.

    To be used outside of any transaction. The function raises OSError or smtplib.SMTPException where the message was
    not accepted; try again later.
    """
    channel: EmailChannel = current_app.extensions["email"]
    with channel.delivery() as emails:
        yield emails.send


def record_sent(message_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """The channel has taken the messages."""
    wanted = bindparam("messages", list(message_ids), type_=ARRAY(Uuid()))
    table = table_of(Message)
    db.session.execute(update(table).where(table.c.id == any_(wanted)).values(sent_at=now))


def _key(draft: Draft) -> tuple[int, str]:
    return draft.event_id, draft.kind


def _written(drafts: Sequence[Draft]) -> dict[tuple[int, str], Message]:
    events = bindparam("events", [draft.event_id for draft in drafts], type_=ARRAY(BigInteger()))
    table = table_of(Message)
    rows = db.session.execute(select(table).where(table.c.event_id == any_(events))).mappings()
    return {(row["event_id"], row["kind"]): Message(**row) for row in rows}


def _row(draft: Draft, now: datetime) -> dict[str, Any]:
    write = writing.writer().write
    subject, text, html = (write(draft.kind, part, draft.language, draft.context) for part in writing.MAIL)
    return {
        "id": new_id(),
        "event_id": draft.event_id,
        "order_id": draft.order_id,
        "kind": draft.kind,
        "channel": "email",
        "recipient": draft.recipient,
        "subject": subject,
        "text_body": text,
        "html_body": html,
        "created_at": now,
        "sent_at": None,
    }


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the channels, and what they say."""
    writing.init_app(app, settings)
    app.extensions["email"] = EmailChannel(settings)
