"""HTTP of the sandbox's bank. Its address is its key, as with the customer's page."""

import re
import uuid

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.pages import Pages, money
from pickup.orders import confirming, queries
from pickup.payments import queries as payment_queries
from pickup.payments.errors import PaymentNotFound
from pickup.payments.models import Payment
from pickup.payments.sandbox import SandboxGateway

blueprint = Pages("bank", __name__, url_prefix="/bank", static_folder=None)

# A path, and no other host: two slashes, or a backslash that browsers take for one, would lead there.
PATH_HERE = re.compile(r"/[A-Za-z0-9_-][A-Za-z0-9_/-]*")

Answer = str | BaseResponse


@blueprint.get("/<uuid:key>")
def show(key: uuid.UUID) -> Answer:
    """Ask the customer; or, where that is done, go on to the order."""
    payment = _payment(key)
    if payment.status != "requires_action":
        return _to_the_order(payment)
    return render_template("bank/confirm.html", total=money(payment.amount, payment.currency))


@blueprint.post("/<uuid:key>")
def answer(key: uuid.UUID) -> Answer:
    """The customer has confirmed, or refused."""
    payment = _payment(key)
    db.session.commit()  # nothing is locked while a gateway is asked, not even this one
    view = SandboxGateway().answer_action(key, is_confirmed=request.form.get("answer") == "confirm")
    in_transaction(lambda: confirming.take_view(payment, view, now=utcnow()))
    return _to_the_order(payment)


def _payment(key: uuid.UUID) -> Payment:
    """A payment of the sandbox.

    Raises:
        PaymentNotFound: there is none.
    """
    payment = payment_queries.payments_by_id([key]).get(key)
    if payment is None or payment.method != "sandbox":
        raise PaymentNotFound("The sandbox's bank knows of no such payment.")
    return payment


def _to_the_order(payment: Payment) -> Answer:
    """Back to the shop, if it has said where that is (`?return_to=/path`, here and nowhere else); or to the order."""
    back = request.args.get("return_to", "")
    if PATH_HERE.fullmatch(back):
        return redirect(back, 303)
    order = queries.get_order(payment.order_id)
    return redirect(url_for("customer.show", token=order.page_token), 303)
