"""Goods between stores: asked for, sent, received. Each step moves what the order holds along with the goods.

requested   reserved at the source
sent        on the road: on nobody's shelf, gone from the source's books
received    on the shelf of the destination, and reserved there if the order still wants them
cancelled   the order was called off, or goes another way, before they left
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, select, text
from sqlalchemy.orm import selectinload

from pickup.core.db import db, run
from pickup.inventory.models import Transfer, TransferLine, TransferStatus
from pickup.inventory.service import send_off

ON_THE_WAY: tuple[TransferStatus, ...] = ("requested", "sent")


@dataclass(frozen=True, slots=True)
class Request:
    """What one store is asked to send to another for one order."""

    order_id: uuid.UUID
    source_id: int
    destination_id: int
    quantities: Mapping[int, int]
    expected_at: datetime


def request(wanted: Sequence[Request], *, now: datetime) -> None:
    """Ask stores to send what is reserved there."""
    for each in wanted:
        transfer = Transfer(
            order_id=each.order_id,
            source_id=each.source_id,
            destination_id=each.destination_id,
            status="requested",
            expected_at=each.expected_at,
            requested_at=now,
        )
        db.session.add(transfer)
        db.session.flush()
        lines: list[dict[str, Any]] = [
            {"transfer_id": transfer.id, "product_id": product_id, "quantity": quantity}
            for product_id, quantity in sorted(each.quantities.items())
        ]
        db.session.execute(insert(TransferLine), lines)


def lock_transfers(order_id: uuid.UUID) -> Sequence[Transfer]:
    """The transfers of an order, locked; the order itself is locked before them."""
    return db.session.scalars(
        select(Transfer)
        .where(Transfer.order_id == order_id)
        .order_by(Transfer.id)
        .options(selectinload(Transfer.lines))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def transfers_of(order_ids: Iterable[uuid.UUID]) -> Sequence[Transfer]:
    """The transfers of several orders, called off or not, oldest first."""
    wanted = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    return db.session.scalars(
        select(Transfer)
        .where(Transfer.order_id == any_(wanted))
        .order_by(Transfer.id)
        .options(selectinload(Transfer.lines))
        .execution_options(populate_existing=True)
    ).all()


def transfer(transfer_id: int) -> Transfer | None:
    """One transfer with its lines, not locked."""
    return db.session.scalars(
        select(Transfer).where(Transfer.id == transfer_id).options(selectinload(Transfer.lines))
    ).one_or_none()


def to_send(store_id: int) -> Sequence[Transfer]:
    """What a store is asked to send and has not sent, the most urgent first."""
    return db.session.scalars(
        select(Transfer)
        .where(Transfer.source_id == store_id, Transfer.status == "requested")
        .order_by(Transfer.expected_at, Transfer.id)
        .options(selectinload(Transfer.lines))
    ).all()


def to_receive(store_id: int) -> Sequence[Transfer]:
    """What is on its way to a store, or about to be, the earliest first."""
    return db.session.scalars(
        select(Transfer)
        .where(Transfer.destination_id == store_id, Transfer.status.in_(ON_THE_WAY))
        .order_by(Transfer.expected_at, Transfer.id)
        .options(selectinload(Transfer.lines))
    ).all()


def send(leaving: Transfer, *, now: datetime) -> None:
    """The goods leave the source. One that has left already stays so.

    Args:
        leaving: locked, by `lock_transfers`.
    """
    if leaving.status != "requested":
        return
    leaving.status, leaving.sent_at = "sent", now
    db.session.flush()
    send_off(leaving.order_id, leaving.source_id, now=now)


def receive(arriving: Transfer, *, for_order: bool, now: datetime) -> None:
    """The goods are here. Nobody may have noted that they left: then they leave and arrive in this moment.

    Args:
        arriving: locked, by `lock_transfers`; neither received nor called off.
        for_order: whether the order still waits for them; otherwise they are free to be sold.
    """
    send(arriving, now=now)
    arriving.status, arriving.received_at = "received", now
    db.session.flush()
    run(_ARRIVE, {"transfer_id": arriving.id, "held": int(for_order), "now": now})


# Of levels that are not there yet the rows are made in the order of their keys, like every lock.
_ARRIVE = text("""
    WITH arrived AS (
        SELECT transfers.order_id, destination_id AS store_id, product_id, quantity
        FROM transfers JOIN transfer_lines ON transfer_id = transfers.id
        WHERE transfers.id = :transfer_id
    ), shelved AS (
        INSERT INTO stock_levels (store_id, product_id, on_hand, reserved)
        SELECT store_id, product_id, quantity, :held * quantity FROM arrived ORDER BY product_id
        ON CONFLICT (store_id, product_id) DO UPDATE
        SET on_hand = stock_levels.on_hand + excluded.on_hand, reserved = stock_levels.reserved + excluded.reserved
    ), held AS (
        INSERT INTO reservations (order_id, store_id, product_id, quantity, reserved_at)
        SELECT order_id, store_id, product_id, quantity, :now FROM arrived WHERE :held = 1
        ON CONFLICT (order_id, product_id, store_id) DO UPDATE
        SET quantity = reservations.quantity + excluded.quantity
    )
    INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change, reserved_change, order_id, at)
    SELECT store_id, product_id, 'transfer_in', quantity, :held * quantity, order_id, :now FROM arrived
""")
