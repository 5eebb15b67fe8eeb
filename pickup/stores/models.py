"""Tables of the stores."""

from datetime import date, datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, IntKey

StoreKind = Literal["store", "warehouse", "partner"]
STORE_KINDS: tuple[StoreKind, ...] = get_args(StoreKind)
FeedState = Literal["heard", "stale", "silent"]
FEED_STATES: tuple[FeedState, ...] = get_args(FeedState)


class Store(Base):
    """A place where goods are collected, or, for a warehouse, only come from."""

    __tablename__ = "stores"

    id: Mapped[IntKey]
    ref: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    street: Mapped[str] = mapped_column(server_default="")
    city: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="")
    postcode: Mapped[str] = mapped_column(server_default="")
    country: Mapped[str]
    lat: Mapped[float]
    lon: Mapped[float]
    opening_hours: Mapped[str] = mapped_column(server_default="", doc="OpenStreetMap syntax; empty: always open")
    timezone: Mapped[str] = mapped_column(doc="IANA name")
    phone: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="", doc="where the store itself is written to; empty: nowhere")
    prep_minutes: Mapped[int | None] = mapped_column(doc="open minutes to prepare an order; empty: the setting")
    hourly_capacity: Mapped[int | None] = mapped_column(doc="orders an hour; empty: no limit")
    hold_days: Mapped[int | None] = mapped_column(doc="days that goods are kept for the customer; empty: the setting")
    price_zone: Mapped[str] = mapped_column(server_default="", doc="empty: the prices that hold everywhere")
    kind: Mapped[str] = mapped_column(server_default="store")
    paused_at: Mapped[datetime | None] = mapped_column(doc="takes no new orders since then")
    feed_state: Mapped[str] = mapped_column(server_default="heard", doc="of its tills: see `tills.silence`")
    feed_changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(text(f"kind IN {STORE_KINDS}"), name="kind"),
        CheckConstraint(text(f"feed_state IN {FEED_STATES}"), name="feed_state"),
        CheckConstraint("lat BETWEEN -90 AND 90", name="lat"),
        CheckConstraint("lon BETWEEN -180 AND 180", name="lon"),
    )

    @property
    def address(self) -> str:
        """The postal address on one line."""
        locality = " ".join(part for part in (self.state, self.postcode) if part)
        return ", ".join(part for part in (self.street, self.city, locality, self.country) if part)


class StorePriceZone(Base):
    """The price zone of a store from an instant on, until the next row's.

    A trigger on `stores` writes it, so no way of changing a store forgets to: what a store's shelf said last month
    stays true when the store moves to another zone. The first row of a store begins with the epoch, a later one a
    quarter of a second after the commit of the move: like a price, it holds when everybody can see it.
    """

    __tablename__ = "store_price_zones"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"), primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    zone: Mapped[str]


class SpecialDay(Base):
    """A date whose hours go before the regular ones: a holiday, a sale, a burst pipe."""

    __tablename__ = "store_special_days"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    day: Mapped[date] = mapped_column("date", primary_key=True, doc="on the store's own calendar")
    hours: Mapped[str] = mapped_column(doc="times such as 10:00-14:00, or off")
