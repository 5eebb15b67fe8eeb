"""Work without a network: what the tablet takes along, and what becomes of what was done meanwhile.

A tablet sends each step with a key of its own and the time it was taken, in order. The step, its outcome and the row
that remembers the key are one transaction: however often it is sent, it is taken once. What cannot be taken any more
(the order was called off meanwhile, somebody else has handed it over) is kept as a conflict, and stays on the board
until a person has settled it.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pickup.core import signals
from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.languages import later
from pickup.core.types import new_id
from pickup.orders import queries as orders
from pickup.orders import service as order_service
from pickup.orders.errors import ActionNotAllowed, OrderNotFound, PickupCodeLocked
from pickup.orders.models import Order
from pickup.orders.transitions import board_topic
from pickup.staff import audit, offline_codes, picking, queries
from pickup.staff.errors import ConflictNotFound, KeyUsedElsewhere, ManagerNeeded
from pickup.staff.models import OfflineAction
from pickup.staff.offline_codes import KEPT_FOR
from pickup.staff.people import Associate, at_work
from pickup.stores.directory import StoreEntry

Action = Literal["start_picking", "mark_ready", "hand_over"]
# What has happened to an order of which a step was taken already, and what may have followed.
REACHED: dict[Action, frozenset[str]] = {
    "start_picking": frozenset({"picking", "ready", "collected"}),
    "mark_ready": frozenset({"ready", "collected"}),
    "hand_over": frozenset({"collected"}),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the tablet sends it."""

    key: uuid.UUID
    shift: str
    """Who took it, as the tablet was told when it still had a network; see `shift_of`."""
    order_id: uuid.UUID
    action: Action
    at: datetime
    proof: str
    """Of the code that was typed, for a handover."""
    salt_day: date | None
    age_checked: bool


def shift_of(who: Associate) -> str:
    """Who is at work on which tablet, signed: what is sent later counts as theirs, whoever is signed in by then."""
    return _signer().dumps({"member": who.id, "device": who.device_id})


def salt_day(store: StoreEntry, now: datetime) -> date:
    """The store's day, for the salt of its codes."""
    return now.astimezone(ZoneInfo(store.timezone)).date()


def replay(sender: Associate, step: Step, *, now: datetime) -> OfflineAction:
    """Take a step that was taken on a tablet without a network, or say what stands against it.

    Args:
        sender: who is signed in on the tablet now.

    Returns:
        What came of it, the same each time it is sent: `done`, `already` (the same person has taken it before, so that
        nothing is left to do), or `conflict`, with a word for what stands against it.

    Raises:
        InvalidFields: the step is not one that a tablet of ours has made.
        KeyUsedElsewhere: the key was used for another step.
    """
    who = _worker(sender, step.shift)
    order = _locked(step.order_id)
    known = db.session.get(OfflineAction, step.key, populate_existing=True)
    if known is not None:
        if (known.order_id, known.action) != (step.order_id, step.action):
            raise KeyUsedElsewhere("This key belongs to another step.")
        return known
    # Past a manager's own limits goes only what a manager sends.
    able = who if sender.is_manager else replace(who, role="associate")
    row = _write_down(who, step, *_take(able, order, step, now), now=now)
    said: dict[str, Any] = {"age_checked": step.age_checked} if step.action == "hand_over" else {}
    said |= {"at": row.at.isoformat(), "outcome": row.outcome, "sent_by": sender.name}
    audit.record(who, f"offline_{step.action}", order_id=order.id, now=now, **said)
    return row


def settle(who: Associate, key: uuid.UUID, *, now: datetime) -> OfflineAction:
    """Somebody has looked at a conflict and put it right. A second time changes nothing.

    Raises:
        ConflictNotFound: this store has none of this key.
        ManagerNeeded: goods were given away, and the person is no manager.
    """
    row = db.session.get(OfflineAction, key, populate_existing=True, with_for_update=True)
    if row is None or row.store_id != who.store_id or row.outcome != "conflict":
        raise ConflictNotFound(later("This store has no such conflict."))
    if row.action == "hand_over" and not who.is_manager:
        raise ManagerNeeded(later("Goods have left the store: a manager has to settle it."))
    if row.settled_at is None:
        row.settled_at, row.settled_by = now, who.name
        audit.record(who, "settle_conflict", order_id=row.order_id, now=now, step=row.action, stood_against=row.detail)
        signals.after_commit(signals.NEWS, [board_topic(row.store_id)])
    return row


def _take(who: Associate, order: Order, step: Step, now: datetime) -> tuple[str, str]:
    """The outcome, and what stands against it."""
    if order.store_id != who.store_id:
        return "conflict", "elsewhere"
    if step.action == "mark_ready" and queries.has_open_conflict(order.id, who.id):
        return "conflict", order.status  # it was not theirs to begin with
    try:
        with db.session.begin_nested():
            problem = TAKE[step.action](who, order, step, now)
    except ActionNotAllowed:
        same = order.status in REACHED[step.action] and _has_taken(who, order, step.action)
        return ("already", "") if same else ("conflict", order.status)
    except PickupCodeLocked:
        return "conflict", "code_locked"
    return ("conflict", problem) if problem else ("done", "")


def _write_down(who: Associate, step: Step, outcome: str, detail: str, *, now: datetime) -> OfflineAction:
    row = OfflineAction(
        key=step.key,
        store_id=who.store_id,
        member_id=who.id,
        member_name=who.name,
        device_id=who.device_id,
        order_id=step.order_id,
        action=step.action,
        # A tablet's clock may be mad; what it says is shown on the board.
        at=min(max(step.at, now - KEPT_FOR), now),
        received_at=now,
        outcome=outcome,
        detail=detail,
    )
    db.session.add(row)
    signals.after_commit(signals.NEWS, [board_topic(who.store_id)])
    return row


def _start_picking(who: Associate, order: Order, step: Step, now: datetime) -> str:
    picking.take_on(who, order, new_id())
    order_service.start_picking(order, actor=who.actor, now=now)
    return ""


def _mark_ready(who: Associate, order: Order, step: Step, now: datetime) -> str:
    order_service.mark_ready(order, actor=who.actor, now=now)
    return ""


def _hand_over(who: Associate, order: Order, step: Step, now: datetime) -> str:
    """The goods are gone, so a question that should have been asked before is none any more; the trail says it."""
    code = offline_codes.code_of(order, step.proof, _salt(who, step, now))
    if code is None:
        return "wrong_code"
    order_service.hand_over(order, code, actor=who.actor, is_manager=who.is_manager, now=now)
    return ""


TAKE: Mapping[Action, Callable[[Associate, Order, Step, datetime], str]] = {
    "start_picking": _start_picking,
    "mark_ready": _mark_ready,
    "hand_over": _hand_over,
}


def _salt(who: Associate, step: Step, now: datetime) -> bytes:
    if step.salt_day is None or abs(step.salt_day - now.date()) > KEPT_FOR:
        raise InvalidFields.at("/salt_day", "must be a day of the last week")
    return offline_codes.salt_of(who.store_id, step.salt_day)


def _has_taken(who: Associate, order: Order, action: str) -> bool:
    """Whether it was this person who took the step last."""
    return orders.last_actor(order.id, action) == who.name


def _locked(order_id: uuid.UUID) -> Order:
    try:
        return orders.lock_order(order_id)
    except OrderNotFound:
        raise InvalidFields.at("/order_id", "is no order") from None


def _worker(sender: Associate, shift: str) -> Associate:
    """Who took the step: on a tablet of the sender's store, at most a week ago."""
    try:
        claim = _signer().loads(shift, max_age=int(KEPT_FOR.total_seconds()))
    except BadSignature:
        raise InvalidFields.at("/shift", "was not made by us, or more than a week ago") from None
    member, device = queries.member_and_device(claim["member"], claim["device"])
    if member is None or member.store_id != sender.store_id:
        raise InvalidFields.at("/shift", "belongs to another store")
    return at_work(member, device)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="offline shift")
