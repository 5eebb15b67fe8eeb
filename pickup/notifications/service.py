"""Messages: written once per event and channel, sent at least once, known by one id.

By which channel somebody is told is their own wish (`preferences.py`), else the shop's; what makes a noise waits for
the end of the quiet hours of the store's clock. Where a channel cannot deliver, the next one is asked.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from sqlalchemy import ARRAY, BigInteger, DateTime, Text, Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core.db import db, run, table_of
from pickup.core.outbox import Hopeless, Later, NotNow
from pickup.core.types import new_id
from pickup.notifications import preferences, writing
from pickup.notifications.channels import Channel, Delivery, Undeliverable
from pickup.notifications.email import EmailChannel
from pickup.notifications.models import Message
from pickup.notifications.push import PushChannel
from pickup.notifications.quiet_hours import NOISY, QuietHours
from pickup.notifications.sms import TwilioChannel

# What a message has, by its channel: the columns, and the parts of its templates that they come from.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "email": {"subject": "subject", "text_body": "txt", "html_body": "html"},
    "sms": {"text_body": "sms"},
    "push": {"text_body": "push"},
}
MAIL = "email"
# A channel that is merely busy is left for the next one after so many tries: some half an hour.
TRIES_MAX = 12

# A provider may have said that a message got lost before we have written down that it was taken: that counts.
_RECORD = text("""
    UPDATE messages SET
        sent_at = CASE WHEN said.failure IS NULL THEN :now END,
        failed_at = CASE WHEN said.failure IS NOT NULL THEN :now END,
        provider_id = said.provider_id, failure = said.failure
    FROM unnest(:ids, :provider_ids, :failures) AS said (id, provider_id, failure)
    WHERE messages.id = said.id AND messages.failed_at IS NULL
    RETURNING messages.id, messages.sent_at
""").bindparams(
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("provider_ids", type_=ARRAY(Text())),
    bindparam("failures", type_=ARRAY(Text())),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What to say to whom."""

    event_id: int
    order_id: uuid.UUID
    kind: str
    addresses: Mapping[str, str]
    """By channel."""
    language: str
    """A code of `core.languages`."""
    timezone: str
    """IANA name of the clock that quiet hours go by."""
    context: Mapping[str, Any]
    """What the templates of the kind speak of, in that language."""
    customer: preferences.Customer | None = None
    """Whose preferences count, if they are asked for any."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that waits to be sent."""

    message: Message
    has_next: bool
    """Whether there is another channel, should this one fail."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a channel said of a message."""

    message_id: uuid.UUID
    provider_id: str | None = None
    failure: str | None = None
    """Why this channel is given up, in favour of the next one."""


def write_messages(drafts: Sequence[Draft], *, now: datetime) -> list[Sending | NotNow | None]:
    """Write messages down, once per event, kind and channel, before anybody tries to send them.

    Returns:
        For each draft, in their order, what is to be sent, as it was written the first time, belonging to no session;
        when it is to be asked for again; that no channel is left; or None where it is sent, or nobody wants it.
    """
    written = _written(drafts)
    said = preferences.wanted({draft.customer for draft in drafts if draft.customer})
    chosen = [_choose(draft, written[_key(draft)], said, now) for draft in drafts]
    new = [
        _row(draft, channel, now)
        for draft, channels in zip(drafts, chosen, strict=True)
        if isinstance(channels, list) and (channel := channels[0]) not in written[_key(draft)]
    ]
    if new:
        _insert(new, drafts, written)
    return [
        Sending(written[_key(draft)][channels[0]], has_next=len(channels) > 1)
        if isinstance(channels, list)
        else channels
        for draft, channels in zip(drafts, chosen, strict=True)
    ]


@contextmanager
def delivery() -> Iterator[Callable[[Sending, int, Mapping[str, bytes]], Outcome]]:
    """For some messages in a row: the function that hands one to its channel, with how often that has failed, and PNGs.

    To be used outside of any transaction. The function raises OSError, smtplib.SMTPException or Undeliverable where the
    message was not accepted and no other channel is left; try again later.
    """
    channels: Mapping[str, Channel] = current_app.extensions["channels"]
    opened: dict[str, Delivery] = {}
    with ExitStack() as stack:

        def send(sending: Sending, attempts: int, inline_images: Mapping[str, bytes]) -> Outcome:
            name = sending.message.channel
            if name not in opened:
                opened[name] = stack.enter_context(channels[name].delivery())
            try:
                return Outcome(sending.message.id, opened[name].send(sending.message, inline_images))
            except Exception as error:
                is_over = isinstance(error, Undeliverable) or attempts >= TRIES_MAX
                if not (sending.has_next and is_over):
                    raise
                return Outcome(sending.message.id, failure=str(error)[:500] or type(error).__name__)

        yield send


def record(outcomes: Sequence[Outcome], *, now: datetime) -> set[uuid.UUID]:
    """Keep what the channels said; returns the messages that another channel has to deliver."""
    said = {
        "ids": [each.message_id for each in outcomes],
        "provider_ids": [each.provider_id for each in outcomes],
        "failures": [each.failure for each in outcomes],
    }
    sent = {row.id for row in run(_RECORD, said | {"now": now}) if row.sent_at}
    return {each.message_id for each in outcomes} - sent


def bounce(message_id: uuid.UUID, failure: str, *, now: datetime) -> Message | None:
    """A provider says that a message which it had taken did not arrive; the message, or None where that is no news."""
    message = db.session.get(Message, message_id, with_for_update=True)
    if message is None or message.failed_at is not None:
        return None
    message.sent_at, message.failed_at, message.failure = None, now, failure[:500]
    return message


def _choose(
    draft: Draft,
    written: Mapping[str, Message],
    said: Mapping[preferences.Customer, Mapping[str, Sequence[str]]],
    now: datetime,
) -> list[str] | NotNow | None:
    """The channels that are left, best first."""
    # A store hears of the same thing by mail and on its tablets: what the one was told the other still has to be.
    if any(message.sent_at for channel, message in written.items() if channel in draft.addresses):
        return None
    wish = said.get(draft.customer) if draft.customer else None
    usual = current_app.extensions["usual_channels"]
    wanted = preferences.channels_for(draft.kind, wish, usual)
    # Who can be reached by nothing that they have asked for is told as everybody is.
    channels = _usable(wanted, draft) or (_usable(usual, draft) if wanted else [])
    left = [name for name in channels if name not in written or not written[name].failed_at]
    if channels and not left:
        failures = "; ".join(f"{name}: {written[name].failure}" for name in channels)
        return Hopeless(f"no channel is left: {failures}")
    if not left:
        return None
    quiet: QuietHours = current_app.extensions["quiet_hours"]
    until = quiet.end_after(now, ZoneInfo(draft.timezone)) if NOISY[left[0]] else None
    return Later(until) if until else left


def _usable(wanted: Sequence[str], draft: Draft) -> list[str]:
    """The channels that there are here, and by which somebody can be reached; what takes more than a line by mail."""
    able, parts = current_app.extensions["channels"], writing.PARTS[draft.kind]
    sayable = dict.fromkeys(name if COLUMNS[name]["text_body"] in parts else MAIL for name in wanted)
    return [name for name in sayable if name in able and draft.addresses.get(name)]


def _insert(
    new: list[dict[str, Any]], drafts: Sequence[Draft], written: dict[tuple[int, str], dict[str, Message]]
) -> None:
    inserted = db.session.execute(
        insert(table_of(Message)).on_conflict_do_nothing().returning(Message.id), new
    ).scalars()
    ours = set(inserted)
    for row in new:
        written[row["event_id"], row["kind"]][row["channel"]] = Message(**row)
    if len(ours) < len(new):  # another copy of the job has just written the others
        for key, messages in _written(drafts).items():
            written[key] |= messages


def _key(draft: Draft) -> tuple[int, str]:
    return draft.event_id, draft.kind


def _written(drafts: Sequence[Draft]) -> dict[tuple[int, str], dict[str, Message]]:
    """What has been written about these events, by event and kind, then by channel."""
    events = bindparam("events", [draft.event_id for draft in drafts], type_=ARRAY(BigInteger()))
    table = table_of(Message)
    found: dict[tuple[int, str], dict[str, Message]] = defaultdict(dict)
    for row in db.session.execute(select(table).where(table.c.event_id == any_(events))).mappings():
        found[row["event_id"], row["kind"]][row["channel"]] = Message(**row)
    return found


def _row(draft: Draft, channel: str, now: datetime) -> dict[str, Any]:
    write = writing.writer().write
    words = {
        column: write(draft.kind, part, draft.language, draft.context) for column, part in COLUMNS[channel].items()
    }
    return {
        "id": new_id(),
        "event_id": draft.event_id,
        "order_id": draft.order_id,
        "kind": draft.kind,
        "channel": channel,
        "recipient": draft.addresses[channel],
        "subject": "",
        "html_body": "",
        **words,
        "created_at": now,
        "sent_at": None,
    }


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the channels that the settings have an account for, and what they say."""
    writing.init_app(app, settings)
    app.extensions["channels"] = {"email": EmailChannel(settings)}
    if settings.twilio_account_sid:
        app.extensions["channels"]["sms"] = TwilioChannel(settings)
    app.extensions["channels"]["push"] = PushChannel(settings)
    # Tablets are woken by the one channel that they have, whatever customers are told by.
    app.extensions["usual_channels"] = (*settings.message_channels, "push")
    app.extensions["quiet_hours"] = QuietHours.parse(settings.quiet_hours)
