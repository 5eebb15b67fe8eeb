"""What the tablet says after somebody did something about goods, and before, where there is no way back."""

from collections.abc import Sequence
from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core.languages import _, later
from pickup.core.pages import money
from pickup.inventory.models import Transfer
from pickup.orders.models import Order, OrderLine, Return
from pickup.payments.models import Payment
from pickup.staff.picking import Count
from pickup.staff.rounds import Item, Need, Round
from pickup.staff.too_late import what_became_of
from pickup.staff.transfer_cards import shelf_words
from pickup.stores.directory import directory

# What follows from a short pick, by what the customer, or else the retailer, wants.
SHORT_PICK_FOLLOWS = {
    "part": later("The customer takes the rest and does not pay for what is missing."),
    "move": later(
        "The customer wants all of it or nothing from here: the order leaves this store, and they are asked."
    ),
    "cancel": later("The customer wants all of it or nothing: the order is cancelled."),
}
# Where it may be that nothing is left.
ALL_MISSING_FOLLOWS = later("If nothing is left, the customer is asked what they want instead.")
PERHAPS_ALL_MISSING_FOLLOWS = later(
    "The customer takes the rest and does not pay for what is missing. "
    "If nothing is left, the customer is asked what they want instead."
)
CANNOT_SEND_FOLLOWS = later(
    "Another store sends it instead, or the customer is asked. What you have found already goes back."
)

# By what came of it, and whether there are several bags.
COUNT_WORDS = {
    ("counted", True): later("Bag %(bag)s: %(name)s, %(counted)s of %(units)s."),
    ("counted", False): later("%(name)s: %(counted)s of %(units)s."),
    ("taken_out", True): later("Taken out of bag %(bag)s: %(name)s, %(counted)s of %(units)s."),
    ("taken_out", False): later("Taken out: %(name)s, %(counted)s of %(units)s."),
    ("too_many", True): later("Too many: all bags have their %(name)s."),
    ("too_many", False): later("Too many: %(name)s is complete, %(counted)s of %(units)s."),
    ("changed", True): later("Somebody has counted meanwhile: %(name)s, bag %(bag)s, %(counted)s of %(units)s."),
    ("changed", False): later("Somebody has counted meanwhile: %(name)s, %(counted)s of %(units)s."),
}
WRONG_WORDS = {
    "unknown": later("Wrong item: %(scanned)s is not in this round."),
    "wrong_item": later("That is not in this round."),
    "over": later("That order is not being picked any more."),
}
# What becomes of the money of a return, and whether its goods go to the shelf.
RETURN_WORDS = {
    ("by_hand", True): later(
        "Give %(amount)s back by hand: the money of order %(number)s was settled by hand. Put the goods on the shelf."
    ),
    ("by_hand", False): later(
        "Give %(amount)s back by hand: the money of order %(number)s was settled by hand. Keep the goods off the shelf."
    ),
    ("sent_back", True): later("%(amount)s goes back to the customer, the way they paid. Put the goods on the shelf."),
    ("sent_back", False): later(
        "%(amount)s goes back to the customer, the way they paid. Keep the goods off the shelf."
    ),
    # The money of this order is still to be taken.
    ("not_taken", True): later("The customer pays %(amount)s less. Put the goods on the shelf."),
    ("not_taken", False): later("The customer pays %(amount)s less. Keep the goods off the shelf."),
}

SCANNED_SHOWN_MAX = 40


def short_pick_follows(order: Order, line: OrderLine) -> str:
    """What happens if units of this line are missing."""
    settings: Settings = current_app.extensions["settings"]
    wish = order.if_short or settings.if_short
    left = line.quantity - line.short
    if wish != "part" or any(each.quantity > each.short for each in order.lines if each is not line):
        return _(SHORT_PICK_FOLLOWS[wish])
    return _(ALL_MISSING_FOLLOWS if left == 1 else PERHAPS_ALL_MISSING_FOLLOWS)


def after_short_pick(order: Order, line: OrderLine, *, now: datetime) -> str:
    """Where the order goes that not everything was found for: on in part, to the customer's choice, or nowhere."""
    if order.status == "picking":
        left, total = line.quantity - line.short, money(order.total_amount, order.currency)
        values = {"number": order.number, "name": line.product.name, "total": total}
        if not left:
            return _("Order %(number)s goes on without %(name)s. It now costs %(total)s.", **values)
        return _(
            "Order %(number)s goes on with %(left)s of %(units)s %(name)s. It now costs %(total)s.",
            left=left,
            units=line.quantity,
            **values,
        )
    if order.offer:
        return _(
            "Order %(number)s has left this board. The customer is asked: another store, later, or cancel. "
            "Put its goods back on the shelf.",
            number=order.number,
        )
    if order.status == "cancelled":
        return _("Order %(number)s is cancelled. Put its goods back on the shelf.", number=order.number)
    return what_became_of(order, now=now)


def after_nothing_taken(order: Order) -> str:
    """Whoever has the code wants nothing of it."""
    return _(
        "Order %(number)s is cancelled: nothing was taken, and nothing is paid. Put its goods back on the shelf.",
        number=order.number,
    )


def left_out_of_round(numbers: Sequence[int]) -> str:
    """Orders that were chosen for a round, and had moved on."""
    if len(numbers) == 1:
        return _("Order %(number)s is not in this round: somebody was faster, or it has gone.", number=numbers[0])
    listed = ", ".join(map(str, numbers))
    return _("The orders %(numbers)s are not in this round: somebody was faster, or they have gone.", numbers=listed)


def after_counting(count: Count, shown: Round, scanned: str) -> str:
    """What was counted, and into which bag it belongs; or why it was not."""
    item, need = _counted(count, shown)
    if count.order is None or item is None or need is None:
        why = "over" if count.order else "unknown" if scanned else "wrong_item"
        return _(WRONG_WORDS[why], scanned=scanned[:SCANNED_SHOWN_MAX])
    words = COUNT_WORDS[count.outcome, bool(need.bag.letter)]
    return _(words, name=item.name, bag=need.bag.letter, counted=need.counted, units=need.units)


def _counted(count: Count, shown: Round) -> tuple[Item | None, Need | None]:
    items = (item for department in shown.departments for item in department.items)
    item = next((item for item in items if item.product_id == count.product_id), None)
    needs = item.needs if item and count.order else []
    return item, next((need for need in needs if count.order and need.bag.order_id == count.order.id), None)


def after_placing(order: Order) -> str:
    """The bag stands somewhere else, or nowhere that is known."""
    if order.staging_place:
        return _("The bag of order %(number)s stands at %(place)s.", number=order.number, place=order.staging_place)
    return _("Nothing is noted about where the bag of order %(number)s stands.", number=order.number)


def after_return(order: Order, taken: Return, payment: Payment) -> str:
    """Goods came back: what becomes of them, and of what was paid for them."""
    if payment.status == "written_off":
        way = "by_hand"
    else:
        way = "sent_back" if payment.captured > payment.refunded else "not_taken"
    return _(RETURN_WORDS[way, taken.is_restocked], amount=money(taken.amount, order.currency), number=order.number)


def after_sending(transfer: Transfer, order: Order) -> str:
    """Goods have left."""
    return _(
        "The goods for order %(number)s are on their way to %(store)s.",
        number=order.number,
        store=directory().by_id[transfer.destination_id].name,
    )


def after_receiving(order: Order, *, is_awaited: bool) -> str:
    """Goods have arrived: for the order, or, where it does not wait for them, for the shelf."""
    if not is_awaited:
        return shelf_words(order)
    if order.status == "reserved":
        return _("Order %(number)s is complete. It is under To pick now.", number=order.number)
    return _("The goods are here. Order %(number)s still waits for others: keep these for it.", number=order.number)


def after_not_sending(order: Order) -> str:
    """The source did not find what it should send."""
    if order.status == "cancelled":
        return _(
            "Order %(number)s is cancelled: nobody else has it. Put its goods back on the shelf.", number=order.number
        )
    if order.offer:
        return _(
            "Nobody else has it. The customer is asked: another store, later, or cancel. "
            "Put its goods back on the shelf."
        )
    return _(
        "Order %(number)s is planned anew, and others may send it. Put back what you have found of it.",
        number=order.number,
    )
