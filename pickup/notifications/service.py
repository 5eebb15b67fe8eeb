"""Messages: written once per event, sent at least once, known by one id."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, current_app, render_template
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core.db import db
from pickup.core.types import new_id
from pickup.notifications.email import EmailChannel
from pickup.notifications.models import Message

# The locales that templates exist for; others read English.
LOCALES = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What to say to whom."""

    event_id: int
    order_id: uuid.UUID
    kind: str
    recipient: str
    locale: str
    context: Mapping[str, Any]


def write_message(draft: Draft, *, now: datetime) -> Message:
    """Write the message down, once per event and kind, before anybody tries to send it."""
    locale = draft.locale if draft.locale in LOCALES else "en"
    subject, text, html = (
        render_template(f"messages/{locale}/{draft.kind}.{part}", **draft.context)
        for part in ("subject", "txt", "html")
    )
    db.session.execute(
        insert(Message)
        .values(
            id=new_id(),
            event_id=draft.event_id,
            order_id=draft.order_id,
            kind=draft.kind,
            channel="email",
            recipient=draft.recipient,
            subject=" ".join(subject.split()),
            text_body=text,
            html_body=html,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    return db.session.scalars(
        select(Message).where(Message.event_id == draft.event_id, Message.kind == draft.kind)
    ).one()


def send(message: Message, inline_images: Mapping[str, bytes]) -> None:
    """Hand a message to its channel. To be called outside of any transaction.

    Raises:
        OSError, smtplib.SMTPException: not accepted; try again later.
    """
    channel: EmailChannel = current_app.extensions["email"]
    channel.send(message, dict(inline_images))


def record_sent(message_id: uuid.UUID, *, now: datetime) -> None:
    """The channel has taken the message."""
    db.session.execute(update(Message).where(Message.id == message_id).values(sent_at=now))


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the channels."""
    app.extensions["email"] = EmailChannel(settings)
