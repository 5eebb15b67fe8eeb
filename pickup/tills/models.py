"""Tables of the tills: how far each has followed the prices, what it sold, what was counted, where prices differed."""

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, BigKey

BreachKind = Literal["price", "no_price"]
BREACH_KINDS: tuple[BreachKind, ...] = get_args(BreachKind)


class TillRegister(Base):
    """A till, from the first time it is heard of."""

    __tablename__ = "till_registers"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    register: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[BigInt] = mapped_column(server_default="0", doc="of the price ledger, by which it charges")
    last_seen: Mapped[datetime]
    clock_ahead_ms: Mapped[BigInt | None] = mapped_column(doc="by the last message that said its time; less: behind")
    late_since: Mapped[datetime | None] = mapped_column(
        doc="since when a price holds that it has not acknowledged, by the latest watch; empty: it is not late"
    )


class TillSale(Base):
    """A sale that has been counted. Its row is what makes a repeated one count once."""

    __tablename__ = "till_sales"

    id: Mapped[BigKey]
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    ref: Mapped[str] = mapped_column(doc="the id that the till gave it")
    register: Mapped[str]
    at: Mapped[datetime] = mapped_column(doc="by the till's clock")
    clock_ahead_ms: Mapped[BigInt | None] = mapped_column(
        doc="by which that was fast; less: slow; empty: it did not say"
    )
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("store_id", "ref"),)


class TillSaleLine(Base):
    """So many of one product that left with a sale, or, negative, came back."""

    __tablename__ = "till_sale_lines"

    sale_id: Mapped[int] = mapped_column(ForeignKey("till_sales.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    unit_amount: Mapped[BigInt] = mapped_column(doc="minor units")
    currency: Mapped[str]

    __table_args__ = (Index(None, "product_id"), CheckConstraint("quantity <> 0", name="quantity"))


class TillCount(Base):
    """The latest stock take of a product at a store: what happened before `at`, it has seen."""

    __tablename__ = "till_counts"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    on_hand: Mapped[int]
    at: Mapped[datetime]


class ParityBreach(Base):
    """A till charged something else than the ledger says. Rows are added, never changed."""

    __tablename__ = "parity_breaches"

    id: Mapped[BigKey]
    kind: Mapped[str]
    sale_id: Mapped[BigInt] = mapped_column(ForeignKey("till_sales.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    register: Mapped[str]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    charged_amount: Mapped[BigInt] = mapped_column(doc="minor units")
    charged_currency: Mapped[str]
    ledger_amount: Mapped[BigInt | None] = mapped_column(doc="minor units; empty: the ledger had no price")
    ledger_currency: Mapped[str | None]
    ledger_version: Mapped[BigInt | None] = mapped_column(doc="of the price that should have been charged")
    at: Mapped[datetime]

    __table_args__ = (
        Index(None, "at", "id"),
        Index(None, "store_id", "at", "id"),
        Index(None, "product_id", "at", "id"),
        CheckConstraint(text(f"kind IN {BREACH_KINDS}"), name="kind"),
        CheckConstraint(
            "num_nulls(ledger_amount, ledger_currency) = CASE kind WHEN 'no_price' THEN 2 ELSE 0 END", name="ledger"
        ),
    )
