"""Tables of the ground: API keys, idempotency, events, the outbox, revisions."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, false, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pickup.core.db import Base, BigInt, BigKey, IntKey


class ApiClient(Base):
    """A program that talks to us: an e-shop, a till, a back office."""

    __tablename__ = "api_clients"

    id: Mapped[IntKey]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """One key of a client. Only its SHA-256 is kept: a key has 256 random bits, so a slow hash would add nothing."""

    __tablename__ = "api_keys"

    id: Mapped[IntKey]
    client_id: Mapped[int] = mapped_column(ForeignKey("api_clients.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]

    client: Mapped[ApiClient] = relationship(lazy="raise")


class IdempotencyKey(Base):
    """A client's claim on one key, and, once there is one, the answer it got, byte for byte."""

    __tablename__ = "idempotency_keys"

    client_id: Mapped[int] = mapped_column(ForeignKey("api_clients.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    subject_id: Mapped[uuid.UUID] = mapped_column(doc="what the request makes: the order")
    claimed_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
    status: Mapped[int | None]
    content_type: Mapped[str | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class Event(Base):
    """Something that happened, for ever: what webhooks, streams and history are made of. Ids only, no personal data."""

    __tablename__ = "events"

    id: Mapped[BigKey]
    type: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    request_id: Mapped[str] = mapped_column(server_default="")
    position: Mapped[BigInt | None] = mapped_column(
        unique=True,
        doc="its place in the feed: given after its commit, by one at a time, so that whoever reads on misses none",
    )

    __table_args__ = (
        Index(None, "subject_id", "id"),
        Index("ix_events_unnumbered", "id", postgresql_where=text("position IS NULL")),
        # Rows come in the order of time, near enough: a few pages find a span of days.
        Index(None, "at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    )


class OutboxTask(Base):
    """What one handler still has to do about one event.

    The row is deleted in the transaction that commits the handler's effect: a task is done exactly when it is gone,
    so a second run of the same job finds nothing to do, and the table is as small as the work that waits.
    """

    __tablename__ = "outbox_tasks"

    id: Mapped[BigKey]
    event_id: Mapped[BigInt]
    handler: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    request_id: Mapped[str] = mapped_column(server_default="")
    attempts: Mapped[int] = mapped_column(server_default="0")
    deaths: Mapped[int] = mapped_column(server_default="0", doc="workers that died, or hung, with it in hand")
    leased: Mapped[bool] = mapped_column(server_default=false(), doc="given to a worker that has not spoken since")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dead_at: Mapped[datetime | None]
    last_error: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("event_id", "handler"),
        Index("ix_outbox_tasks_due", "due_at", postgresql_where=text("dead_at IS NULL")),
        Index("ix_outbox_tasks_order", "handler", "subject_id", "id"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )


class Revision(Base):
    """A counter per kind of data that processes keep in memory; it moves in the transaction that changes the data."""

    __tablename__ = "revisions"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[BigInt]
