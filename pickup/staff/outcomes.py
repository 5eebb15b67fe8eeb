"""What the tablet says after somebody did something about goods, and before, where there is no way back."""

from collections.abc import Sequence
from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core.pages import money
from pickup.inventory.models import Transfer
from pickup.orders.models import Order, OrderLine, Return
from pickup.payments.models import Payment
from pickup.staff.picking import Count
from pickup.staff.presenting import what_became_of
from pickup.staff.rounds import Item, Need, Round
from pickup.staff.transfer_cards import shelf_words
from pickup.stores.directory import directory

# What follows from a short pick, by what the customer, or else the retailer, wants.
SHORT_PICK_FOLLOWS = {
    "part": "The customer takes the rest and does not pay for what is missing.",
    "move": "The customer wants all of it or nothing from here: the order leaves this store, and they are asked.",
    "cancel": "The customer wants all of it or nothing: the order is cancelled.",
}
ALL_MISSING_FOLLOWS = "If nothing is left, the customer is asked what they want instead."
CANNOT_SEND_FOLLOWS = "Another store sends it instead, or the customer is asked. What you have found already goes back."

# By what came of it, and whether there are several bags.
COUNT_WORDS = {
    ("counted", True): "Bag {bag}: {name}, {counted} of {units}.",
    ("counted", False): "{name}: {counted} of {units}.",
    ("taken_out", True): "Taken out of bag {bag}: {name}, {counted} of {units}.",
    ("taken_out", False): "Taken out: {name}, {counted} of {units}.",
    ("too_many", True): "Too many: all bags have their {name}.",
    ("too_many", False): "Too many: {name} is complete, {counted} of {units}.",
    ("changed", True): "Somebody has counted meanwhile: {name}, bag {bag}, {counted} of {units}.",
    ("changed", False): "Somebody has counted meanwhile: {name}, {counted} of {units}.",
}
WRONG_WORDS = {
    "unknown": "Wrong item: {scanned} is not in this round.",
    "wrong_item": "That is not in this round.",
    "over": "That order is not being picked any more.",
}

SCANNED_SHOWN_MAX = 40

CUSTOMER_IS_ASKED = "The customer is asked: another store, later, or cancel."
PUT_BACK = "Put its goods back on the shelf."


def short_pick_follows(order: Order, line: OrderLine) -> str:
    """What happens if units of this line are missing."""
    settings: Settings = current_app.extensions["settings"]
    wish = order.if_short or settings.if_short
    left = line.quantity - line.short
    if wish != "part" or any(each.quantity > each.short for each in order.lines if each is not line):
        return SHORT_PICK_FOLLOWS[wish]
    return ALL_MISSING_FOLLOWS if left == 1 else f"{SHORT_PICK_FOLLOWS[wish]} {ALL_MISSING_FOLLOWS}"


def after_short_pick(order: Order, line: OrderLine, *, now: datetime) -> str:
    """Where the order goes that not everything was found for: on in part, to the customer's choice, or nowhere."""
    if order.status == "picking":
        left, total = line.quantity - line.short, money(order.total_amount, order.currency)
        found = f"with {left} of {line.quantity}" if left else "without"
        return f"Order {order.number} goes on {found} {line.product.name}. It now costs {total}."
    if order.offer:
        return f"Order {order.number} has left this board. {CUSTOMER_IS_ASKED} {PUT_BACK}"
    if order.status == "cancelled":
        return f"Order {order.number} is cancelled. {PUT_BACK}"
    return what_became_of(order, now=now)


def after_nothing_taken(order: Order) -> str:
    """Whoever has the code wants nothing of it."""
    return f"Order {order.number} is cancelled: nothing was taken, and nothing is paid. {PUT_BACK}"


def left_out_of_round(numbers: Sequence[int]) -> str:
    """Orders that were chosen for a round, and had moved on."""
    if len(numbers) == 1:
        return f"Order {numbers[0]} is not in this round: somebody was faster, or it has gone."
    listed = ", ".join(map(str, numbers))
    return f"The orders {listed} are not in this round: somebody was faster, or they have gone."


def after_counting(count: Count, shown: Round, scanned: str) -> str:
    """What was counted, and into which bag it belongs; or why it was not."""
    item, need = _counted(count, shown)
    if count.order is None or item is None or need is None:
        why = "over" if count.order else "unknown" if scanned else "wrong_item"
        return WRONG_WORDS[why].format(scanned=scanned[:SCANNED_SHOWN_MAX])
    words = COUNT_WORDS[count.outcome, bool(need.bag.letter)]
    return words.format(
        name=item.name, bag=need.bag.letter, number=need.bag.number, counted=need.counted, units=need.units
    )


def _counted(count: Count, shown: Round) -> tuple[Item | None, Need | None]:
    items = (item for department in shown.departments for item in department.items)
    item = next((item for item in items if item.product_id == count.product_id), None)
    needs = item.needs if item and count.order else []
    return item, next((need for need in needs if count.order and need.bag.order_id == count.order.id), None)


def after_placing(order: Order) -> str:
    """The bag stands somewhere else, or nowhere that is known."""
    if order.staging_place:
        return f"The bag of order {order.number} stands at {order.staging_place}."
    return f"Nothing is noted about where the bag of order {order.number} stands."


def after_return(order: Order, taken: Return, payment: Payment) -> str:
    """Goods came back: what becomes of them, and of what was paid for them."""
    amount = money(taken.amount, order.currency)
    goods = "Put the goods on the shelf." if taken.is_restocked else "Keep the goods off the shelf."
    if payment.status == "written_off":
        return f"Give {amount} back by hand: the money of order {order.number} was settled by hand. {goods}"
    if payment.captured > payment.refunded:
        return f"{amount} goes back to the customer, the way they paid. {goods}"
    return f"The customer pays {amount} less. {goods}"  # the money of this order is still to be taken


def after_sending(transfer: Transfer, order: Order) -> str:
    """Goods have left."""
    return f"The goods for order {order.number} are on their way to {directory().by_id[transfer.destination_id].name}."


def after_receiving(order: Order, *, is_awaited: bool) -> str:
    """Goods have arrived: for the order, or, where it does not wait for them, for the shelf."""
    if not is_awaited:
        return shelf_words(order)
    if order.status == "reserved":
        return f"Order {order.number} is complete. It is under To pick now."
    return f"The goods are here. Order {order.number} still waits for others: keep these for it."


def after_not_sending(order: Order) -> str:
    """The source did not find what it should send."""
    if order.status == "cancelled":
        return f"Order {order.number} is cancelled: nobody else has it. {PUT_BACK}"
    if order.offer:
        return f"Nobody else has it. {CUSTOMER_IS_ASKED} {PUT_BACK}"
    return f"Order {order.number} is planned anew, and others may send it. Put back what you have found of it."
