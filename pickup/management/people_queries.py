"""Named reads of the pages about people and their tablets."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select, tuple_

from pickup.core.db import db
from pickup.staff.models import MANAGERS, Device, StaffMember
from pickup.stores.models import Store

Place = tuple[str, str, int]
"""Where somebody stands in the list: the store's reference, the name, the id."""


def find_people(
    words: str, *, store_id: int | None, with_those_who_left: bool, after: Place, limit: int
) -> Sequence[Any]:
    """People with their stores, by store and name, from behind a place."""
    position = tuple_(Store.ref, StaffMember.name, cast(StaffMember.id, BigInteger))
    wanted = (
        select(
            StaffMember.id,
            StaffMember.name,
            StaffMember.role,
            StaffMember.created_at,
            StaffMember.left_at,
            Store.ref.label("store_ref"),
            Store.name.label("store_name"),
        )
        .join(Store, Store.id == StaffMember.store_id)
        # The first on its own, for the index; the row of three finds the place.
        .where(Store.ref >= after[0], position > after)
        .order_by(Store.ref, StaffMember.name, StaffMember.id)
        .limit(limit)
    )
    if store_id is not None:
        wanted = wanted.where(StaffMember.store_id == store_id)
    if words:
        wanted = wanted.where(StaffMember.name.icontains(words, autoescape=True))
    if not with_those_who_left:
        wanted = wanted.where(StaffMember.left_at.is_(None))
    return db.session.execute(wanted).all()


def other_managers(member: StaffMember) -> int:
    """How many others could do what somebody can: managers of the store; for head office, head office."""
    same: ColumnElement[bool] = StaffMember.role == "head_office"
    if member.role != "head_office":
        same = (StaffMember.store_id == member.store_id) & StaffMember.role.in_(MANAGERS)
    counted = select(func.count()).where(same, StaffMember.left_at.is_(None), StaffMember.id != member.id)
    return db.session.scalars(counted).one()


def find_devices(*, store_id: int | None, after: Place, limit: int) -> Sequence[Any]:
    """Tablets with their stores, by store and name, from behind a place."""
    position = tuple_(Store.ref, Device.name, cast(Device.id, BigInteger))
    wanted = (
        select(
            Device.id,
            Device.name,
            Device.enrolled_at,
            Device.enrolled_by,
            Device.seen_at,
            Device.revoked_at,
            Device.revoked_by,
            Store.ref.label("store_ref"),
            Store.name.label("store_name"),
        )
        .join(Store, Store.id == Device.store_id)
        .where(Store.ref >= after[0], position > after)
        .order_by(Store.ref, Device.name, Device.id)
        .limit(limit)
    )
    if store_id is not None:
        wanted = wanted.where(Device.store_id == store_id)
    return db.session.execute(wanted).all()
