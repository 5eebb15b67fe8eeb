"""Goods for an order that come from other stores: sent there, and received at the pickup point."""

from collections.abc import Sequence
from datetime import datetime

from pickup.core.errors import InvalidFields
from pickup.core.languages import _
from pickup.core.types import Actor
from pickup.inventory import shelf, transfers
from pickup.inventory.models import Transfer
from pickup.orders import rerouting
from pickup.orders.errors import TransferOver
from pickup.orders.models import Order
from pickup.orders.transitions import advance


def send(order: Order, transfer_id: int, *, now: datetime) -> None:
    """The source has handed the goods to whoever drives them.

    Args:
        order: locked.

    Raises:
        TransferOver: they are not to be sent any more.
    """
    transfer = _lock(order, transfer_id, still=("requested",))[0]
    transfers.send(transfer, now=now)


def receive(order: Order, transfer_id: int, *, actor: Actor, now: datetime) -> None:
    """The goods are at the pickup point. With the last of them the order can be picked.

    The goods go to the shelf if the order was called off meanwhile, or if others are sent by a later plan.

    Args:
        order: locked.

    Raises:
        TransferOver: they have been received, or were never sent.
    """
    transfer, all_of_them = _lock(order, transfer_id, still=transfers.ON_THE_WAY)
    planned = _of_present_plan(order, all_of_them)
    transfers.receive(transfer, for_order=transfer in planned, now=now)
    if transfer in planned and not any(each.status in transfers.ON_THE_WAY for each in planned):
        advance([order], "receive", actor=actor, now=now)


def cannot_send(order: Order, transfer_id: int, product_id: int, missing: int, *, actor: Actor, now: datetime) -> None:
    """The source does not find what it should send: its books are corrected, and others send it instead.

    Args:
        order: locked, with its lines.

    Raises:
        TransferOver: they are not to be sent any more.
        InvalidFields: there is no such product in it, or not so many units.
    """
    transfer = _lock(order, transfer_id, still=("requested",))[0]
    line = next((line for line in transfer.lines if line.product_id == product_id), None)
    if line is None:
        raise InvalidFields.at("/sku", "is not in this transfer")
    if not 1 <= missing <= line.quantity:
        raise InvalidFields.at("/missing", _("must be 1 to %(most)s", most=line.quantity))
    shelf.correct_shortfall(order.id, transfer.source_id, product_id, missing, now=now)
    rerouting.replan(order, "short_at_source", actor=actor, now=now)


def _of_present_plan(order: Order, all_of_them: Sequence[Transfer]) -> Sequence[Transfer]:
    """The transfers that an order waits for. They were asked for in the step that brought it where it is."""
    if order.status != "in_transit":
        return ()
    return [each for each in all_of_them if each.requested_at >= order.changed_at]


def _lock(order: Order, transfer_id: int, *, still: Sequence[str]) -> tuple[Transfer, Sequence[Transfer]]:
    all_of_them = transfers.lock_transfers(order.id)
    transfer = next((each for each in all_of_them if each.id == transfer_id), None)
    if transfer is None or transfer.status not in still:
        raise TransferOver("These goods have been received, or are not to be sent any more.")
    return transfer, all_of_them
