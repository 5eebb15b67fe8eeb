"""HTTP of the customer's pickup page. Its address is its key, and knowing it is being allowed to see it."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.pages import Pages
from pickup.core.schemas import text_problem
from pickup.customer import service as decisions
from pickup.customer.presenting import IF_SHORT_WORDS, present_page
from pickup.orders import queries, service
from pickup.orders.errors import ActionNotAllowed, OrderNotFound
from pickup.orders.models import Order
from pickup.payments.queries import payment_of

NOTE_MAX_CHARACTERS = 200
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

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
    page = present_page(order, payment_of(order.id), now=utcnow())
    return render_template(
        "customer/order.html", token=token, store=order.store, page=page, if_short_words=IF_SHORT_WORDS
    )


@blueprint.post("/<token>/arrival")
def arrive(token: str) -> Answer:
    """Tell the store that the customer is there."""
    note = " ".join(request.form.get("note", "").split())[:NOTE_MAX_CHARACTERS]
    words = note if note and not text_problem(note) else None
    return _change(token, lambda order, now: service.arrive(order, words, now=now))


@blueprint.post("/<token>/choice")
def choose(token: str) -> Answer:
    """Answer what is offered instead of what was promised."""
    choice, until = request.form.get("choice", ""), request.form.get("until", "")
    return _change(token, lambda order, now: decisions.choose(order, choice, until=until, now=now))


@blueprint.post("/<token>/if-short")
def say_if_short(token: str) -> Answer:
    """Say what to do if not everything is found."""
    wish = request.form.get("wish", "")
    return _change(token, lambda order, now: decisions.say_if_short(order, wish), done=("Saved.", "if_short"))


@blueprint.get("/<token>/cancel")
def ask_to_cancel(token: str) -> Answer:
    """Ask once more, for there is no way back."""
    order = _order(token)
    page = present_page(order, payment_of(order.id), now=utcnow())
    if not page.can_cancel:
        return redirect(url_for("customer.show", token=token), 303)
    return render_template("customer/cancel.html", token=token, page=page)


@blueprint.post("/<token>/cancel")
def cancel(token: str) -> Answer:
    """Call the order off."""
    return _change(
        token, lambda order, now: service.cancel(order, actor=decisions.CUSTOMER, reason="customer", now=now)
    )


def _change(token: str, change: Callable[[Order, datetime], None], *, done: tuple[str, str] | None = None) -> Answer:
    """Take a step with the order and show what is; if it has gone on meanwhile, what is says so.

    Args:
        done: a word to say where the step alone cannot be seen, and its place.
    """

    def work() -> None:
        (order,) = queries.lock_orders([_order(token).id], with_lines=True)
        change(order, utcnow())

    with suppress(ActionNotAllowed):
        in_transaction(work)
        if done:
            flash(*done)
    return redirect(url_for("customer.show", token=token), 303)


def _order(token: str) -> Order:
    # What cannot be a token is not asked of the database, which has no words for some of it (NUL).
    if not TOKEN.fullmatch(token):
        raise OrderNotFound("This link is not valid.")
    return queries.order_by_page_token(token)
