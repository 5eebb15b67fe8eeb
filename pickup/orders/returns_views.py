"""HTTP of returns, for the shop."""

from typing import Any

from flask import Response, request

from pickup.core import idempotency
from pickup.core.api import Blueprint, accepts_headers, refuses, requires
from pickup.core.auth import current_caller
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.orders import queries, returns
from pickup.orders.answers import ORDER_ID, created, order_uuid, present_by_id
from pickup.orders.basket import Item
from pickup.orders.errors import ActionNotAllowed, OrderNotFound
from pickup.orders.request_schemas import NewReturnSchema
from pickup.orders.schemas import OrderSchema

blueprint = Blueprint(
    "returns",
    __name__,
    url_prefix="/v1/orders",
    description="Take back goods of orders that were collected.",
    path_parameters={"order_id": ORDER_ID},
)

IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "required": False,
    "description": "A word of your own for this return; printable ASCII. With it, however often the request is sent, "
    "the goods come back once. Without it, each request is a return of its own.",
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.KEY_MAX_LENGTH},
    "example": "9b2f6c1e-return-1",
}


@blueprint.post("/<order_id>/returns")
@requires("shop")
@accepts_headers(IDEMPOTENCY_KEY)
@refuses(OrderNotFound, ActionNotAllowed, idempotency.IdempotencyKeyReused, idempotency.RequestInProgress)
@blueprint.arguments(NewReturnSchema)
@blueprint.response(201, OrderSchema)
def return_goods(body: dict[str, Any], order_id: str) -> Response:
    """Take goods back.

    Of an order that was `collected`, as many units of each SKU as were handed over and have not come back. The customer
    gets what they paid for them: `returned` says how much that is, `payment.refunded` how much of it the gateway has
    confirmed, some seconds later. With `restock` the goods are on the shelf of the order's store again.

    Send an `Idempotency-Key`, and the same one when you repeat the request: then an answer that got lost returns
    nothing twice.
    """
    now, caller, wanted = utcnow(), current_caller(), order_uuid(order_id)
    attempt = idempotency.attempt_if_keyed(caller.client_id, request.get_json())

    def work() -> Response:
        queries.get_order(wanted, client_id=caller.client_id)
        (order,) = queries.lock_orders([wanted], with_lines=True)
        returns.take_back(
            order,
            [Item(**item) for item in body["items"]],
            actor=caller.actor,
            restock=body["restock"],
            reason=body.get("reason"),
            now=now,
        )
        return created(present_by_id(wanted))

    return in_transaction(lambda: idempotency.once(attempt, work, subject_id=wanted, now=now))
