"""HTTP of the tablet page about goods that customers bring back."""

import uuid

from flask import flash, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.core.languages import _, later
from pickup.core.pages import Pages
from pickup.core.schemas import text_problem
from pickup.orders.basket import Item
from pickup.orders.models import Order
from pickup.orders.request_schemas import REASON_MAX_CHARACTERS
from pickup.payments.queries import payment_of
from pickup.staff import goods, outcomes
from pickup.staff.errors import MovedOn
from pickup.staff.gate import admit, member
from pickup.staff.views import Answer, own_order, say_what_became_of

NOTHING_CHOSEN = later("Nothing was taken back. Say how many of what came back.")
ALREADY_DONE = later("That was taken back already.")

blueprint = Pages(
    "taking_back",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)
blueprint.before_request(admit)


@blueprint.post("/orders/<uuid:order_id>/returns")
def take_back(order_id: uuid.UUID) -> Answer:
    """Take goods of a collected order back."""
    order, who, now = own_order(order_id), member(), utcnow()
    items, expected = _items(order, request.form), request.form.get("expected", -1, type=int)
    reason, restock = words_typed("reason", REASON_MAX_CHARACTERS), "restock" in request.form
    try:
        taken = in_transaction(
            lambda: goods.take_back(who, order_id, items, expected=expected, restock=restock, reason=reason, now=now)
        )
    except MovedOn as refusal:
        return say_what_became_of(refusal.order_id)
    except InvalidFields as refusal:
        why = refusal.errors[0].detail
        flash(_("Nothing was taken back: %(why)s.", why=why) if items else _(NOTHING_CHOSEN), "calm")
    else:
        words = outcomes.after_return(order, taken, payment_of(order_id)) if taken else _(ALREADY_DONE)
        flash(words, "done" if taken else "calm")
    return redirect(url_for("staff.show_order", order_id=order_id), 303)


def words_typed(field: str, max_characters: int) -> str | None:
    """A line that somebody typed, without what cannot be kept; None where there is nothing."""
    words = " ".join(request.form.get(field, "").split())[:max_characters]
    return words if words and not text_problem(words) else None


def _items(order: Order, form: MultiDict[str, str]) -> list[Item]:
    """What was typed beside the lines; a line without a number does not come back."""
    typed = {line.product.sku: form.get(f"units-{line.product_id}", 0, type=int) for line in order.lines}
    return [Item(sku, units) for sku, units in typed.items() if units]
