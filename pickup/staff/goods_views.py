"""HTTP of the tablet page about goods: what cannot be found, what is sent, what arrives."""

import uuid
from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.languages import _, later
from pickup.core.pages import Pages
from pickup.inventory.models import Transfer
from pickup.orders import queries as orders
from pickup.orders.errors import TransferOver
from pickup.orders.models import Order
from pickup.staff import goods, outcomes, presenting
from pickup.staff.errors import MovedOn
from pickup.staff.gate import admit, member
from pickup.staff.transfer_cards import what_became_of_transfer
from pickup.staff.views import Answer, board_url, own_order, say_what_became_of

# As far as the database counts; beyond it there is nothing, and it is not asked.
TRANSFER = "/transfers/<int(max=9223372036854775807):transfer_id>"
# Up to here there is a button for each number, which a finger finds faster than a keyboard.
BUTTONS_MAX = 8

blueprint = Pages(
    "goods",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.get("/orders/<uuid:order_id>/lines/<int:product_id>/missing")
def ask_short_pick(order_id: uuid.UUID, product_id: int) -> Answer:
    """Ask how many of a line cannot be found, and say what follows from it."""
    order = own_order(order_id)
    line = goods.line_of(order, product_id)
    if order.status != "picking" or line.quantity == line.short:
        return say_what_became_of(order_id)
    return render_template(
        "staff/missing.html",
        number=order.number,
        line=presenting.present_line(line),
        consequence=outcomes.short_pick_follows(order, line),
        buttons_max=BUTTONS_MAX,
        back=_whence(order),
    )


@blueprint.post("/orders/<uuid:order_id>/lines/<int:product_id>/missing")
def short_pick(order_id: uuid.UUID, product_id: int) -> Answer:
    """Say that so many of a line cannot be found."""
    missing, expected = _number("missing"), _number("expected")
    try:
        in_transaction(
            lambda: goods.short_pick(member(), order_id, product_id, missing, expected=expected, now=utcnow())
        )
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    order = own_order(order_id)
    flash(outcomes.after_short_pick(order, goods.line_of(order, product_id), now=utcnow()), "done")
    return redirect(_whence(order), 303)


@blueprint.post(f"{TRANSFER}/sent")
def send(transfer_id: int) -> Answer:
    """Say that goods have left for the store that asked for them."""
    transfer = goods.departure(member(), transfer_id)

    def step() -> str:
        return outcomes.after_sending(transfer, goods.send(member(), transfer_id, now=utcnow()))

    return _handle(transfer, step)


@blueprint.post(f"{TRANSFER}/arrived")
def receive(transfer_id: int) -> Answer:
    """Say that goods have arrived."""

    def step() -> str:
        order, is_awaited = goods.receive(member(), transfer_id, now=utcnow())
        return outcomes.after_receiving(order, is_awaited=is_awaited)

    return _handle(goods.arrival(member(), transfer_id), step)


@blueprint.get(f"{TRANSFER}/lines/<int:product_id>/missing")
def ask_cannot_send(transfer_id: int, product_id: int) -> Answer:
    """Ask how many of what should be sent cannot be found."""
    transfer = goods.departure(member(), transfer_id)
    order = orders.get_order(transfer.order_id)
    line = next((line for line in transfer.lines if line.product_id == product_id), None)
    if transfer.status != "requested" or line is None:
        flash(what_became_of_transfer(transfer, order), "calm")
        return redirect(board_url(), 303)
    return render_template(
        "staff/missing.html",
        number=order.number,
        line=presenting.present_units(goods.line_of(order, product_id).product, line.quantity),
        consequence=_(outcomes.CANNOT_SEND_FOLLOWS),
        buttons_max=BUTTONS_MAX,
        back=board_url(f"transfer-{transfer.id}"),
    )


@blueprint.post(f"{TRANSFER}/lines/<int:product_id>/missing")
def cannot_send(transfer_id: int, product_id: int) -> Answer:
    """Say that so many of what should be sent cannot be found."""
    missing = _number("missing")

    def step() -> str:
        return outcomes.after_not_sending(goods.cannot_send(member(), transfer_id, product_id, missing, now=utcnow()))

    return _handle(goods.departure(member(), transfer_id), step)


def _whence(order: Order) -> str:
    """Back to where it was asked: the list of a round, or the board."""
    if order.wave_id and request.args.get("from") == "round":
        return url_for("picking.show_round", wave_id=order.wave_id)
    return board_url(f"order-{order.number}")


def _handle(transfer: Transfer, step: Callable[[], str]) -> Answer:
    """Take a step with goods, and say on the board what has become of them."""
    try:
        flash(in_transaction(step), "done")
    except TransferOver:
        flash(what_became_of_transfer(transfer, orders.get_order(transfer.order_id)), "calm")
    return redirect(board_url(), 303)


def _number(field: str) -> int:
    """What was typed; 0, which is never right, where it is no number."""
    return request.form.get(field, 0, type=int)
