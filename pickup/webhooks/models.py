"""Tables of the webhooks: where to send, what to send there, and what came of it."""

import uuid
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, BigKey

# A client whose keys have all been revoked hears nothing any more, whoever added its endpoints.
MAY_HEAR = """coalesce(
    (SELECT bool_or(revoked_at IS NULL) FROM api_keys WHERE api_keys.client_id = endpoint.client_id), true
)"""

WhyDisabled = Literal["gone", "removed", "paused"]
WHY_DISABLED: tuple[WhyDisabled, ...] = get_args(WhyDisabled)


class WebhookEndpoint(Base):
    """An address of a client's that wants to hear of events. One that is removed stays, for its log."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("api_clients.id"), index=True)
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text()), doc="types; none: all of them")
    # As they were given out, since each message is signed by them.
    secret: Mapped[str]
    old_secret: Mapped[str | None]
    old_secret_until: Mapped[datetime | None] = mapped_column(doc="until then messages are signed by both")
    created_at: Mapped[datetime]
    failing_since: Mapped[datetime | None] = mapped_column(doc="when the attempts began that have failed ever since")
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(text(f"disabled_why IN {WHY_DISABLED}"), name="disabled_why"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="disabled"),
        CheckConstraint("(old_secret IS NULL) = (old_secret_until IS NULL)", name="old_secret"),
    )


class WebhookDelivery(Base):
    """One event for one endpoint: waiting, done, or given up.

    Of one subject the ids of events are in the order in which they happened, and so they are sent: a replay may plan
    an earlier event after a later one.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[BigKey]
    endpoint_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[BigInt] = mapped_column(ForeignKey("events.id"))
    subject_id: Mapped[uuid.UUID] = mapped_column(doc="of the event: of one subject, one goes after the other")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(doc="or, while somebody has it in hand, when that lease ends")
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None] = mapped_column(doc="when it was given up")
    last_status: Mapped[int | None] = mapped_column(doc="HTTP; empty: no answer")
    last_error: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        Index(
            "ix_webhook_deliveries_due",
            "endpoint_id",
            "due_at",
            "event_id",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "ix_webhook_deliveries_order",
            "endpoint_id",
            "subject_id",
            "event_id",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index("ix_webhook_deliveries_done", "done_at", postgresql_where=text("done_at IS NOT NULL")),
        Index("ix_webhook_deliveries_dead", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
        CheckConstraint("done_at IS NULL OR dead_at IS NULL", name="one_end"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )


class WebhookAttempt(Base):
    """One try to deliver: what an engineer wants to see who wonders why nothing came. Kept for a while."""

    __tablename__ = "webhook_attempts"

    id: Mapped[BigKey]
    delivery_id: Mapped[BigInt] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None] = mapped_column(doc="HTTP; empty: no answer")
    error: Mapped[str | None]
    duration_ms: Mapped[int]


class StockNews(Base):
    """A level that has changed since `stock.changed` last told of it. Written by a trigger, while anybody listens."""

    __tablename__ = "stock_news"

    store_id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
