"""HTTP of the customer's pickup page. Its address is its key, and knowing it is being allowed to see it."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.pages import Pages
from pickup.core.schemas import text_problem
from pickup.core.types import Actor
from pickup.customer.presenting import present_page
from pickup.orders import queries, service
from pickup.orders.errors import ActionNotAllowed, OrderNotFound
from pickup.orders.models import Order

NOTE_MAX_CHARACTERS = 200
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
CUSTOMER = Actor("customer")

blueprint = Pages("customer", __name__, url_prefix="/p")

Answer = str | Response | BaseResponse


@blueprint.errorhandler(OrderNotFound)
def say_unknown(error: OrderNotFound) -> Response:
    """A link that leads nowhere: cut off by a mail program, most likely."""
    return make_response(render_template("customer/unknown.html"), 404)


@blueprint.get("/<token>")
def show(token: str) -> Answer:
    """What is going on with the order, where and until when."""
    order = _order(token)
    return render_template(
        "customer/order.html", token=token, store=order.store, page=present_page(order, now=utcnow())
    )


@blueprint.post("/<token>/arrival")
def arrive(token: str) -> Answer:
    """Tell the store that the customer is there."""
    note = " ".join(request.form.get("note", "").split())[:NOTE_MAX_CHARACTERS]
    words = note if note and not text_problem(note) else None
    return _change(token, lambda order, now: service.arrive(order, words, now=now))


@blueprint.get("/<token>/cancel")
def ask_to_cancel(token: str) -> Answer:
    """Ask once more, for there is no way back."""
    page = present_page(_order(token), now=utcnow())
    if not page.can_cancel:
        return redirect(url_for("customer.show", token=token), 303)
    return render_template("customer/cancel.html", token=token, page=page)


@blueprint.post("/<token>/cancel")
def cancel(token: str) -> Answer:
    """Call the order off."""
    return _change(token, lambda order, now: service.cancel(order, actor=CUSTOMER, reason="customer", now=now))


def _change(token: str, change: Callable[[Order, datetime], None]) -> Answer:
    """Take a step with the order and show what is; if it has gone on meanwhile, what is says so."""

    def work() -> None:
        change(queries.lock_order(_order(token).id), utcnow())

    with suppress(ActionNotAllowed):
        in_transaction(work)
    return redirect(url_for("customer.show", token=token), 303)


def _order(token: str) -> Order:
    # What cannot be a token is not asked of the database, which has no words for some of it (NUL).
    if not TOKEN.fullmatch(token):
        raise OrderNotFound("This link is not valid.")
    return queries.order_by_page_token(token)
