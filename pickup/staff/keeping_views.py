"""HTTP of the tablet page about bags that stand there: keep one longer, put one back."""

import uuid

from flask import flash, redirect, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.languages import _, later
from pickup.core.pages import Pages, clock
from pickup.staff import keeping
from pickup.staff.errors import MovedOn
from pickup.staff.gate import admit, member
from pickup.staff.views import Answer, board_url, own_order, say_what_became_of

blueprint = Pages(
    "keeping",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.post("/orders/<uuid:order_id>/extend-hold")
def extend_hold(order_id: uuid.UUID) -> Answer:
    """Keep an order longer."""
    who, expected, now = member(), request.form.get("expected", -1, type=int), utcnow()
    try:
        order = in_transaction(lambda: keeping.extend_hold(who, order_id, expected=expected, now=now))
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    until = clock(order.hold_until, own_order(order_id).store.timezone, now)
    flash(_("Order %(number)s is kept until %(time)s.", number=order.number, time=until), "done")
    return redirect(url_for("staff.show_order", order_id=order_id), 303)


@blueprint.post("/orders/<uuid:order_id>/put-back")
def put_back(order_id: uuid.UUID) -> Answer:
    """Say that the goods of a bag lie on the shelf again."""
    who = member()
    order = in_transaction(lambda: keeping.put_back(who, order_id, now=utcnow()))
    flash(_("The goods of order %(number)s are on the shelf again.", number=order.number), "done")
    return redirect(board_url(), 303)
