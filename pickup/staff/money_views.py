"""HTTP of the tablet page about money that does not come by itself: for managers."""

import uuid

from flask import flash, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.languages import _, later
from pickup.core.pages import Pages
from pickup.orders import money_problems
from pickup.orders.service import order_at_store
from pickup.payments.queries import payment_of
from pickup.staff import audit
from pickup.staff.errors import ManagerNeeded
from pickup.staff.gate import admit, member
from pickup.staff.money_cards import present_money
from pickup.staff.returns_views import words_typed
from pickup.staff.views import Answer, board_url, own_order

NOTE_MAX_CHARACTERS = 200
ALREADY_DONE = later("Order %(number)s: nothing is wrong with the money any more.")
TRIED_AGAIN = later("Order %(number)s: the bank is asked once more. If it refuses again, the order comes back here.")
SETTLED = later("Order %(number)s: noted as settled otherwise.")

blueprint = Pages(
    "money",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.before_request
def require_manager() -> None:
    """What is missing, and from whom, is a manager's business."""
    if not member().is_manager:
        raise ManagerNeeded(later("This is about money: a manager has to sign in for it."))


@blueprint.post("/orders/<uuid:order_id>/money/try-again")
def try_again(order_id: uuid.UUID) -> Answer:
    """Have the gateway asked once more."""
    who, now = member(), utcnow()

    def work() -> bool:
        order = order_at_store(order_id, who.store_id)
        audit.record(who, "money_try_again", order_id=order_id, now=now)
        return money_problems.try_again(order, actor=who.actor, now=now)

    return _say(order_id, TRIED_AGAIN if in_transaction(work) else ALREADY_DONE)


@blueprint.get("/orders/<uuid:order_id>/money")
def ask_how_settled(order_id: uuid.UUID) -> Answer:
    """Ask for a note, and say what follows."""
    return _ask(order_id)


@blueprint.post("/orders/<uuid:order_id>/money")
def settle_otherwise(order_id: uuid.UUID) -> Answer:
    """Note that the money came, or went back, some other way."""
    who, now, note = member(), utcnow(), words_typed("note", NOTE_MAX_CHARACTERS)
    if note is None:
        return _ask(order_id, error=_("Say how it was settled."))

    def work() -> bool:
        order = order_at_store(order_id, who.store_id)
        audit.record(who, "money_settled_otherwise", order_id=order_id, now=now, note=note)
        return money_problems.settle_otherwise(order, note, actor=who.actor, now=now)

    return _say(order_id, SETTLED if in_transaction(work) else ALREADY_DONE)


def _ask(order_id: uuid.UUID, *, error: str = "") -> Answer:
    order = own_order(order_id)
    problem = money_problems.problem_of(order, payment_of(order_id))
    if problem is None:
        return _say(order_id, ALREADY_DONE)
    card = present_money(problem, now=utcnow())
    return render_template("staff/money.html", card=card, error=error, note_max=NOTE_MAX_CHARACTERS)


def _say(order_id: uuid.UUID, words: str) -> BaseResponse:
    flash(_(words, number=own_order(order_id).number), "calm" if words is ALREADY_DONE else "done")
    return redirect(board_url(), 303)
