"""Tables of the money: an order's payment, its ledger, its refunds; and the sandbox gateway's own books."""

import uuid
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt, BigKey

PaymentStatus = Literal[
    "pending",
    "requires_action",
    "declined",
    "authorised",
    "captured",
    "voided",
    "partially_refunded",
    "refunded",
    "written_off",
]
PAYMENT_STATUSES: tuple[PaymentStatus, ...] = get_args(PaymentStatus)
EntryKind = Literal["authorisation", "capture", "void", "refund", "write_off"]
ENTRY_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)


class Payment(Base):
    """A charge for one order, and how far the gateway got with it.

    The row is committed as `pending` before the gateway is asked: an answer that never comes is looked up by `id`,
    which is also the gateway's idempotency key. An order has one payment, or several where a hold was renewed; the
    last is the current one.
    """

    __tablename__ = "payments"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID]
    is_current: Mapped[bool] = mapped_column(server_default="true")
    replaces: Mapped[uuid.UUID | None] = mapped_column(doc="the payment whose hold it is to renew")
    method: Mapped[str]
    token: Mapped[str] = mapped_column(doc="the gateway's name for the customer's means of payment; no card data")
    status: Mapped[str]
    amount: Mapped[BigInt] = mapped_column(doc="minor units that were asked for")
    currency: Mapped[str]
    gateway_reference: Mapped[str | None]
    # Each is the sum of its entries in the ledger, in minor units.
    authorised: Mapped[BigInt] = mapped_column(server_default="0")
    captured: Mapped[BigInt] = mapped_column(server_default="0")
    voided: Mapped[BigInt] = mapped_column(server_default="0", doc="held once, and given back")
    refunded: Mapped[BigInt] = mapped_column(server_default="0")
    written_off: Mapped[BigInt] = mapped_column(server_default="0", doc="given up by a manager, or paid otherwise")
    capture_before: Mapped[datetime | None] = mapped_column(doc="when the hold lapses")
    action: Mapped[dict[str, Any] | None] = mapped_column(doc="what the customer has to do, while it is required")
    detail: Mapped[str | None] = mapped_column(doc="the gateway's word, of a decline")
    problem: Mapped[str | None] = mapped_column(doc="why a person must look at it")
    problem_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_payments_current", "order_id", unique=True, postgresql_where=text("is_current")),
        Index("ix_payments_replaced", "order_id", postgresql_where=text("NOT is_current")),
        Index("ix_payments_replaces", "replaces", unique=True, postgresql_where=text("replaces IS NOT NULL")),
        Index("ix_payments_pending", "created_at", postgresql_where=text("status = 'pending'")),
        Index("ix_payments_lapsing", "capture_before", postgresql_where=text("status = 'authorised'")),
        Index("ix_payments_problem", "problem_at", postgresql_where=text("problem IS NOT NULL")),
        Index("ix_payments_gateway_reference", "gateway_reference", postgresql_where=text("method <> 'sandbox'")),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("least(captured, voided, refunded, written_off) >= 0", name="not_negative"),
        CheckConstraint("captured + voided <= authorised", name="taken_or_given_back_once"),
        CheckConstraint("refunded <= captured", name="refunded"),
        CheckConstraint("(problem IS NULL) = (problem_at IS NULL)", name="problem_has_a_time"),
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
    note: Mapped[str | None] = mapped_column(doc="who wrote it off, and why")

    __table_args__ = (
        CheckConstraint(text(f"kind IN {ENTRY_KINDS}"), name="kind"),
        # Money that the bank does not let go of is settled with nothing missing: then it is the note that counts.
        CheckConstraint("amount > 0 OR (kind = 'write_off' AND amount = 0)", name="amount"),
    )


class PaymentRefund(Base):
    """The intention to give money back, committed before the gateway is asked. Its id is the idempotency key."""

    __tablename__ = "payment_refunds"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    payment_id: Mapped[uuid.UUID] = mapped_column(index=True)
    amount: Mapped[BigInt] = mapped_column(doc="minor units")
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(doc="when the gateway confirmed it")

    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)


class ReceivedEvent(Base):
    """A message that a gateway sent, as it came. Each is taken once."""

    __tablename__ = "gateway_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    gateway: Mapped[str]
    event_id: Mapped[str] = mapped_column(doc="the gateway's own")
    type: Mapped[str]
    body: Mapped[str]
    payment_id: Mapped[uuid.UUID | None] = mapped_column(doc="the payment that it is about; empty: none of ours")
    received_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_gateway_events", "gateway", "event_id", unique=True),
        Index("ix_gateway_events_received_at", "received_at"),
    )


class DeclinedPayment(Base):
    """A payment was declined: once for each subject that is counted (the client, the customer, their address)."""

    __tablename__ = "declined_payments"

    id: Mapped[BigKey]
    subject: Mapped[bytes] = mapped_column(doc="a digest: nobody has to be told apart by anything else")
    at: Mapped[datetime]

    __table_args__ = (Index("ix_declined_payments_subject", "subject", "at"),)


class MoneyCheck(Base):
    """What a check of the money has found. Kept, because the process that checks is not the one that is asked."""

    __tablename__ = "money_checks"

    id: Mapped[BigKey]
    at: Mapped[datetime]
    payments: Mapped[int] = mapped_column(doc="how many were checked")
    differences: Mapped[int]
    first: Mapped[list[dict[str, Any]]] = mapped_column(doc="some of them, as `flask payments reconcile` says them")


class SandboxCharge(Base):
    """A charge in the sandbox gateway's books. Only `payments/sandbox.py` reads or writes it."""

    __tablename__ = "sandbox_charges"

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True, doc="the idempotency key it was asked with")
    token: Mapped[str]
    status: Mapped[str]
    amount: Mapped[BigInt]
    captured: Mapped[BigInt] = mapped_column(server_default="0")
    voided: Mapped[BigInt] = mapped_column(server_default="0")
    refunded: Mapped[BigInt] = mapped_column(server_default="0")
    currency: Mapped[str]

    __table_args__ = (
        CheckConstraint("captured + voided <= amount", name="taken_or_given_back_once"),
        CheckConstraint("refunded <= captured", name="refunded"),
    )


class SandboxRefund(Base):
    """A refund in the sandbox gateway's books: that its key was seen."""

    __tablename__ = "sandbox_refunds"

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    charge_key: Mapped[uuid.UUID]
    amount: Mapped[BigInt]
