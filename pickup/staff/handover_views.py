"""HTTP of the tablet page at the handover: a code, what is not taken, and the questions that come before the goods."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.core.languages import _, gettext, later
from pickup.core.pages import Pages
from pickup.orders.errors import PickupCodeLocked
from pickup.orders.models import Order
from pickup.orders.pickup_code import normalise
from pickup.staff import handover, outcomes, presenting, signing
from pickup.staff.errors import AgeNotChecked, CodeEntryLocked, MovedOn, NotSigned
from pickup.staff.gate import admit, member
from pickup.staff.signing import Signed
from pickup.staff.too_late import what_became_of
from pickup.staff.views import Answer, board_url, own_order, say_what_became_of

TYPED_MAX_CHARACTERS = 40
# What a question page does not hand on: it is asked or made anew.
ASKED_ANEW = ("csrf_token", "age_checked", "signature", "on_paper")

blueprint = Pages(
    "handover",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a handover is tried, and what is said where it does not come to that."""

    attempt: Callable[[str], uuid.UUID | None]
    """With the typed code; None where it is a wrong one, which has been counted."""
    wrong_words: Callable[[str], str]
    refuse: Callable[[str, str], Answer]
    """With the words and what was typed."""
    back: str
    too_late: Callable[[uuid.UUID], Answer]


@blueprint.post("/hand-over")
def hand_over_by_code() -> Answer:
    """Give the goods to whoever has a code of this store."""

    def attempt(typed: str) -> uuid.UUID | None:
        return handover.hand_over_by_code(member(), typed, age_checked=_age_checked(), signed=_signed(), now=utcnow())

    return _hand_over(
        _Way(
            attempt,
            wrong_words=lambda typed: _("No order here has the code %(code)s.", code=normalise(typed)),
            refuse=lambda words, typed: _back_with(words, typed, board_url()),
            back=board_url(),
            too_late=_open_if_collected,
        )
    )


@blueprint.post("/orders/<uuid:order_id>/hand-over")
def hand_over(order_id: uuid.UUID) -> Answer:
    """Give one order to whoever has its code."""
    back = url_for("staff.show_order", order_id=order_id)
    return _hand_over(_own_way(order_id, {}, back, lambda words, typed: _back_with(words, typed, back)))


@blueprint.get("/orders/<uuid:order_id>/part")
def ask_what_is_taken(order_id: uuid.UUID) -> Answer:
    """Ask what of an order is not taken."""
    order = own_order(order_id)
    return _ask_part(order, {}) if order.status == "ready" else say_what_became_of(order_id)


@blueprint.post("/orders/<uuid:order_id>/part")
def hand_over_part(order_id: uuid.UUID) -> Answer:
    """Give one order, without what is not taken, to whoever has its code."""
    order = own_order(order_id)
    refused = {line.product_id: _units(f"refused-{line.product_id}") for line in order.lines}

    def refuse(words: str, typed: str) -> Answer:
        _keep_for_the_field(words, typed)
        return _ask_part(own_order(order_id), refused)

    try:
        return _hand_over(_own_way(order_id, refused, url_for("handover.ask_what_is_taken", order_id=order_id), refuse))
    except InvalidFields as refusal:
        words = _("Nothing was handed over: %(why)s.", why=refusal.errors[0].detail)
        return refuse(words, request.form.get("code", ""))


def _own_way(order_id: uuid.UUID, refused: Mapping[int, int], back: str, refuse: Callable[[str, str], Answer]) -> _Way:
    def attempt(typed: str) -> uuid.UUID | None:
        done = handover.hand_over(
            member(), order_id, typed, age_checked=_age_checked(), refused=refused, signed=_signed(), now=utcnow()
        )
        return order_id if done else None

    return _Way(
        attempt,
        wrong_words=lambda typed: presenting.wrong_code_words(own_order(order_id)),
        refuse=refuse,
        back=back,
        too_late=say_what_became_of,
    )


def _hand_over(way: _Way) -> Answer:
    """Try a typed code, and say what came of it: handed over, a question first, or a refusal and why."""
    typed = request.form.get("code", "").strip()[:TYPED_MAX_CHARACTERS]
    if not normalise(typed):
        return way.refuse(_("Type the code that the customer has."), typed)
    try:
        order_id = in_transaction(lambda: way.attempt(typed))
    except AgeNotChecked as question:
        return _ask("age", question.order_id, way.back, minimum_age=question.minimum_age)
    except NotSigned as question:
        return _ask("signature", question.order_id, way.back, unreadable="signature" in request.form)
    except MovedOn as refusal:
        return way.too_late(refusal.order_id)
    except (CodeEntryLocked, PickupCodeLocked) as locked:
        return way.refuse(gettext(locked.detail), typed)
    if order_id is None:
        return way.refuse(way.wrong_words(typed), typed)
    order = own_order(order_id)
    if order.status == "cancelled":
        flash(outcomes.after_nothing_taken(order), "done")
        return redirect(board_url(), 303)
    return redirect(url_for("staff.show_board", handed_over=order_id), 303)


def _ask(question: str, order_id: uuid.UUID, back: str, **values: object) -> Answer:
    """A question that comes before the goods; its page sends again what was sent, with the answer."""
    card = presenting.present_card(own_order(order_id), now=utcnow())
    kept = [(name, text) for name, text in request.form.items(multi=True) if name not in ASKED_ANEW]
    if question == "signature" and _age_checked():
        kept.append(("age_checked", "yes"))
    return render_template(f"staff/{question}.html", card=card, kept=kept, back=back, **values)


def _units(field: str) -> int:
    """What was typed; nothing is none. What is no number is -1, which is refused: it must not become `all taken`."""
    typed = request.form.get(field, "").strip()
    return request.form.get(field, -1, type=int) if typed else 0


def _ask_part(order: Order, refused: Mapping[int, int]) -> Answer:
    card = presenting.present_card(order, now=utcnow())
    return render_template("staff/part.html", card=card, refused=refused)


def _age_checked() -> bool:
    return "age_checked" in request.form


def _signed() -> Signed | None:
    """On paper is what somebody has tapped; what is drawn beside it does not count."""
    return signing.ON_PAPER if "on_paper" in request.form else signing.read(request.form.get("signature", ""))


def _back_with(words: str, typed: str, back: str) -> Answer:
    _keep_for_the_field(words, typed)
    return redirect(back, 303)


def _keep_for_the_field(words: str, typed: str) -> None:
    flash(words, "wrong_code")
    flash(typed, "typed_code")


def _open_if_collected(order_id: uuid.UUID) -> Answer:
    """A customer who has been here before, and now shows the code again, brings something back."""
    order = own_order(order_id)
    if order.status != "collected":
        return say_what_became_of(order_id)
    flash(what_became_of(order, now=utcnow()), "calm")
    return redirect(url_for("staff.show_order", order_id=order_id), 303)
