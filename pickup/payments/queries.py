"""Named reads and the named lock of the money."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Uuid, and_, any_, bindparam, cast, func, or_, select
from sqlalchemy.orm import aliased

from pickup.core.db import db
from pickup.core.models import OutboxTask
from pickup.core.types import first_id_at
from pickup.payments.models import MoneyCheck, Payment, PaymentEntry, PaymentRefund
from pickup.payments.settlement import Balance

# The handlers that bring our books and a gateway's together.
MONEY_HANDLERS = ("settle_payment", "ask_gateway")
# Ids are in the order of time, and none is older than this.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
SUMMED = (
    Payment.amount,
    Payment.authorised,
    Payment.captured,
    Payment.voided,
    Payment.refunded,
    Payment.written_off,
)


def payment_of(order_id: uuid.UUID) -> Payment:
    """The current payment of an order, fresh from the database."""
    return db.session.scalars(
        select(Payment)
        .where(Payment.order_id == order_id, Payment.is_current)
        .execution_options(populate_existing=True)
    ).one()


def payments_of(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Payment]:
    """The current payments of several orders."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    chosen = select(Payment).where(Payment.order_id == any_(wanted), Payment.is_current)
    return {payment.order_id: payment for payment in db.session.scalars(chosen)}


def all_payments_of(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Payment]]:
    """The payments of several orders, also those whose hold was renewed, fresh from the database."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    mine = Payment.order_id == any_(wanted)
    # One partial index has the current ones, another the few that were replaced.
    chosen = select(Payment).where(or_(and_(mine, Payment.is_current), and_(mine, ~Payment.is_current)))
    found: dict[uuid.UUID, list[Payment]] = {order_id: [] for order_id in order_ids}
    for payment in db.session.scalars(chosen.execution_options(populate_existing=True)):
        found[payment.order_id].append(payment)
    return found


def payments_by_id(payment_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Payment]:
    """Payments, by their ids."""
    wanted = bindparam("payments", list(payment_ids), type_=ARRAY(Uuid()))
    return {payment.id: payment for payment in db.session.scalars(select(Payment).where(Payment.id == any_(wanted)))}


def lock_payment(payment_id: uuid.UUID) -> Payment:
    """A payment, for changing it."""
    locked = select(Payment).where(Payment.id == payment_id).with_for_update()
    return db.session.scalars(locked.execution_options(populate_existing=True)).one()


def pending_since(since: datetime, *, limit: int) -> list[Payment]:
    """Payments whose outcome has been unknown since before then: somebody died, or the gateway was silent.

    Any of them, in no order: those that nobody can tell anything of now do not keep others from being asked for.
    """
    return list(
        db.session.scalars(
            select(Payment)
            .where(Payment.status == "pending", Payment.created_at < since)
            .order_by(func.random())
            .limit(limit)
        )
    )


def lapsing(
    before: datetime, *, limit: int | None = None, order_ids: Sequence[uuid.UUID] | None = None
) -> list[Payment]:
    """Payments whose hold ends before an instant, with nobody about to do something about it.

    Args:
        order_ids: only those of these orders, fresh from the database.
    """
    waiting = select(OutboxTask.id).where(
        OutboxTask.handler == "settle_payment", OutboxTask.subject_id == Payment.order_id
    )
    renewal = aliased(Payment)
    being_renewed = select(renewal.id).where(renewal.replaces == Payment.id, renewal.status == "pending")
    conditions = [
        Payment.status == "authorised",
        Payment.capture_before < before,
        Payment.is_current,
        Payment.problem.is_(None),
        ~waiting.exists(),
        ~being_renewed.exists(),
    ]
    if order_ids is not None:
        conditions.append(Payment.order_id == any_(bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))))
    chosen = select(Payment).where(*conditions).order_by(Payment.capture_before).limit(limit)
    return list(db.session.scalars(chosen.execution_options(populate_existing=True)))


def renewals_of(payment_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Payment]:
    """The payments that are, or were, to take the place of others, by the id of those."""
    wanted = bindparam("payments", list(payment_ids), type_=ARRAY(Uuid()))
    chosen = select(Payment).where(Payment.replaces == any_(wanted))
    return {payment.replaces: payment for payment in db.session.scalars(chosen) if payment.replaces}


def open_refunds_of(payment_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[PaymentRefund]]:
    """Refunds that the gateway has not confirmed, oldest first, by payment."""
    wanted = bindparam("payments", list(payment_ids), type_=ARRAY(Uuid()))
    rows = select(PaymentRefund).where(PaymentRefund.payment_id == any_(wanted), PaymentRefund.done_at.is_(None))
    found: dict[uuid.UUID, list[PaymentRefund]] = {payment_id: [] for payment_id in payment_ids}
    for refund in db.session.scalars(rows.order_by(PaymentRefund.id)):
        found[refund.payment_id].append(refund)
    return found


def balance_of(payment: Payment, being_refunded: int = 0) -> Balance:
    """A payment as the rule in `settlement.py` wants to see it."""
    return Balance(
        status=payment.status,
        authorised=payment.authorised,
        captured=payment.captured,
        voided=payment.voided,
        refunded=payment.refunded,
        written_off=payment.written_off,
        being_refunded=being_refunded,
    )


def problems_of(order_ids: Sequence[uuid.UUID]) -> int:
    """How many of these orders have money that a person must look at."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    counted = select(func.count()).where(Payment.order_id == any_(wanted), Payment.problem.is_not(None))
    return db.session.scalar(counted) or 0


def fresh_payments(payment_ids: Sequence[uuid.UUID]) -> Sequence[Payment]:
    """Payments, by their ids, as the database has them now."""
    wanted = bindparam("payments", list(payment_ids), type_=ARRAY(Uuid()))
    chosen = select(Payment).where(Payment.id == any_(wanted)).order_by(Payment.id)
    return db.session.scalars(chosen.execution_options(populate_existing=True)).all()


def being_settled(order_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Of some orders those whose money a worker is about to look at: what differs now may be right in a moment."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    waiting = select(OutboxTask.subject_id).where(
        OutboxTask.handler.in_(MONEY_HANDLERS), OutboxTask.subject_id == any_(wanted), OutboxTask.dead_at.is_(None)
    )
    return set(db.session.scalars(waiting))


def newest_check() -> MoneyCheck | None:
    """The last check of the money's books, if there has been one."""
    return db.session.scalars(select(MoneyCheck).order_by(MoneyCheck.id.desc()).limit(1)).one_or_none()


def payments_after(
    position: uuid.UUID | None,
    *,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    problem: bool | None,
    order_id: uuid.UUID | None,
    limit: int,
) -> Sequence[Payment]:
    """Payments, oldest first, from behind one.

    Args:
        since, until: opened then or later, and before then.
        problem: only those with one, only those without, or both.
    """
    conditions = _opened(since, until)
    if position is not None:
        conditions.append(Payment.id > position)
    if status is not None:
        conditions.append(Payment.status == status)
    if problem is not None:
        conditions.append(Payment.problem.is_not(None) if problem else Payment.problem.is_(None))
    if order_id is not None:
        mine = Payment.order_id == order_id
        conditions.append(or_(and_(mine, Payment.is_current), and_(mine, ~Payment.is_current)))
    return db.session.scalars(select(Payment).where(*conditions).order_by(Payment.id).limit(limit)).all()


def entries_of(payment_id: uuid.UUID) -> Sequence[PaymentEntry]:
    """The ledger of a payment, oldest first."""
    return db.session.scalars(
        select(PaymentEntry).where(PaymentEntry.payment_id == payment_id).order_by(PaymentEntry.id)
    ).all()


def payment_totals(since: datetime | None, until: datetime | None) -> Sequence[Any]:
    """How many payments there are by currency, method and status, and their amounts added up, in minor units."""
    sums = [cast(func.sum(column), BigInteger).label(column.key) for column in SUMMED]
    groups = (Payment.currency, Payment.method, Payment.status)
    added = select(*groups, func.count().label("payments"), *sums).where(*_opened(since, until))
    return db.session.execute(added.group_by(*groups).order_by(*groups)).all()


def _opened(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(Payment.id >= first_id_at(max(since, EARLIEST)))
    if until is not None:
        conditions.append(Payment.id < first_id_at(max(until, EARLIEST)))
    return conditions
