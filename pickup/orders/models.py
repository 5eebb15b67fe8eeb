"""Tables of the orders."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pickup.catalog.models import Product
from pickup.core.db import Base, BigInt, BigKey
from pickup.orders.lifecycle import IF_SHORT, REASONS, STATUSES
from pickup.stores.models import Store

FIRST_NUMBER = 1_000_001


class Order(Base):
    """What a customer wants to collect, and where."""

    __tablename__ = "orders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(
        BigInteger, Identity(start=FIRST_NUMBER), unique=True, doc="what people say aloud"
    )
    client_id: Mapped[int] = mapped_column(ForeignKey("api_clients.id"))
    status: Mapped[str]
    reason: Mapped[str | None] = mapped_column(doc="why it was cancelled")

    customer_name: Mapped[str]
    customer_email: Mapped[str]
    customer_phone: Mapped[str] = mapped_column(server_default="")
    locale: Mapped[str] = mapped_column(server_default="en")
    collector_name: Mapped[str | None]
    collector_email: Mapped[str | None]
    collector_phone: Mapped[str | None]
    # Their own code and page; where somebody else is named, or nobody, they are worth nothing any more.
    collector_code: Mapped[str | None]
    collector_token: Mapped[str | None]
    collector_named_at: Mapped[datetime | None]
    collector_named_by: Mapped[str | None] = mapped_column(doc="the kind of the actor")
    collected_by_collector: Mapped[bool] = mapped_column(
        server_default=text("false"), doc="whether it was handed over by the collector's code"
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    # Where the customer wants to be near to; empty where they named the store, which then is never changed for them.
    origin_lat: Mapped[float | None]
    origin_lon: Mapped[float | None]
    distance_m: Mapped[int | None]
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(doc="each store looked at, in order, with the verdict")
    routing_policy: Mapped[str] = mapped_column(server_default="nearest", doc="which of those that could was chosen")
    sourcing: Mapped[list[dict[str, Any]] | None] = mapped_column(
        doc="which store gives how many of what; empty: the pickup store gives all of it, from its shelf"
    )
    capacity_hour: Mapped[datetime | None] = mapped_column(
        doc="the hour of the store's work that the order is counted in; empty: the store has no limit"
    )
    # What the customer was told. Before that an order may go elsewhere silently, after it only with their consent.
    told_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None] = mapped_column(
        doc="goods are kept for it, though it is not paid yet, until then"
    )
    if_short: Mapped[str | None] = mapped_column(doc="what the customer wants if goods are missing; empty: the setting")
    offer: Mapped[dict[str, Any] | None] = mapped_column(doc="what the customer can choose from, while we wait")
    offer_until: Mapped[datetime | None]

    total_amount: Mapped[BigInt] = mapped_column(doc="minor units")
    returned_amount: Mapped[BigInt] = mapped_column(server_default="0", doc="of them, for goods that came back")
    reduced_amount: Mapped[BigInt] = mapped_column(
        server_default="0", doc="by so much the total was reduced at the handover, since the shelf was cheaper"
    )
    currency: Mapped[str]

    pickup_code: Mapped[str]
    page_token: Mapped[str] = mapped_column(unique=True)
    wrong_codes: Mapped[int] = mapped_column(server_default="0")
    ready_by: Mapped[datetime] = mapped_column(doc="the promise")
    hold_until: Mapped[datetime]
    on_the_way_at: Mapped[datetime | None] = mapped_column(doc="when the customer said so")
    expected_at: Mapped[datetime | None] = mapped_column(doc="when they mean to be there, if they said so")
    arrived_at: Mapped[datetime | None]
    arrival_note: Mapped[str | None]
    arrival_bay: Mapped[str | None]
    arrival_car: Mapped[str | None]
    # What the clock still has to do about it; empty: nothing, or nothing any more. See `clockwork.py`.
    at_risk_told_at: Mapped[datetime | None] = mapped_column(doc="when the store was told that its promise is near")
    overdue_told_at: Mapped[datetime | None] = mapped_column(doc="when the store was told that its promise is broken")
    remind_at: Mapped[datetime | None] = mapped_column(doc="when to say once more that it is ready")
    warn_at: Mapped[datetime | None] = mapped_column(doc="when to say that it is not held much longer")
    hold_extensions: Mapped[int] = mapped_column(server_default="0", doc="how often the hold was made longer")
    put_back_since: Mapped[datetime | None] = mapped_column(
        doc="since when a bag stands there that nobody will collect; empty: its goods are on the shelf"
    )
    erase_requested_at: Mapped[datetime | None] = mapped_column(
        doc="its customer wants to be forgotten: as soon as it is closed"
    )
    erased_at: Mapped[datetime | None] = mapped_column(doc="when what says whose it was, was removed")
    wave_id: Mapped[uuid.UUID | None] = mapped_column(doc="the round of the store in which it is, or was, picked")
    picker_id: Mapped[int | None] = mapped_column(doc="of whoever picks it, or picked it")
    staging_place: Mapped[str | None] = mapped_column(doc="where the bag stands")
    placed_at: Mapped[datetime]
    changed_at: Mapped[datetime]

    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.position", lazy="raise")
    history: Mapped[list["OrderHistory"]] = relationship(order_by="OrderHistory.id", lazy="raise")
    store: Mapped[Store] = relationship(lazy="raise")

    __table_args__ = (
        Index(None, "client_id", "id"),
        Index(None, "customer_email", "id"),
        Index(None, "store_id", "pickup_code"),
        Index(None, "store_id", "collector_code", postgresql_where=text("collector_code IS NOT NULL")),
        Index(None, "collector_token", unique=True, postgresql_where=text("collector_token IS NOT NULL")),
        Index(
            "ix_orders_open",
            "store_id",
            "status",
            postgresql_where=text("status NOT IN ('collected', 'cancelled', 'expired')"),
        ),
        Index(None, "wave_id", postgresql_where=text("wave_id IS NOT NULL")),
        Index("ix_orders_unpaid", "placed_at", postgresql_where=text("status = 'awaiting_payment'")),
        Index("ix_orders_held", "hold_until", postgresql_where=text("status = 'ready'")),
        Index(
            "ix_orders_promised",
            "ready_by",
            postgresql_where=text("status IN ('in_transit', 'reserved', 'picking') AND overdue_told_at IS NULL"),
        ),
        Index("ix_orders_remind", "remind_at", postgresql_where=text("remind_at IS NOT NULL")),
        Index("ix_orders_warn", "warn_at", postgresql_where=text("warn_at IS NOT NULL")),
        Index("ix_orders_put_back", "store_id", postgresql_where=text("put_back_since IS NOT NULL")),
        Index("ix_orders_erase_requested", "id", postgresql_where=text("erase_requested_at IS NOT NULL")),
        Index(
            "ix_orders_to_erase",
            "changed_at",
            postgresql_where=text("status IN ('collected', 'cancelled', 'expired') AND erased_at IS NULL"),
        ),
        Index("ix_orders_offered", "offer_until", postgresql_where=text("offer_until IS NOT NULL")),
        Index("ix_orders_held_unpaid", "held_until", postgresql_where=text("held_until IS NOT NULL")),
        CheckConstraint("held_until IS NULL OR status IN ('awaiting_payment', 'placed')", name="held_until"),
        CheckConstraint("(offer IS NULL) = (offer_until IS NULL)", name="offer_has_an_end"),
        CheckConstraint("offer IS NULL OR status = 'placed'", name="offer_while_placed"),
        CheckConstraint(text(f"if_short IN {IF_SHORT}"), name="if_short"),
        CheckConstraint(text(f"status IN {STATUSES}"), name="status"),
        CheckConstraint(text(f"reason IN {REASONS}"), name="reason"),
        CheckConstraint("(reason IS NOT NULL) = (status = 'cancelled')", name="reason_when_cancelled"),
        CheckConstraint(
            "(collector_code IS NULL) = (collector_token IS NULL)"
            " AND (collector_code IS NULL OR collector_name IS NOT NULL)",
            name="collector_code",
        ),
        CheckConstraint("expected_at IS NULL OR on_the_way_at IS NOT NULL", name="expected_at"),
        CheckConstraint("total_amount >= 0", name="total_amount"),
        CheckConstraint("returned_amount BETWEEN 0 AND total_amount", name="returned_amount"),
        CheckConstraint("reduced_amount >= 0", name="reduced_amount"),
        CheckConstraint("hold_extensions >= 0", name="hold_extensions"),
    )


class OrderLine(Base):
    """So many of one product, at the price that held when the order was placed."""

    __tablename__ = "order_lines"

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    short: Mapped[int] = mapped_column(server_default="0", doc="units of them that could not be found")
    picked: Mapped[int] = mapped_column(server_default="0", doc="units of them that lie in the bag, as far as counted")
    refused: Mapped[int] = mapped_column(
        server_default="0", doc="units that were found, and that nobody wanted when it was handed over"
    )
    returned: Mapped[int] = mapped_column(server_default="0", doc="units of them that came back")
    unit_amount: Mapped[BigInt] = mapped_column(doc="minor units")
    price_version: Mapped[BigInt] = mapped_column(doc="the row of the price ledger it was taken from")
    reduced_to: Mapped[BigInt | None] = mapped_column(
        doc="minor units that one costs since the handover; empty: the shelf was not cheaper then"
    )

    product: Mapped[Product] = relationship(lazy="raise")

    @property
    def charged_units(self) -> int:
        """Units that the customer pays for: without what was not found, and what they did not take."""
        return self.quantity - self.short - self.refused

    @property
    def charged_amount(self) -> int:
        """Minor units that one costs: as when the order was placed, or less, if the shelf had become cheaper."""
        return self.unit_amount if self.reduced_to is None else self.reduced_to

    __table_args__ = (
        Index(None, "product_id"),
        CheckConstraint("reduced_to >= 0 AND reduced_to < unit_amount", name="reduced_to"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("short BETWEEN 0 AND quantity", name="short"),
        CheckConstraint("picked BETWEEN 0 AND quantity - short", name="picked"),
        CheckConstraint("refused BETWEEN 0 AND quantity - short", name="refused"),
        CheckConstraint("returned BETWEEN 0 AND quantity - short - refused", name="returned"),
    )


class OrderHistory(Base):
    """A step of an order's life. Rows are added, never changed."""

    __tablename__ = "order_history"

    id: Mapped[BigKey]
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime]
    action: Mapped[str]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    actor_kind: Mapped[str]
    actor_name: Mapped[str]
    note: Mapped[str | None]

    __table_args__ = (
        Index(None, "order_id", "id"),
        # Rows come in the order of time: so a range of days is found by an index that is as good as nothing.
        Index(None, "at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    )


class Signature(Base):
    """What whoever collected an order drew under it; only where the retailer asks for that."""

    __tablename__ = "signatures"

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    at: Mapped[datetime]
    strokes: Mapped[list[list[list[int]]]] = mapped_column(
        JSONB, doc="each the points [x, y] that the pen went through, on a field of 1000 × 400"
    )


class Return(Base):
    """Goods of an order that came back, after it was collected. Rows are added, never changed."""

    __tablename__ = "returns"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_name: Mapped[str]
    reason: Mapped[str | None]
    is_restocked: Mapped[bool] = mapped_column(doc="whether the goods are on the shelf again")
    amount: Mapped[BigInt] = mapped_column(doc="minor units to give back")

    lines: Mapped[list["ReturnLine"]] = relationship(order_by="ReturnLine.product_id", lazy="raise")

    __table_args__ = (CheckConstraint("amount >= 0", name="amount"),)


class ReturnLine(Base):
    """So many of one product came back."""

    __tablename__ = "return_lines"

    return_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("returns.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)


class CapacityHour(Base):
    """How many orders a store has taken on for one hour of its work; only of stores with an `hourly_capacity`."""

    __tablename__ = "capacity_hours"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True, doc="the full hour in which the work on it begins")
    taken: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (CheckConstraint("taken >= 0", name="taken"),)
