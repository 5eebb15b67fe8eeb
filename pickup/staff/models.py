"""Tables of the people behind the counter: who they are, what they hold in their hands, what they did and got wrong."""

import uuid
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigKey, IntKey
from pickup.core.types import Actor

Role = Literal["associate", "manager", "head_office"]
ROLES: tuple[Role, ...] = get_args(Role)
# A manager looks after one store, head office after all of them.
MANAGERS: frozenset[Role] = frozenset({"manager", "head_office"})


class StaffMember(Base):
    """Somebody who may sign in on one store's tablet. The PIN tells who it is, so no two of a store have the same."""

    __tablename__ = "staff_members"

    id: Mapped[IntKey]
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    name: Mapped[str]
    role: Mapped[str]
    pin_hash: Mapped[str] = mapped_column(doc="argon2id")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    left_at: Mapped[datetime | None] = mapped_column(doc="since then they do not sign in any more")

    __table_args__ = (
        Index(None, "store_id", "name", unique=True, postgresql_where=text("left_at IS NULL")),
        CheckConstraint(text(f"role IN {ROLES}"), name="role"),
    )

    @property
    def is_manager(self) -> bool:
        """Whether they may do what is locked for others."""
        return self.role in MANAGERS

    @property
    def actor(self) -> Actor:
        """Who it was, as the history of an order says it."""
        return Actor("staff", self.name)


class Device(Base):
    """A tablet that a manager has made one of a store's. Only the digest of what it keeps in a cookie is known here."""

    __tablename__ = "devices"

    id: Mapped[IntKey]
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), index=True)
    name: Mapped[str]
    token_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True, doc="SHA-256 of 256 random bits")
    enrolled_at: Mapped[datetime]
    enrolled_by: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(doc="when somebody last signed in on it")
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]

    __table_args__ = (CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),)


class AuditEntry(Base):
    """Who did what, when, on which tablet. Rows are added, never changed: the database refuses it.

    Names are kept as they were; there are no foreign keys, for what is gone was still done.
    """

    __tablename__ = "audit_entries"

    id: Mapped[BigKey]
    at: Mapped[datetime]
    store_id: Mapped[int | None]
    member_id: Mapped[int | None]
    member_name: Mapped[str]
    device_id: Mapped[int | None]
    device_name: Mapped[str] = mapped_column(doc="empty for a browser that nobody has enrolled")
    action: Mapped[str]
    order_id: Mapped[uuid.UUID | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))

    __table_args__ = (
        Index(None, "store_id", "id"),
        Index(None, "order_id", postgresql_where=text("order_id IS NOT NULL")),
    )


class OfflineAction(Base):
    """What was done on a tablet while it had no network, and what came of it when it was sent. Never forgotten."""

    __tablename__ = "offline_actions"

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True, doc="chosen by the tablet")
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    member_id: Mapped[int]
    member_name: Mapped[str]
    device_id: Mapped[int | None]
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"))
    action: Mapped[str]
    at: Mapped[datetime] = mapped_column(doc="by the tablet's clock")
    received_at: Mapped[datetime]
    outcome: Mapped[str]
    detail: Mapped[str] = mapped_column(doc="a word that says what stood against it; empty where nothing did")
    settled_at: Mapped[datetime | None] = mapped_column(doc="when somebody looked at the conflict and settled it")
    settled_by: Mapped[str | None]

    __table_args__ = (
        Index(None, "store_id", postgresql_where=text("outcome = 'conflict' AND settled_at IS NULL")),
        CheckConstraint("outcome IN ('done', 'already', 'conflict')", name="outcome"),
        CheckConstraint("settled_at IS NULL OR outcome = 'conflict'", name="settled_conflicts"),
    )


class SignInFailure(Base):
    """A wrong PIN, so that guessing can be stopped; kept as long as it can matter."""

    __tablename__ = "sign_in_failures"

    id: Mapped[BigKey]
    store_id: Mapped[int]
    address: Mapped[str] = mapped_column(doc="where it came from: an IPv4 address, or an IPv6 network")
    at: Mapped[datetime]

    __table_args__ = (Index(None, "store_id", "address", "at"),)


class UnknownCode(Base):
    """A code typed on the board that no order of the store has.

    A wrong code on an order's own page counts on that order (`Order.wrong_codes`); here there is only the person.
    """

    __tablename__ = "unknown_codes"

    id: Mapped[BigKey]
    member_id: Mapped[int] = mapped_column(ForeignKey("staff_members.id", ondelete="CASCADE"))
    at: Mapped[datetime]

    __table_args__ = (Index(None, "member_id", "at"),)
