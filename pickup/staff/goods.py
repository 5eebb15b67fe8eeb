"""What people do about goods: say that they are not there, send them, take in what comes, and what comes back."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter

from pickup.core.languages import later
from pickup.inventory import transfers
from pickup.inventory.models import Transfer
from pickup.orders import queries, receiving, returns, short_picks
from pickup.orders.basket import Item
from pickup.orders.errors import OrderNotFound
from pickup.orders.models import Order, OrderLine, Return
from pickup.staff import audit
from pickup.staff.errors import ManagerNeeded, TransferNotFound
from pickup.staff.people import Associate
from pickup.staff.steps import own_order_locked


def short_pick(
    member: Associate, order_id: uuid.UUID, product_id: int, missing: int, *, expected: int, now: datetime
) -> Order:
    """So many units of a product cannot be found.

    Args:
        expected: the units that were looked for. Where there are others by now, somebody has said it already (a second
            tap on the same button), and nothing is changed.

    Raises:
        OrderNotFound: this store has no such order, or the order no such line.
        MovedOn: it is not being picked.
        InvalidFields: `missing` is not from 1 to what is left of the line.
    """
    with own_order_locked(member, order_id, with_lines=True) as order:
        line = line_of(order, product_id)
        if line.quantity - line.short == expected:
            short_picks.short_pick(order, product_id, missing, actor=member.actor, now=now)
            audit.record(member, "short_pick", order_id=order_id, now=now, product=product_id, missing=missing)
        return order


def take_back(
    member: Associate,
    order_id: uuid.UUID,
    items: Sequence[Item],
    *,
    expected: int,
    restock: bool,
    reason: str | None,
    now: datetime,
) -> Return | None:
    """Goods of a collected order come back over the counter.

    Args:
        expected: units that had come back before. Where there are others by now, somebody has said it already (a second
            tap on the same button), and nothing is changed.

    Returns:
        None where nothing was changed.

    Raises:
        ManagerNeeded: this person is none.
        OrderNotFound: this store has no such order.
        MovedOn: it is not collected.
        InvalidFields: nothing, or more than was handed over and has not come back.
    """
    if not member.is_manager:
        raise ManagerNeeded(later("Money goes back to the customer: a manager has to sign in for that."))
    with own_order_locked(member, order_id, with_lines=True) as order:
        if units_back(order) != expected:
            return None
        taken = returns.take_back(order, items, actor=member.actor, restock=restock, reason=reason, now=now)
        units = {item.sku: item.quantity for item in items}
        audit.record(member, "take_back", order_id=order_id, now=now, units=units, restock=restock)
        return taken


def units_back(order: Order) -> int:
    """How many units of an order have come back so far."""
    return sum(line.returned for line in order.lines)


def send(member: Associate, transfer_id: int, *, now: datetime) -> Order:
    """Hand goods to whoever drives them to the store that asked for them.

    Raises:
        TransferNotFound: this person's store has no such goods to send.
        TransferOver: they are not to be sent any more.
    """
    order, transfer = _lock_owner(departure(member, transfer_id))
    receiving.send(order, transfer.id, now=now)
    audit.record(member, "send", order_id=order.id, now=now, transfer=transfer.id)
    return order


def cannot_send(member: Associate, transfer_id: int, product_id: int, missing: int, *, now: datetime) -> Order:
    """So many units of what should be sent cannot be found.

    Raises:
        TransferNotFound, TransferOver: as above.
        InvalidFields: there is no such product in it, or not so many units.
    """
    order, transfer = _lock_owner(departure(member, transfer_id))
    receiving.cannot_send(order, transfer.id, product_id, missing, actor=member.actor, now=now)
    audit.record(member, "cannot_send", order_id=order.id, now=now, transfer=transfer.id, missing=missing)
    return order


def receive(member: Associate, transfer_id: int, *, now: datetime) -> tuple[Order, bool]:
    """Take in goods that have arrived.

    Returns:
        The order, and whether it waited for them; otherwise they go to the shelf.

    Raises:
        TransferNotFound: no such goods are on their way to this person's store.
        TransferOver: they have been received, or were never sent.
    """
    order, transfer = _lock_owner(arrival(member, transfer_id))
    waits = is_awaited(transfer, order)
    receiving.receive(order, transfer.id, actor=member.actor, now=now)
    audit.record(member, "receive", order_id=order.id, now=now, transfer=transfer.id)
    return order, waits


def is_awaited(transfer: Transfer, order: Order) -> bool:
    """Whether an order still waits for these goods, where they go to."""
    return order.status == "in_transit" and order.store_id == transfer.destination_id


def departure(member: Associate, transfer_id: int) -> Transfer:
    """A transfer that this person's store has to send, or has sent; not locked.

    Raises:
        TransferNotFound: it has none of this id.
    """
    return _transfer(transfer_id, attrgetter("source_id"), member, later("This store has no such goods to send."))


def arrival(member: Associate, transfer_id: int) -> Transfer:
    """A transfer that comes to this person's store, or has come; not locked.

    Raises:
        TransferNotFound: it has none of this id.
    """
    return _transfer(
        transfer_id, attrgetter("destination_id"), member, later("No such goods are on their way to this store.")
    )


def line_of(order: Order, product_id: int) -> OrderLine:
    """The line of a product.

    Raises:
        OrderNotFound: the order has none.
    """
    line = next((line for line in order.lines if line.product_id == product_id), None)
    if line is None:
        raise OrderNotFound(later("This order has no such line."))
    return line


def _transfer(transfer_id: int, end: Callable[[Transfer], int], member: Associate, words_if_none: str) -> Transfer:
    """A transfer with this person's store at one end of it."""
    transfer = transfers.transfer(transfer_id)
    if transfer is None or end(transfer) != member.store_id:
        raise TransferNotFound(words_if_none)
    return transfer


def _lock_owner(transfer: Transfer) -> tuple[Order, Transfer]:
    """The order first: its transfers are locked after it. It may be another store's, the goods are ours."""
    return queries.lock_order(transfer.order_id, with_lines=True), transfer
