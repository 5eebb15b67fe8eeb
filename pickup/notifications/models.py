"""Tables of the messages: what was said to whom, how people want to be told, which tablets can be woken."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, IntKey


class Message(Base):
    """One message to one person about one event, by one channel; its id is also the id that the provider sees."""

    __tablename__ = "messages"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    event_id: Mapped[BigInt]
    order_id: Mapped[uuid.UUID] = mapped_column(index=True)
    kind: Mapped[str]
    channel: Mapped[str]
    recipient: Mapped[str]
    subject: Mapped[str]
    text_body: Mapped[str]
    html_body: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    provider_id: Mapped[str | None] = mapped_column(doc="what the provider calls it")
    failed_at: Mapped[datetime | None] = mapped_column(doc="when the channel said that it never will")
    failure: Mapped[str | None]

    __table_args__ = (UniqueConstraint("event_id", "kind", "channel", "recipient"),)


class ContactPreference(Base):
    """How one customer of one shop wants to be told: per kind of message the channels, the first that works counts."""

    __tablename__ = "contact_preferences"

    client_id: Mapped[int] = mapped_column(ForeignKey("api_clients.id"), primary_key=True)
    email: Mapped[str] = mapped_column(primary_key=True, doc="in small letters")
    channels: Mapped[dict[str, list[str]]] = mapped_column(
        JSONB, doc="by kind of message; `*` for those not named. An empty list: do not tell"
    )
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PushSubscription(Base):
    """A tablet's browser that can be woken (RFC 8030), with its keys (RFC 8291)."""

    __tablename__ = "push_subscriptions"

    id: Mapped[IntKey]
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    device_id: Mapped[int | None]
    url: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str] = mapped_column(doc="p256dh, base64url")
    auth_secret: Mapped[str] = mapped_column(doc="base64url")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index(None, "store_id"),)
