"""Goods go over the counter: to whoever has the code, all of them or some, with what has to be asked first."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app

from pickup.config import Settings
from pickup.core.languages import later
from pickup.orders import service as orders
from pickup.orders.models import Order
from pickup.orders.pickup_code import normalise
from pickup.staff import audit, queries, signing
from pickup.staff.errors import AgeNotChecked, CodeEntryLocked, NotSigned
from pickup.staff.lockout import is_locked
from pickup.staff.people import Associate
from pickup.staff.signing import Signed
from pickup.staff.steps import own_order_locked

CODE_WINDOW = timedelta(minutes=10)


def hand_over(
    member: Associate,
    order_id: uuid.UUID,
    typed_code: str,
    *,
    age_checked: bool,
    refused: Mapping[int, int] | None = None,
    signed: Signed | None = None,
    now: datetime,
) -> bool:
    """Give a certain order to whoever has its code.

    Args:
        refused: units that they do not take, by product id. Where that is all of it, the order is cancelled.
        signed: how they have signed for it, where the retailer wants that.

    Returns:
        False for a wrong code, which has been counted on the order: the caller must commit.

    Raises:
        AgeNotChecked, NotSigned: the code is right and something is to be asked first; nothing is handed over, so roll
            back.
        PickupCodeLocked: five wrong codes were tried on it; a manager can go on.
        OrderNotFound: this store has no such order.
        MovedOn: it is not ready.
        InvalidFields: more is refused than there is.
    """
    refused = {product_id: units for product_id, units in (refused or {}).items() if units}
    with own_order_locked(member, order_id) as order:
        if not orders.hand_over(
            order, typed_code, actor=member.actor, is_manager=member.is_manager, refused=refused, now=now
        ):
            audit.record(member, "wrong_code", order_id=order_id, now=now)
            return False
    if order.status != "collected":
        audit.record(member, "nothing_taken", order_id=order_id, now=now)
        return True
    asked = _ask_first(order, age_checked=age_checked, signed=signed)
    if signed and "signature" in asked:
        signing.keep(order_id, signed, now=now)
    if refused:
        asked["refused"] = {str(product_id): units for product_id, units in refused.items()}
    audit.record(member, "hand_over", order_id=order_id, now=now, **asked)
    return True


def hand_over_by_code(
    member: Associate, typed_code: str, *, age_checked: bool, signed: Signed | None = None, now: datetime
) -> uuid.UUID | None:
    """Give the goods to whoever has a code of this store.

    Returns:
        The order, or None where no order has the code, which has been counted on the person: the caller must commit.

    Raises:
        CodeEntryLocked: this person typed five unknown codes in ten minutes; a manager can go on.
        AgeNotChecked, NotSigned, PickupCodeLocked, MovedOn: see `hand_over`.
    """
    queries.lock_member(member.id)
    guesses = queries.latest_unknown_codes(member.id)
    if not member.is_manager and is_locked(guesses, CODE_WINDOW, now=now):
        raise CodeEntryLocked(later("Five wrong codes in ten minutes. A manager has to sign in to hand orders over."))
    code = normalise(typed_code)
    order_id = queries.order_id_by_code(member.store_id, code)
    if order_id is None:
        queries.record_unknown_code(member.id, now=now, forget_before=now - 2 * CODE_WINDOW)
        audit.record(member, "unknown_code", now=now)
        return None
    done = hand_over(member, order_id, typed_code, age_checked=age_checked, signed=signed, now=now)
    return order_id if done else None


def minimum_age_of(order: Order) -> int:
    """The age that somebody must have to be given what they get of an order with its lines; 0: anybody may have it."""
    return max((line.product.minimum_age or 0 for line in order.lines if line.charged_units), default=0)


def _ask_first(order: Order, *, age_checked: bool, signed: Signed | None) -> dict[str, Any]:
    """What has been asked, for the audit trail: of an age check the outcome is kept, and no document."""
    settings: Settings = current_app.extensions["settings"]
    asked: dict[str, Any] = {}
    minimum_age = minimum_age_of(order)
    if minimum_age:
        if not age_checked:
            raise AgeNotChecked("Check the age before you hand it over.", order_id=order.id, minimum_age=minimum_age)
        asked["age_checked"] = minimum_age
    if settings.signature == "ask":
        if signed is None:
            raise NotSigned("Have it signed before you hand it over.", order_id=order.id)
        asked["signature"] = signed.how
    return asked
