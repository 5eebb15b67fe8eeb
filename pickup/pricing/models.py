"""The price ledger. Rows are added, never changed: what a price was stays true."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, BigKey

# Where this is so, the beginning of a price is news of its own.
ANNOUNCED = "valid_from - recorded_at > '00:01:00'::interval"


class Price(Base):
    """From `valid_from` on, a product costs `amount` in a zone (the empty zone is everywhere).

    Versions are given out under one lock that is held until the commit, so they become visible in order and a reader
    that remembers the last version it saw misses nothing.
    """

    __tablename__ = "prices"

    version: Mapped[BigKey]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    zone: Mapped[str] = mapped_column(server_default="")
    amount: Mapped[BigInt] = mapped_column(doc="minor units")
    currency: Mapped[str]
    valid_from: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    recorded_by: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="", doc="why, in the words of who recorded it")

    __table_args__ = (
        Index("ix_prices_in_force", "product_id", "zone", "valid_from", "version"),
        # Those that were announced, by when they begin: nearly all others begin as soon as they are recorded.
        Index("ix_prices_announced", "valid_from", postgresql_where=text(ANNOUNCED)),
        CheckConstraint("amount >= 0", name="amount"),
    )


class PriceClock(Base):
    """Until when the world has been told of announced prices that begin: one row."""

    __tablename__ = "price_clock"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    told_until: Mapped[datetime]
