"""HTTP of the tablet page: forms that post and redirect, so that a reload repeats nothing."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.pages import Pages
from pickup.inventory import transfers
from pickup.orders import money_problems
from pickup.orders import queries as orders
from pickup.orders.errors import OrderNotFound, PickupCodeLocked
from pickup.orders.models import Order
from pickup.orders.pickup_code import normalise
from pickup.staff import goods, presenting, service
from pickup.staff.board import Goods, has_counter, present_board
from pickup.staff.errors import AgeNotChecked, CodeEntryLocked, MovedOn
from pickup.staff.gate import admit, member
from pickup.staff.transfer_cards import present_arrival
from pickup.staff.why_here import why_here
from pickup.stores.directory import StoreEntry

TYPED_MAX_CHARACTERS = 40

blueprint = Pages("staff", __name__, url_prefix="/staff", way_back=("/staff", "Back to the orders"))

Answer = str | Response | BaseResponse


blueprint.before_request(admit)


@blueprint.get("", strict_slashes=False)
def show_board() -> Answer:
    """The store's orders, and, right after a handover, what to hand out."""
    now = utcnow()
    return render_template("staff/board.html", **_board(now), handed_over=_just_handed_over(now))


@blueprint.get("/board")
def refresh_board() -> Answer:
    """Only the orders, for the page to put in place of the old ones."""
    return render_template("staff/_board.html", **_board(utcnow()))


@blueprint.get("/orders/<uuid:order_id>")
def show_order(order_id: uuid.UUID) -> Answer:
    """One order with its history."""
    now, order = utcnow(), own_order(order_id)
    return render_template(
        "staff/order.html",
        card=presenting.present_card(order, now=now),
        returns=presenting.present_returns(order, orders.returns_of(order), now=now),
        units_back=goods.units_back(order),
        history=presenting.present_history(order, now=now),
        why=why_here(order),
        transfers=[present_arrival(each, order, now=now) for each in transfers.transfers_of([order.id])],
    )


@blueprint.post("/orders/<uuid:order_id>/start-picking")
def start_picking(order_id: uuid.UUID) -> Answer:
    """Take an order on, and stay with it."""
    who = member()
    try:
        order = in_transaction(lambda: service.start_picking(who, order_id, now=utcnow()))
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    flash(f"You are picking order {order.number}.", "done")
    return redirect(board_url(f"order-{order.number}"), 303)


@blueprint.post("/orders/<uuid:order_id>/ready")
def mark_ready(order_id: uuid.UUID) -> Answer:
    """Say that an order stands ready."""
    who = member()
    try:
        order = in_transaction(lambda: service.mark_ready(who, order_id, now=utcnow()))
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    flash(f"Order {order.number} is ready. {order.customer_name} gets a message.", "done")
    return redirect(board_url(), 303)


@blueprint.post("/hand-over")
def hand_over_by_code() -> Answer:
    """Give the goods to whoever has a code of this store."""

    def attempt(typed: str, age_checked: bool) -> uuid.UUID | None:
        return service.hand_over_by_code(member(), typed, age_checked=age_checked, now=utcnow())

    return _hand_over(
        attempt,
        lambda typed: f"No order here has the code {normalise(typed)}.",
        back=board_url(),
        too_late=_open_if_collected,
    )


@blueprint.post("/orders/<uuid:order_id>/hand-over")
def hand_over(order_id: uuid.UUID) -> Answer:
    """Give one order to whoever has its code."""

    def attempt(typed: str, age_checked: bool) -> uuid.UUID | None:
        done = service.hand_over(member(), order_id, typed, age_checked=age_checked, now=utcnow())
        return order_id if done else None

    back = url_for("staff.show_order", order_id=order_id)
    return _hand_over(attempt, lambda typed: presenting.wrong_code_words(own_order(order_id)), back=back)


def _hand_over(
    attempt: Callable[[str, bool], uuid.UUID | None],
    wrong_words: Callable[[str], str],
    *,
    back: str,
    too_late: Callable[[uuid.UUID], Answer] | None = None,
) -> Answer:
    """Try a typed code, and say what came of it: handed over, a question first, or a refusal and why."""
    typed = request.form.get("code", "").strip()[:TYPED_MAX_CHARACTERS]
    if not normalise(typed):
        return _refuse_code("Type the code that the customer has.", typed, back)
    try:
        order_id = in_transaction(lambda: attempt(typed, "age_checked" in request.form))
    except AgeNotChecked as question:
        return _ask_age(question, typed, back)
    except MovedOn as refusal:
        return (too_late or say_what_became_of)(refusal.order_id)
    except (CodeEntryLocked, PickupCodeLocked) as locked:
        return _refuse_code(locked.detail, typed, back)
    if order_id is None:
        return _refuse_code(wrong_words(typed), typed, back)
    return redirect(url_for("staff.show_board", handed_over=order_id), 303)


def _ask_age(question: AgeNotChecked, typed: str, back: str) -> Answer:
    card = presenting.present_card(own_order(question.order_id), now=utcnow())
    return render_template("staff/age.html", card=card, minimum_age=question.minimum_age, typed=typed, back=back)


def _refuse_code(words: str, typed: str, back: str) -> Answer:
    flash(words, "wrong_code")
    flash(typed, "typed_code")
    return redirect(back, 303)


def say_what_became_of(order_id: uuid.UUID) -> Answer:
    """Back to the board, with a calm word for somebody who came too late."""
    flash(presenting.what_became_of(own_order(order_id), now=utcnow()), "calm")
    return redirect(board_url(), 303)


def _open_if_collected(order_id: uuid.UUID) -> Answer:
    """A customer who has been here before, and now shows the code again, brings something back."""
    order = own_order(order_id)
    if order.status != "collected":
        return say_what_became_of(order_id)
    flash(presenting.what_became_of(order, now=utcnow()), "calm")
    return redirect(url_for("staff.show_order", order_id=order_id), 303)


def _board(now: datetime) -> dict[str, Any]:
    store: StoreEntry = g.store
    to_send, to_receive = transfers.to_send(store.id), transfers.to_receive(store.id)
    owners = orders.get_orders({each.order_id for each in (*to_send, *to_receive)})
    problems = money_problems.at_store(store.id) if member().is_manager else ()
    board = present_board(
        store, orders.open_orders_at(store.id), Goods(to_send, to_receive, owners), problems=problems, now=now
    )
    return {"board": board, "has_counter": has_counter(store)}


def _just_handed_over(now: datetime) -> presenting.Card | None:
    """The order that the address names, if it is one of ours that is handed over."""
    try:
        order = own_order(uuid.UUID(request.args.get("handed_over", "")))
    except (ValueError, OrderNotFound):
        return None
    return presenting.present_card(order, now=now) if order.status == "collected" else None


def own_order(order_id: uuid.UUID) -> Order:
    """An order of the person's store, with all that is shown of it.

    Raises:
        OrderNotFound: the store has no such order.
    """
    order = orders.get_order(order_id, with_history=True)
    if order.store_id != member().store_id:
        raise OrderNotFound("This store has no such order.")
    return order


def board_url(anchor: str | None = None) -> str:
    """The address of the board, or of a place on it."""
    return url_for("staff.show_board", _anchor=anchor)
