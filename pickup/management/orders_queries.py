"""Named reads of the pages about orders."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import joinedload, selectinload

from pickup.core.db import db
from pickup.core.models import ApiClient, Event, OutboxTask
from pickup.core.types import first_id_at
from pickup.notifications.models import Message
from pickup.orders.models import Order
from pickup.payments.models import Payment, PaymentEntry, PaymentRefund
from pickup.staff.models import AuditEntry, StaffMember

# An id is made a moment before or after the instant that the order has.
ID_TOLERANCE = timedelta(minutes=5)
NUMBER_DIGITS_MAX = 18
A_NUMBER = re.compile(rf"\d{{1,{NUMBER_DIGITS_MAX}}}")
AN_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
A_PHONE = re.compile(r"[\d\s()+./-]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders are looked for."""

    words: str = ""
    status: str = ""
    reason: str = ""
    store_id: int | None = None
    since: datetime | None = None
    """Placed then, or later."""
    until: datetime | None = None
    """Placed before then."""


def find_orders(wanted: Wanted, *, after: uuid.UUID | None, limit: int) -> Sequence[Order]:
    """Orders with their lines and their store, the newest first, from behind one."""
    conditions = _conditions(wanted)
    if after is not None:
        conditions.append(Order.id < after)
    found = select(Order).where(*conditions).order_by(Order.id.desc()).limit(limit)
    return db.session.scalars(found.options(selectinload(Order.lines), joinedload(Order.store))).all()


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Ids are in the order of time: they find the period, and the instant that the order has decides."""
    conditions = [_named(wanted.words)] if wanted.words else []
    if wanted.status:
        conditions.append(Order.status == wanted.status)
    if wanted.reason:
        conditions.append(Order.reason == wanted.reason)
    if wanted.store_id is not None:
        conditions.append(Order.store_id == wanted.store_id)
    if wanted.since is not None:
        conditions += [Order.id >= first_id_at(wanted.since - ID_TOLERANCE), Order.placed_at >= wanted.since]
    if wanted.until is not None:
        conditions += [Order.id < first_id_at(wanted.until + ID_TOLERANCE), Order.placed_at < wanted.until]
    return conditions


def _named(words: str) -> ColumnElement[bool]:
    """Numbers and whole mail addresses are found by an index; parts of names and of phones by looking at all."""
    if A_NUMBER.fullmatch(words) and _is_number(int(words)):
        return Order.number == int(words)
    if AN_ADDRESS.fullmatch(words):
        # As it was typed, or with the domain as it is kept.
        name, _, domain = words.rpartition("@")
        written = {words, words.lower(), f"{name}@{domain.lower()}"}
        return or_(Order.customer_email.in_(written), Order.collector_email.in_(written))
    if A_PHONE.fullmatch(words) and (digits := re.sub(r"\D", "", words)):
        return or_(
            *(
                func.regexp_replace(phone, r"\D", "", "g").contains(digits)
                for phone in (Order.customer_phone, Order.collector_phone)
            )
        )
    texts = (Order.customer_name, Order.customer_email, Order.collector_name)
    return or_(*(each.icontains(words, autoescape=True) for each in texts))


def _is_number(number: int) -> bool:
    return db.session.scalar(select(Order.id).where(Order.number == number)) is not None


def client_name(client_id: int) -> str:
    """What the program that placed an order is called."""
    return db.session.scalars(select(ApiClient.name).where(ApiClient.id == client_id)).one()


def member_name(member_id: int | None) -> str:
    """What somebody of the staff is called; empty for nobody."""
    return db.session.scalar(select(StaffMember.name).where(StaffMember.id == member_id)) or ""


def entries_of(payments: Sequence[Payment]) -> Sequence[PaymentEntry]:
    """The ledger of some payments, oldest first."""
    mine = PaymentEntry.payment_id.in_([payment.id for payment in payments])
    return db.session.scalars(select(PaymentEntry).where(mine).order_by(PaymentEntry.id)).all()


def refunds_of(payments: Sequence[Payment]) -> Sequence[PaymentRefund]:
    """What was to be given back of some payments, oldest first, done or not."""
    mine = PaymentRefund.payment_id.in_([payment.id for payment in payments])
    return db.session.scalars(select(PaymentRefund).where(mine).order_by(PaymentRefund.created_at)).all()


def audit_of(order_id: uuid.UUID) -> Sequence[AuditEntry]:
    """What people did with an order, oldest first."""
    return db.session.scalars(select(AuditEntry).where(AuditEntry.order_id == order_id).order_by(AuditEntry.id)).all()


def messages_of(order_id: uuid.UUID) -> Sequence[Message]:
    """What was written to its people, oldest first."""
    return db.session.scalars(select(Message).where(Message.order_id == order_id).order_by(Message.id)).all()


def tasks_of(order_id: uuid.UUID) -> Sequence[OutboxTask]:
    """What workers still have to do about an order, oldest first."""
    waiting = select(OutboxTask).join(Event, Event.id == OutboxTask.event_id).where(Event.subject_id == order_id)
    return db.session.scalars(waiting.order_by(OutboxTask.id)).all()
