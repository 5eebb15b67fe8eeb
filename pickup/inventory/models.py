"""Tables of the stock: levels, the movements that explain them, reservations, transfers."""

import uuid
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pickup.core.db import Base, BigInt, BigKey

MovementKind = Literal[
    "receipt",
    "count",
    "sale",
    "return",
    "reservation",
    "release",
    "handover",
    "transfer_out",
    "transfer_in",
    "adjustment",
]
MOVEMENT_KINDS: tuple[MovementKind, ...] = get_args(MovementKind)

TransferStatus = Literal["requested", "sent", "received", "cancelled"]
TRANSFER_STATUSES: tuple[TransferStatus, ...] = get_args(TransferStatus)


class StockLevel(Base):
    """How many of one product one store has: physically there, promised to orders, kept back from online.

    Available to promise is `on_hand - reserved - safety_stock`, where the safety stock is the store's floor if that is
    more (`stores.directory.safety_floor`). It may be negative after a till sold what online had promised; `on_hand` and
    `reserved` never are.
    """

    __tablename__ = "stock_levels"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")
    safety_stock: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index(None, "product_id", "store_id"),
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("safety_stock >= 0", name="safety_stock"),
    )


class StockMovement(Base):
    """Why a level changed. Rows are added, never changed: a level is the sum of its movements."""

    __tablename__ = "stock_movements"

    id: Mapped[BigKey]
    store_id: Mapped[int]
    product_id: Mapped[int]
    kind: Mapped[str]
    on_hand_change: Mapped[int] = mapped_column(server_default="0")
    reserved_change: Mapped[int] = mapped_column(server_default="0")
    order_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        # One for each way to ask for a page, so that the last of ten million rows is as near as the first.
        Index(None, "store_id", "product_id", "id"),
        Index(None, "store_id", "id"),
        Index(None, "product_id", "id"),
        # What a stock take asks for. Of promises there are as many again, and they move no goods.
        Index(
            "ix_stock_movements_on_hand", "store_id", "product_id", "at", postgresql_where=text("on_hand_change <> 0")
        ),
        CheckConstraint(text(f"kind IN {MOVEMENT_KINDS}"), name="kind"),
    )


class Reservation(Base):
    """Units of one product that a store holds for one order. The row goes when they are handed over or released."""

    __tablename__ = "reservations"

    # The order is named, not referenced: inventory stands a floor below orders and knows only their ids.
    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    reserved_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "store_id", "product_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )


class Transfer(Base):
    """Goods for one order, on their way from where they lie to where they are collected.

    Until they are sent they are reserved at the source; between `sent` and `received` they are on nobody's shelf.
    """

    __tablename__ = "transfers"

    id: Mapped[BigKey]
    order_id: Mapped[uuid.UUID] = mapped_column(index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    status: Mapped[str]
    expected_at: Mapped[datetime] = mapped_column(doc="when they should be there")
    requested_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]

    lines: Mapped[list["TransferLine"]] = relationship(order_by="TransferLine.product_id", lazy="raise")

    __table_args__ = (
        Index("ix_transfers_to_send", "source_id", postgresql_where=text("status = 'requested'")),
        Index("ix_transfers_to_receive", "destination_id", postgresql_where=text("status IN ('requested', 'sent')")),
        CheckConstraint(text(f"status IN {TRANSFER_STATUSES}"), name="status"),
        CheckConstraint("source_id <> destination_id", name="elsewhere"),
    )


class TransferLine(Base):
    """So many of one product in a transfer."""

    __tablename__ = "transfer_lines"

    transfer_id: Mapped[BigInt] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)


class StockCheck(Base):
    """What a check of the books has found. Kept, because the process that checks is not the one that is asked."""

    __tablename__ = "stock_checks"

    id: Mapped[BigKey]
    at: Mapped[datetime]
    levels: Mapped[int] = mapped_column(doc="how many were checked")
    differences: Mapped[int] = mapped_column(doc="how many figures were not explained")
    first: Mapped[list[dict[str, Any]]] = mapped_column(doc="some of them: see `reconciliation.Difference`")
