"""HTTP of the tablet page while orders are picked: rounds, counting, where the bag stands, and that it is ready."""

import uuid

from flask import flash, jsonify, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.core.languages import _, later
from pickup.core.pages import Pages
from pickup.orders import queries as orders
from pickup.staff import outcomes, picking, presenting, queries, service
from pickup.staff.errors import MovedOn, NotCounted
from pickup.staff.gate import admit, member
from pickup.staff.picking import Count
from pickup.staff.returns_views import words_typed
from pickup.staff.rounds import Round, present_round
from pickup.staff.slips import present_slip
from pickup.staff.views import Answer, board_url, own_order, say_what_became_of

# So many orders are chosen already, where somebody picks several: what fits on a trolley.
CHOSEN_AT_FIRST = 6
SCANNED_MAX_CHARACTERS = 100

blueprint = Pages(
    "picking",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.post("/orders/<uuid:order_id>/start-picking")
def start_picking(order_id: uuid.UUID) -> Answer:
    """Take an order on, and stay with it."""
    who = member()
    try:
        order = in_transaction(lambda: service.start_picking(who, order_id, now=utcnow()))
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    flash(_("You are picking order %(number)s.", number=order.number), "done")
    return redirect(board_url(f"order-{order.number}"), 303)


@blueprint.post("/orders/<uuid:order_id>/ready")
def mark_ready(order_id: uuid.UUID) -> Answer:
    """Say that an order stands ready, and where; back to the round, if others of it are still being picked."""
    who, place, is_sure = member(), words_typed("place", picking.PLACE_MAX_CHARACTERS), "sure" in request.form
    try:
        order = in_transaction(lambda: service.mark_ready(who, order_id, place=place, is_sure=is_sure, now=utcnow()))
    except NotCounted as question:
        card = presenting.present_card(own_order(order_id), now=utcnow())
        return render_template("staff/not_counted.html", card=card, missing=question.missing, place=place)
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    said = _("Order %(number)s is ready. %(name)s gets a message.", number=order.number, name=order.customer_name)
    flash(said, "done")
    return redirect(_after_ready(order.wave_id), 303)


@blueprint.get("/waves/new")
def choose_orders() -> Answer:
    """Ask which orders to pick together; those that are promised first are chosen already."""
    now = utcnow()
    waiting = [order for order in orders.open_orders_at(member().store_id) if order.status == "reserved"]
    cards = [presenting.present_card(order, now=now) for order in waiting]
    return render_template(
        "staff/choose_orders.html", cards=cards, chosen=CHOSEN_AT_FIRST, orders_max=picking.ORDERS_MAX
    )


@blueprint.post("/waves")
def start_round() -> Answer:
    """Take several orders on together."""
    who, chosen = member(), request.form.getlist("order", type=uuid.UUID)
    try:
        round_ = in_transaction(lambda: picking.start_round(who, chosen, now=utcnow()))
    except InvalidFields:
        flash(_("Choose 1 to %(most)s orders.", most=picking.ORDERS_MAX), "calm")
        return redirect(url_for("picking.choose_orders"), 303)
    if round_.left_out:
        flash(outcomes.left_out_of_round([order.number for order in round_.left_out]), "calm")
    if round_.wave_id is None:
        return redirect(board_url(), 303)
    return redirect(url_for("picking.show_round", wave_id=round_.wave_id), 303)


@blueprint.get("/waves/<uuid:wave_id>")
def show_round(wave_id: uuid.UUID) -> Answer:
    """The pick list of a round."""
    places = queries.places_in_use(member().store_id)
    return render_template("staff/round.html", round=_round(wave_id), places=places)


@blueprint.get("/waves/<uuid:wave_id>/list")
def refresh_round(wave_id: uuid.UUID) -> Answer:
    """Only the list, for the page to put in place of the old one."""
    return render_template("staff/_round.html", round=_round(wave_id))


@blueprint.post("/waves/<uuid:wave_id>/pick")
def pick(wave_id: uuid.UUID) -> Answer:
    """Count something: by a button of the list, or by what was scanned or typed.

    A script that asks for JSON gets what to say, how it sounds, and the list as it is now.
    """
    count = in_transaction(lambda: _count(wave_id))
    shown = _round(wave_id)
    words = outcomes.after_counting(count, shown, request.form.get("scanned", ""))
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        html = render_template("staff/_round.html", round=shown)
        return jsonify(outcome=count.outcome, words=words, html=html)
    flash(words, "done" if count.outcome in ("counted", "taken_out") else "calm")
    anchor = f"item-{count.product_id}" if count.product_id else None
    return redirect(url_for("picking.show_round", wave_id=wave_id, _anchor=anchor), 303)


@blueprint.post("/orders/<uuid:order_id>/place")
def set_place(order_id: uuid.UUID) -> Answer:
    """Say where a bag stands."""
    who, place = member(), words_typed("place", picking.PLACE_MAX_CHARACTERS)
    try:
        order = in_transaction(lambda: picking.set_place(who, order_id, place, now=utcnow()))
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    flash(outcomes.after_placing(order), "done")
    return redirect(url_for("staff.show_order", order_id=order_id), 303)


@blueprint.get("/orders/<uuid:order_id>/slip")
def show_slip(order_id: uuid.UUID) -> Answer:
    """What lies in the bag, to print, as often as it is wanted."""
    return render_template("staff/slip.html", slip=present_slip(own_order(order_id), now=utcnow()))


def _round(wave_id: uuid.UUID) -> Round:
    found = picking.orders_in_round(member(), wave_id)
    return present_round(wave_id, found, member().store_id, now=utcnow())


def _count(wave_id: uuid.UUID) -> Count:
    """What a button names (`pick`: order, product, change, units expected), or what was scanned."""
    who, now = member(), utcnow()
    button = request.form.get("pick")
    if button is None:
        scanned = request.form.get("scanned", "").strip()[:SCANNED_MAX_CHARACTERS]
        return picking.scan(who, wave_id, scanned, expected=request.form.get("expected", type=int), now=now)
    order_id, product_id, change, expected = _read_button(button)
    return picking.count(who, order_id, product_id, change, expected=expected, now=now)


def _read_button(text: str) -> tuple[uuid.UUID, int, int, int]:
    try:
        order_id, product_id, change, expected = text.split(" ")
        read = uuid.UUID(order_id), int(product_id), int(change), int(expected)
    except ValueError:
        raise InvalidFields.at("/pick", "is not what a button of the list says") from None
    if read[2] not in (1, -1):
        raise InvalidFields.at("/pick", "changes a count by one")
    return read


def _after_ready(wave_id: uuid.UUID | None) -> str:
    """Where somebody goes on: with the round, if they came from it and it is not done."""
    if wave_id and request.form.get("from") == "round" and _round(wave_id).open_bags:
        return url_for("picking.show_round", wave_id=wave_id)
    return board_url()
