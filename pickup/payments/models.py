"""Tables of the money: a payment an order, its ledger, and the sandbox gateway's own books."""

import uuid
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, BigKey

PaymentStatus = Literal["pending", "requires_action", "authorised", "declined", "captured", "voided", "refunded"]
PAYMENT_STATUSES: tuple[PaymentStatus, ...] = get_args(PaymentStatus)
EntryKind = Literal["authorisation", "decline", "capture", "void", "refund"]
ENTRY_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)


class Payment(Base):
    """What a customer owes for one order, and how far the gateway got with it.

    The row is committed as `pending` before the gateway is asked: an answer that never comes is looked up by `id`,
    which is also the gateway's idempotency key.
    """

    __tablename__ = "payments"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    method: Mapped[str]
    token: Mapped[str] = mapped_column(doc="the gateway's name for the customer's means of payment; no card data")
    status: Mapped[str]
    amount: Mapped[BigInt] = mapped_column(doc="minor units")
    currency: Mapped[str]
    gateway_reference: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_payments_pending", "created_at", postgresql_where=text("status = 'pending'")),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint(text(f"status IN {PAYMENT_STATUSES}"), name="status"),
    )


class PaymentEntry(Base):
    """One movement of money, as the gateway confirmed it. Rows are added, never changed."""

    __tablename__ = "payment_entries"

    id: Mapped[BigKey]
    payment_id: Mapped[uuid.UUID] = mapped_column(index=True)
    kind: Mapped[str]
    amount: Mapped[BigInt] = mapped_column(doc="minor units")
    at: Mapped[datetime]

    __table_args__ = (CheckConstraint(text(f"kind IN {ENTRY_KINDS}"), name="kind"),)


class SandboxCharge(Base):
    """A charge in the sandbox gateway's books. Only `payments/sandbox.py` reads or writes it."""

    __tablename__ = "sandbox_charges"

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True, doc="the idempotency key it was asked with")
    token: Mapped[str]
    status: Mapped[str]
    amount: Mapped[BigInt]
    captured: Mapped[BigInt] = mapped_column(server_default="0")
    refunded: Mapped[BigInt] = mapped_column(server_default="0")
    currency: Mapped[str]
