"""HTTP of the customer's pickup page. Its address is its key, and knowing it is being allowed to see it."""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from pickup.core import language_choice
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.languages import _, later, spoken
from pickup.core.pages import Pages
from pickup.customer import arriving, calendar
from pickup.customer import service as decisions
from pickup.customer.collecting import present_collector_page
from pickup.customer.planning import calendar_entry
from pickup.customer.presenting import IF_SHORT_WORDS, present_page
from pickup.customer.receipt import present_receipt
from pickup.orders import collectors, queries, service
from pickup.orders.errors import ActionNotAllowed, OrderNotFound
from pickup.orders.models import Order
from pickup.orders.presenting import collector_url, page_url
from pickup.orders.request_schemas import PersonSchema
from pickup.payments.queries import payment_of

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

PERSON = PersonSchema()
PERSON_WORDS = {
    "name": later("Please say who collects, in one line."),
    "email": later("That is not an e-mail address."),
    "phone": later("That is not a telephone number."),
}

blueprint = Pages("customer", __name__, url_prefix="/p", is_translated=True)

Answer = str | Response | BaseResponse


@blueprint.errorhandler(OrderNotFound)
def say_unknown(error: OrderNotFound) -> Response:
    """A link that leads nowhere: cut off by a mail program, most likely."""
    return make_response(render_template("customer/unknown.html"), 404)


@blueprint.get("/<token>")
def show(token: str) -> Answer:
    """What is going on with the order, where and until when; to a collector no more than they need."""
    order, now = _order(token, for_collector=True), utcnow()
    if token != order.page_token:
        theirs = present_collector_page(order, now=now)
        return _unless_known(theirs, "customer/collector.html", token=token, store=order.store)
    page = present_page(order, payment_of(order.id), now=now)
    return _unless_known(page, "customer/order.html", token=token, store=order.store, if_short_words=IF_SHORT_WORDS)


def _unless_known(page: Any, template: str, **values: Any) -> Response:
    """The page; or, where the browser has it already, no more than that."""
    values |= {"page": page, "within_words": arriving.WITHIN_WORDS}
    state = hashlib.sha256(f"{page}{values['store'].ref}{spoken().code}".encode()).hexdigest()[:16]
    if state in request.if_none_match:
        response = Response(status=304)
    else:
        response = make_response(render_template(template, state=state, **values))
    response.set_etag(state)
    return response


@blueprint.post("/<token>/on-the-way")
def set_out(token: str) -> Answer:
    """Tell the store that somebody is coming."""
    within = arriving.read_within(request.form)
    return _change(token, lambda order, now: service.set_out(order, within, now=now), for_collector=True)


@blueprint.post("/<token>/arrival")
def arrive(token: str) -> Answer:
    """Tell the store that somebody is there."""
    place = arriving.read_place(request.form)
    return _change(token, lambda order, now: service.arrive(order, now=now, **place), for_collector=True)


@blueprint.get("/<token>/collector")
def ask_for_collector(token: str) -> Answer:
    """Ask who collects: on a page of its own, which nothing renews while somebody types."""
    return _collector_form(token, dict.fromkeys(PERSON_WORDS, ""), {})


@blueprint.post("/<token>/collector")
def name_collector(token: str) -> Answer:
    """Name somebody else who collects."""
    typed = {name: request.form.get(name, "").strip() for name in ("name", "email", "phone")}
    try:
        person: Mapping[str, Any] = PERSON.load({name: words for name, words in typed.items() if words})
    except ValidationError as error:
        wrong = {name: _(PERSON_WORDS[name]) for name in error.messages_dict}
        return make_response(_collector_form(token, typed, wrong), 422)
    return _change(
        token,
        lambda order, now: collectors.name_collector(order, person, actor=decisions.CUSTOMER, now=now),
        anchor="collector",
    )


def _collector_form(token: str, typed: Mapping[str, str], wrong: Mapping[str, str]) -> Answer:
    order = _order(token)
    page = present_page(order, payment_of(order.id), now=utcnow())
    if not page.can_name_collector:
        return redirect(url_for("customer.show", token=token), 303)
    return render_template("customer/name_collector.html", token=token, page=page, typed=typed, wrong=wrong)


@blueprint.post("/<token>/collector/take-back")
def take_collector_back(token: str) -> Answer:
    """Nobody else collects any more."""
    return _change(
        token,
        lambda order, now: collectors.name_collector(order, None, actor=decisions.CUSTOMER, now=now),
        done=(later("Taken back. The other code does not count any more."), "collector"),
        anchor="collector",
    )


@blueprint.get("/<token>/pickup.ics")
def show_calendar_entry(token: str) -> Answer:
    """The pickup, for the customer's calendar."""
    order, now = _order(token, for_collector=True), utcnow()
    url = collector_url(order) if token == order.collector_token else page_url(order)
    entry = calendar_entry(order, url or "", now=now)
    if entry is None:
        return redirect(url_for("customer.show", token=token), 303)
    response = Response(calendar.write(entry, now=now), content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = f'inline; filename="order-{order.number}.ics"'
    return response


@blueprint.get("/<token>/receipt")
def show_receipt(token: str) -> Answer:
    """What was paid, once it is collected."""
    order = _order(token)
    if order.status != "collected":
        return redirect(url_for("customer.show", token=token), 303)
    receipt = present_receipt(order, payment_of(order.id), queries.returns_of(order))
    return render_template("customer/receipt.html", token=token, store=order.store, receipt=receipt)


@blueprint.post("/<token>/choice")
def choose(token: str) -> Answer:
    """Answer what is offered instead of what was promised."""
    choice, until = request.form.get("choice", ""), request.form.get("until", "")
    return _change(token, lambda order, now: decisions.choose(order, choice, until=until, now=now))


@blueprint.post("/<token>/if-short")
def say_if_short(token: str) -> Answer:
    """Say what to do if not everything is found."""
    wish = request.form.get("wish", "")
    return _change(token, lambda order, now: decisions.say_if_short(order, wish), done=(later("Saved."), "if_short"))


@blueprint.post("/<token>/keep-longer")
def keep_longer(token: str) -> Answer:
    """Have the goods kept for some days more."""
    expected = request.form.get("expected", -1, type=int)
    return _change(
        token,
        lambda order, now: decisions.keep_longer(order, expected, now=now),
        done=(later("Kept longer for you."), "kept"),
    )


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


def _change(
    token: str,
    change: Callable[[Order, datetime], None],
    *,
    done: tuple[str, str] | None = None,
    anchor: str | None = None,
    for_collector: bool = False,
) -> Answer:
    """Take a step with the order and show what is; if it has gone on meanwhile, what is says so.

    Args:
        done: a word to say where the step alone cannot be seen, and its place.
        anchor: the place of the page to come back to.
        for_collector: whether a collector may take the step, too.
    """

    def work() -> None:
        found = _order(token, for_collector=for_collector)
        (order,) = queries.lock_orders([found.id], with_lines=True)
        if token not in (order.page_token, order.collector_token):  # taken back, just now
            raise OrderNotFound("This link is not valid.")
        change(order, utcnow())

    with suppress(ActionNotAllowed):
        in_transaction(work)
        if done:
            flash(_(done[0]), done[1])
    return redirect(url_for("customer.show", token=token, _anchor=anchor), 303)


def _order(token: str, *, for_collector: bool = False) -> Order:
    # What cannot be a token is not asked of the database, which has no words for some of it (NUL).
    if not TOKEN.fullmatch(token):
        raise OrderNotFound("This link is not valid.")
    order = queries.order_by_page_token(token, for_collector=for_collector)
    if token == order.page_token:
        language_choice.prefer(order.locale)
    return order
