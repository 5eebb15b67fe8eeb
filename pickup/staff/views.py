"""HTTP of the tablet page: forms that post and redirect, so that a reload repeats nothing."""

import uuid
from datetime import datetime
from typing import Any

from flask import Response, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.languages import later
from pickup.core.pages import Pages
from pickup.inventory import transfers
from pickup.notifications import push
from pickup.orders import extending, money_problems
from pickup.orders import queries as orders
from pickup.orders.errors import OrderNotFound
from pickup.orders.models import Order
from pickup.staff import goods, picking, presenting, queries, signing
from pickup.staff.board import Goods, has_counter, present_board
from pickup.staff.gate import admit, member
from pickup.staff.offline_cards import present_conflicts
from pickup.staff.too_late import what_became_of
from pickup.staff.transfer_cards import present_arrival
from pickup.staff.why_here import why_here
from pickup.stores.directory import StoreEntry

blueprint = Pages(
    "staff", __name__, url_prefix="/staff", way_back=("/staff", later("Back to the orders")), is_translated=True
)

Answer = str | Response | BaseResponse


blueprint.before_request(admit)


@blueprint.get("", strict_slashes=False)
def show_board() -> Answer:
    """The store's orders, and, right after a handover, what to hand out."""
    now = utcnow()
    return render_template(
        "staff/board.html", **_board(now), handed_over=_just_handed_over(now), push_key=push.public_key()
    )


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
        can_extend=extending.may_extend(order, is_manager=member().is_manager),
        places=queries.places_in_use(order.store_id),
        signature=signing.signature_of(order_id) if order.status == "collected" else None,
        transfers=[present_arrival(each, order, now=now) for each in transfers.transfers_of([order.id])],
    )


def say_what_became_of(order_id: uuid.UUID) -> Answer:
    """Back to the board, with a calm word for somebody who came too late."""
    flash(what_became_of(own_order(order_id), now=utcnow()), "calm")
    return redirect(board_url(), 303)


def _board(now: datetime) -> dict[str, Any]:
    store: StoreEntry = g.store
    to_send, to_receive = transfers.to_send(store.id), transfers.to_receive(store.id)
    owners = orders.get_orders({each.order_id for each in (*to_send, *to_receive)})
    problems = money_problems.at_store(store.id) if member().is_manager else ()
    to_do = orders.open_orders_at(store.id)
    board = present_board(
        store,
        to_do,
        Goods(to_send, to_receive, owners),
        to_put_back=orders.to_put_back_at(store.id),
        problems=problems,
        conflicts=present_conflicts(queries.open_conflicts(store.id), store.timezone, now=now),
        now=now,
    )
    return {"board": board, "has_counter": has_counter(store), "my_round": picking.open_round(member(), to_do)}


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
        raise OrderNotFound(later("This store has no such order."))
    return order


def board_url(anchor: str | None = None) -> str:
    """The address of the board, or of a place on it."""
    return url_for("staff.show_board", _anchor=anchor)
