"""Named reads and named locks of the counter."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Integer, Uuid, bindparam, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db, run
from pickup.orders.models import Order
from pickup.orders.queries import WITH_ALL
from pickup.staff.lockout import FAILURES_MAX
from pickup.staff.models import Device, OfflineAction, SignInFailure, StaffMember, UnknownCode
from pickup.stores.models import Store


def member(member_id: int) -> StaffMember | None:
    """The person as the database has them now."""
    return db.session.get(StaffMember, member_id, populate_existing=True)


def members_at(store_id: int) -> Sequence[StaffMember]:
    """The people of a store who work there now, by name."""
    return db.session.scalars(
        select(StaffMember)
        .where(StaffMember.store_id == store_id, StaffMember.left_at.is_(None))
        .order_by(StaffMember.name)
    ).all()


def member_and_device(member_id: int, device_id: int | None) -> tuple[StaffMember | None, Device | None]:
    """A person, and a tablet if there is one, as the database has them now."""
    found = db.session.execute(
        select(StaffMember, Device)
        .outerjoin(Device, Device.id == device_id)
        .where(StaffMember.id == member_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return (found[0], found[1]) if found else (None, None)


def device_by_digest(digest: bytes) -> Device | None:
    """The tablet that keeps the token of this digest, if it has not been taken back."""
    return db.session.scalars(
        select(Device).where(Device.token_digest == digest, Device.revoked_at.is_(None))
    ).one_or_none()


def lock_device(device_id: int) -> Device | None:
    """A tablet, for changing it."""
    return db.session.get(Device, device_id, populate_existing=True, with_for_update=True)


# Every change of a row gives it another `xmin`, whatever of it has changed.
_BOARD_STATE = text("""
    SELECT md5(concat_ws('|',
        (SELECT string_agg(concat(id, xmin), ',' ORDER BY id) FROM orders
         WHERE store_id = :store_id AND status IN ('reserved', 'picking', 'ready')),
        (SELECT string_agg(concat(id, xmin), ',' ORDER BY id) FROM orders
         WHERE store_id = :store_id AND put_back_since IS NOT NULL),
        (SELECT string_agg(concat(id, xmin), ',' ORDER BY id) FROM transfers
         WHERE source_id = :store_id AND status = 'requested'),
        (SELECT string_agg(concat(id, xmin), ',' ORDER BY id) FROM transfers
         WHERE destination_id = :store_id AND status IN ('requested', 'sent')),
        (SELECT string_agg(key::text, ',' ORDER BY key) FROM offline_actions
         WHERE store_id = :store_id AND outcome = 'conflict' AND settled_at IS NULL)
    ))
""").bindparams(bindparam("store_id", type_=Integer()))


def board_state(store_id: int) -> str:
    """A word that is another one after each change of what a store has to do."""
    return str(run(_BOARD_STATE, {"store_id": store_id}).scalar_one())


def open_conflicts(store_id: int) -> Sequence[tuple[OfflineAction, int]]:
    """What was done without a network, could not be taken and is not settled, each with its order's number."""
    rows = db.session.execute(
        select(OfflineAction, Order.number)
        .join(Order, Order.id == OfflineAction.order_id)
        .where(
            OfflineAction.store_id == store_id,
            OfflineAction.outcome == "conflict",
            OfflineAction.settled_at.is_(None),
        )
        .order_by(OfflineAction.at)
    )
    return [(row[0], row[1]) for row in rows]


def has_open_conflict(order_id: uuid.UUID, member_id: int) -> bool:
    """Whether something that a person did with an order without a network could not be taken, and is not settled."""
    found = select(OfflineAction.key).where(
        OfflineAction.order_id == order_id,
        OfflineAction.member_id == member_id,
        OfflineAction.outcome == "conflict",
        OfflineAction.settled_at.is_(None),
    )
    return db.session.scalar(found.limit(1)) is not None


def lock_staff_of(store_id: int) -> None:
    """Let nobody else change who works at this store; orders go on."""
    db.session.execute(select(Store.id).where(Store.id == store_id).with_for_update(key_share=True)).one()


def lock_sign_in(store_id: int, address: str) -> None:
    """Let sign-ins at a store from one address wait for each other, so that no failure is overlooked."""
    db.session.execute(select(func.pg_advisory_xact_lock(store_id, func.hashtext(address))))


def lock_member(member_id: int) -> None:
    """Let this person type one code at a time, on however many tablets."""
    db.session.execute(select(StaffMember.id).where(StaffMember.id == member_id).with_for_update()).one()


def latest_sign_in_failures(store_id: int, address: str) -> Sequence[datetime]:
    """When the last few wrong PINs came, newest first."""
    return db.session.scalars(
        select(SignInFailure.at)
        .where(SignInFailure.store_id == store_id, SignInFailure.address == address)
        .order_by(SignInFailure.at.desc())
        .limit(FAILURES_MAX)
    ).all()


def record_sign_in_failure(store_id: int, address: str, *, now: datetime, forget_before: datetime) -> None:
    """Remember a wrong PIN, and forget those that cannot matter any more."""
    db.session.execute(delete(SignInFailure).where(SignInFailure.at < forget_before))
    db.session.execute(insert(SignInFailure).values(store_id=store_id, address=address, at=now))


def latest_unknown_codes(member_id: int) -> Sequence[datetime]:
    """When this person last typed a code that nobody has, newest first."""
    return db.session.scalars(
        select(UnknownCode.at)
        .where(UnknownCode.member_id == member_id)
        .order_by(UnknownCode.at.desc())
        .limit(FAILURES_MAX)
    ).all()


def record_unknown_code(member_id: int, *, now: datetime, forget_before: datetime) -> None:
    """Remember a code that nobody has, and forget those that cannot matter any more."""
    db.session.execute(delete(UnknownCode).where(UnknownCode.member_id == member_id, UnknownCode.at < forget_before))
    db.session.execute(insert(UnknownCode).values(member_id=member_id, at=now))


_COUNTED = text("""
    SELECT coalesce(sum(picked), 0)::int, coalesce(sum(quantity - short), 0)::int
    FROM order_lines WHERE order_id = :order_id
""").bindparams(bindparam("order_id", type_=Uuid()))


def counted_units(order_id: uuid.UUID) -> tuple[int, int]:
    """How many units of an order lie in its bag, as far as counted, and how many there are to pick."""
    counted, units = run(_COUNTED, {"order_id": order_id}).one()
    return counted, units


def orders_in_round(wave_id: uuid.UUID) -> Sequence[Order]:
    """The orders of a round with all that is shown of them, by number."""
    wanted = select(Order).where(Order.wave_id == wave_id).order_by(Order.number).options(*WITH_ALL)
    return db.session.scalars(wanted.execution_options(populate_existing=True)).all()


_PLACES = text("""
    SELECT staging_place FROM orders
    WHERE store_id = :store_id AND status = 'ready' AND staging_place IS NOT NULL
    GROUP BY staging_place ORDER BY max(changed_at) DESC LIMIT :limit
""")


def places_in_use(store_id: int, limit: int = 12) -> Sequence[str]:
    """Where bags of a store stand now, the last one used first."""
    return run(_PLACES, {"store_id": store_id, "limit": limit}).scalars().all()


def order_id_by_code(store_id: int, code: str) -> uuid.UUID | None:
    """The order of a store that has this (normalised) code, whatever became of it; a ready one before any other.

    The code is the customer's or their collector's.
    """
    return db.session.scalars(
        select(Order.id)
        .where(Order.store_id == store_id, or_(Order.pickup_code == code, Order.collector_code == code))
        .order_by((Order.status == "ready").desc(), Order.changed_at.desc())
        .limit(1)
    ).one_or_none()
