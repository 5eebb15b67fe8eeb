"""HTTP of orders, for the shop."""

import uuid
from datetime import datetime
from typing import Any

from flask import Response, current_app, request

from pickup.core import idempotency, problems
from pickup.core.api import Blueprint, accepts_headers, refuses, requires, wait_preference
from pickup.core.auth import current_caller
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.errors import DomainError
from pickup.core.pagination import decode_cursor, page
from pickup.core.signals import Waiters
from pickup.core.types import Actor, Money
from pickup.orders import checkout, collectors, confirming, extending, queries, rerouting, service
from pickup.orders.answers import ORDER_ID, created, order_uuid, present_by_id, transfers_by_order
from pickup.orders.basket import Item
from pickup.orders.checkout import NewOrder, Person
from pickup.orders.errors import ActionNotAllowed, OrderNotFound, OutOfStock, PriceChanged
from pickup.orders.lifecycle import BEING_DECIDED
from pickup.orders.models import Order
from pickup.orders.places import read_pickup
from pickup.orders.presenting import present_order, present_past
from pickup.orders.request_schemas import (
    ArrivalSchema,
    ChoiceSchema,
    CollectorSchema,
    HoldExtensionSchema,
    NewOrderSchema,
    OrdersQuery,
)
from pickup.orders.schemas import OrderPageSchema, OrderSchema, OrderWithHistorySchema
from pickup.payments import declines
from pickup.payments import service as payments
from pickup.payments.errors import PaymentDeclined, TooManyDeclines
from pickup.payments.gateway import ChargeView
from pickup.payments.queries import payment_of, payments_of

WAIT_MAX_SECONDS = 10

blueprint = Blueprint(
    "orders",
    __name__,
    url_prefix="/v1/orders",
    description="Place orders and follow them. A key sees the orders of its own client and no others.",
    path_parameters={"order_id": ORDER_ID},
)

IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "required": True,
    "description": "A word of your own for this order, such as a UUID; printable ASCII. Send the same one when you "
    "repeat the request, and a fresh one with each new order.",
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.KEY_MAX_LENGTH},
    "example": "9b2f6c1e-cart-20417",
}
PREFER = {
    "name": "Prefer",
    "description": f"`wait=N` (RFC 7240): hold the answer until the reservation is decided, N seconds at most, and "
    f"never more than {WAIT_MAX_SECONDS}.",
    "schema": {"type": "string"},
    "example": "wait=5",
}


@blueprint.post("")
@requires("shop")
@accepts_headers(IDEMPOTENCY_KEY, PREFER)
@refuses(
    idempotency.IdempotencyKeyMissing,
    idempotency.IdempotencyKeyReused,
    idempotency.RequestInProgress,
    OutOfStock,
    PriceChanged,
    PaymentDeclined,
    TooManyDeclines,
)
@blueprint.arguments(NewOrderSchema)
@blueprint.response(201, OrderSchema)
def place_order(body: dict[str, Any]) -> Response:
    """Place an order.

    It goes to the nearest store that has the whole basket, or can be sent what is missing, costs what the shelf there
    says, and is paid; a worker then reserves the goods. Without `Prefer` the answer comes before that, with the status
    `placed`. Where other stores send something, it is `in_transit` before it is `reserved`: see
    [site to store](/docs#site-to-store).

    Send an `Idempotency-Key`, and the same one when you repeat the request: then however often the request is sent,
    there is one order, one charge, and one answer.
    """
    now, caller = utcnow(), current_caller()
    attempt, payer = idempotency.attempt_of(caller.client_id, request.get_json()), _payer(caller.client_id, body)
    try:
        wanted = _read_order(body)
        opened = in_transaction(lambda: checkout.open_order(wanted, payer, attempt, caller.actor, now=now))
    except DomainError:
        # Only now it matters whether the request is a repetition: what was refused has no effect.
        earlier = idempotency.earlier(attempt, now=now)
        if earlier is None:
            raise
        if earlier.answer is not None:
            return earlier.answer
        opened = checkout.reopen(earlier.subject_id)
        db.session.commit()  # the claim of a request that died is ours now
    view = checkout.ask_gateway(opened.payment)
    seconds = wait_preference(WAIT_MAX_SECONDS)
    if seconds:
        in_transaction(lambda: checkout.settle_order(opened, view, now=now))
        _wait_for_decision(opened.order.id, seconds)
        opened = checkout.reopen(opened.order.id)
        view = None
    return in_transaction(lambda: _settled_answer(opened, view, payer, attempt, now))


@blueprint.get("")
@requires("shop")
@blueprint.arguments(OrdersQuery, location="query")
@blueprint.response(200, OrderPageSchema)
def list_orders(query: dict[str, Any]) -> dict[str, Any]:
    """List your orders, oldest first.

    All of them, or those in one status or of one customer.
    """
    position = decode_cursor(query["after"], str)
    orders = queries.orders_of_client(
        current_caller().client_id,
        status=query["status"],
        customer_email=query["customer_email"],
        after=order_uuid(position[0]) if position else None,
        limit=query["limit"] + 1,
    )
    shown = page(orders, query["limit"], lambda order: (str(order.id),))
    their_payments = payments_of([order.id for order in shown["data"]])
    transfers = transfers_by_order(shown["data"])
    return {
        **shown,
        "data": [
            present_order(order, their_payments[order.id], transfers=transfers[order.id]) for order in shown["data"]
        ],
    }


@blueprint.get("/<order_id>")
@requires("shop")
@refuses(OrderNotFound)
@blueprint.response(200, OrderWithHistorySchema)
def show_order(order_id: str) -> dict[str, Any]:
    """Show an order with its history.

    The history has a step for each change of the status: when, what, from where to where, and by whom. Beside it are
    the `returns`: what came back after it was collected.
    """
    order = queries.get_order(order_uuid(order_id), client_id=current_caller().client_id, with_history=True)
    return {
        **present_order(order, payment_of(order.id), transfers=transfers_by_order([order])[order.id]),
        **present_past(order, queries.returns_of(order)),
    }


@blueprint.post("/<order_id>/cancel")
@requires("shop")
@refuses(OrderNotFound, ActionNotAllowed)
@blueprint.response(200, OrderSchema)
def cancel_order(order_id: str) -> dict[str, Any]:
    """Cancel an order for the customer.

    Possible at any time before it is collected. The goods are free again, and the money is given back. To cancel an
    order that is cancelled already changes nothing.
    """
    return _change(order_id, lambda order, now: _cancel_once(order, now))


@blueprint.post("/<order_id>/payment/confirm")
@requires("shop")
@refuses(OrderNotFound)
@blueprint.response(200, OrderSchema)
def confirm_payment(order_id: str) -> dict[str, Any]:
    """Look whether the customer has done what the bank asked.

    Call it when the customer comes back from the payment's `action`: the gateway is asked, and the answer shows the
    order as it is then, `placed` where the money is held. Without it the gateway's own message does the same, some
    seconds later. To ask again changes nothing.
    """
    order = queries.get_order(order_uuid(order_id), client_id=current_caller().client_id)
    payment = payment_of(order.id)
    db.session.commit()  # nothing is locked while the gateway is asked
    view = payments.look_up(payment) if payment.status in payments.OPEN else None
    in_transaction(lambda: confirming.take_view(payment, view, now=utcnow()))
    return present_by_id(order.id)


@blueprint.put("/<order_id>/collector")
@requires("shop")
@refuses(OrderNotFound, ActionNotAllowed)
@blueprint.arguments(CollectorSchema)
@blueprint.response(200, OrderSchema)
def name_collector(person: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Name somebody else who collects, or take it back.

    The answer has a code and a page of their own at `pickup.collector`; where there is an e-mail address, they get both
    when the order is ready. Replaces whoever was named before, whose code and page are worth nothing from then on; a
    `name` of null names nobody. The same person once more changes nothing. The customer's own code counts at all times.
    """
    named, actor = person if person["name"] else None, Actor("shop", current_caller().name)
    return _change(order_id, lambda order, now: collectors.name_collector(order, named, actor=actor, now=now))


@blueprint.post("/<order_id>/extend-hold")
@requires("shop")
@refuses(OrderNotFound, ActionNotAllowed)
@blueprint.arguments(HoldExtensionSchema)
@blueprint.response(200, OrderSchema)
def extend_hold(asked: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Keep an order longer for the customer.

    `hold_until` becomes the closing time of the last opening that begins within the `days` after the old one. Possible
    while the order is `ready`, as often as the retailer allows, once as a rule, and not for goods that do not keep.
    `allowed_actions` has `extend_hold` as long as it is.
    """
    actor = Actor("shop", current_caller().name)
    return _change(order_id, lambda order, now: extending.extend_hold(order, asked["days"], actor=actor, now=now))


@blueprint.post("/<order_id>/arrival")
@requires("shop")
@refuses(OrderNotFound, ActionNotAllowed)
@blueprint.arguments(ArrivalSchema)
@blueprint.response(200, OrderSchema)
def announce_arrival(arrival: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Say that the customer is at the store.

    The store's tablet shows it at once. The time of the first arrival counts; a later word replaces the earlier.
    """
    return _change(
        order_id,
        lambda order, now: service.arrive(
            order, arrival.get("note"), bay=arrival.get("bay"), car=arrival.get("car"), now=now
        ),
    )


@blueprint.post("/<order_id>/choice")
@requires("shop")
@refuses(OrderNotFound, ActionNotAllowed)
@blueprint.arguments(ChoiceSchema)
@blueprint.response(200, OrderSchema)
def choose(answer: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Answer an offer for the customer.

    Where a store cannot keep its word, the order's `offer` says what there is instead: another store, the same one
    later, or to cancel: see [when the store cannot keep its word](/docs#choices). The customer is asked by mail, too;
    the first answer counts.
    """
    actor = Actor("shop", current_caller().name)
    return _change(order_id, lambda order, now: rerouting.choose(order, answer["choice"], actor=actor, now=now))


def _cancel_once(order: Order, now: datetime) -> None:
    if order.status == "cancelled":  # a repeated request has its effect already
        return
    service.cancel(order, actor=Actor("shop", current_caller().name), reason="customer", now=now)


def _change(order_id: str, change: Any) -> dict[str, Any]:
    client_id, wanted = current_caller().client_id, order_uuid(order_id)

    def work() -> None:
        queries.get_order(wanted, client_id=client_id)
        (order,) = queries.lock_orders([wanted], with_lines=True)
        change(order, utcnow())

    in_transaction(work)
    return present_by_id(wanted)


def _payer(client_id: int, body: dict[str, Any]) -> declines.Payer:
    customer = body["customer"]
    address = customer.get("ip_address")
    return declines.Payer(client_id, request.remote_addr or "", customer["email"], str(address) if address else None)


def _read_order(body: dict[str, Any]) -> NewOrder:
    customer, collector, expected = body["customer"], body["pickup"].get("collector"), body.get("expected_total")
    return NewOrder(
        customer=Person(customer["name"], customer["email"], customer.get("phone")),
        locale=customer["locale"],
        collector=Person(**collector) if collector else None,
        items=[Item(**item) for item in body["items"]],
        pickup=read_pickup(body["pickup"]),
        payment_method=body["payment"]["method"],
        payment_token=body["payment"]["token"],
        expected_total=Money(**expected) if expected else None,
        if_short=body.get("if_short"),
    )


def _wait_for_decision(order_id: uuid.UUID, seconds: int) -> None:
    waiters: Waiters = current_app.extensions["order_waiters"]

    def decided() -> bool:
        status = queries.status_of(order_id)
        db.session.rollback()  # gives the connection back while this thread sleeps
        return status != BEING_DECIDED

    waiters.wait_until(order_id, decided, seconds=seconds)


def _settled_answer(
    opened: checkout.OpenedOrder,
    view: ChargeView | None,
    payer: declines.Payer,
    attempt: idempotency.Attempt,
    now: datetime,
) -> Response:
    """Put the gateway's word into effect, and keep the answer under the idempotency key before anybody sees it."""
    if view is not None and not checkout.settle_order(opened, view, now=now):
        opened = checkout.reopen(opened.order.id)  # somebody else has put it into effect
    if opened.payment.status == "declined":
        too_many = declines.count(payer, now=now)
        response = problems.of(too_many or PaymentDeclined("The customer's bank declined the payment."))
    else:
        transfers = transfers_by_order([opened.order])[opened.order.id]
        response = created(present_order(opened.order, opened.payment, transfers=transfers))
    idempotency.finish(attempt, response, now=utcnow())
    return response
