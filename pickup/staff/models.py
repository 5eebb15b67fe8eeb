"""Tables of the people behind the counter, and of what they got wrong."""

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigKey, IntKey
from pickup.core.types import Actor

Role = Literal["associate", "manager"]
ROLES: tuple[Role, ...] = get_args(Role)


class StaffMember(Base):
    """Somebody who may sign in on one store's tablet. The PIN tells who it is, so no two of a store have the same."""

    __tablename__ = "staff_members"

    id: Mapped[IntKey]
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    name: Mapped[str]
    role: Mapped[str]
    pin_hash: Mapped[str] = mapped_column(doc="argon2id")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("store_id", "name"),
        CheckConstraint(text(f"role IN {ROLES}"), name="role"),
    )

    @property
    def is_manager(self) -> bool:
        """Whether they may do what is locked for others."""
        return self.role == "manager"

    @property
    def actor(self) -> Actor:
        """Who it was, as the history of an order says it."""
        return Actor("staff", self.name)


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
