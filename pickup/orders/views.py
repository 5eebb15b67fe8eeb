"""HTTP of orders, for the shop."""

import uuid
from datetime import datetime
from typing import Any

from flask import Response, current_app, jsonify, request

from pickup.core import idempotency
from pickup.core.api import Blueprint, refuses, requires, wait_preference
from pickup.core.auth import current_caller
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.pagination import decode_cursor, page
from pickup.core.signals import Waiters
from pickup.core.types import Actor, Money
from pickup.orders import checkout, queries, service
from pickup.orders.basket import Item
from pickup.orders.checkout import NewOrder, Person
from pickup.orders.errors import OrderNotFound
from pickup.orders.lifecycle import UNDECIDED
from pickup.orders.models import Order
from pickup.orders.places import read_pickup
from pickup.orders.presenting import present_order
from pickup.orders.schemas import (
    ArrivalSchema,
    NewOrderSchema,
    OrderPageSchema,
    OrderSchema,
    OrdersQuery,
    OrderWithHistorySchema,
    PersonSchema,
)
from pickup.payments.errors import PaymentDeclined
from pickup.payments.service import payment_of, payments_of

WAIT_MAX_SECONDS = 10

blueprint = Blueprint("orders", __name__, url_prefix="/v1/orders", description="Place orders and follow them.")

_ORDER = OrderSchema()


@blueprint.post("")
@requires("shop")
@refuses(400, 402, 409, 415, 422, 503)
@blueprint.arguments(NewOrderSchema, examples=None)
@blueprint.response(201, OrderSchema)
def place_order(body: dict[str, Any]) -> Response:
    """Place an order.

    It is priced by the shelf of the store it goes to, routed to the nearest store that has the whole basket, and paid;
    a worker then reserves the goods. With `Prefer: wait=N` the answer waits for that, N seconds (10) at most.
    Send an `Idempotency-Key`, and the same one when you repeat the request: you get the same order and the same answer.
    """
    now, caller = utcnow(), current_caller()
    attempt = idempotency.attempt_of(caller.client_id, request.get_json())
    with unit_of_work():
        earlier = idempotency.earlier(attempt, now=now)
    if earlier is not None and earlier.answer is not None:
        return earlier.answer
    if earlier is not None and earlier.subject_id is not None:
        order_id = earlier.subject_id
    else:
        wanted = _read_order(body)
        order_id = in_transaction(lambda: checkout.open_order(wanted, attempt, caller.actor, now=now))
    try:
        checkout.pay(order_id, now=now)
    except PaymentDeclined as declined:
        return _final(attempt, current_app.handle_user_exception(declined))
    _wait_for_decision(order_id)
    return _final(attempt, _answer(order_id, caller.client_id, 201))


@blueprint.get("")
@requires("shop")
@refuses(422)
@blueprint.arguments(OrdersQuery, location="query")
@blueprint.response(200, OrderPageSchema)
def list_orders(query: dict[str, Any]) -> dict[str, Any]:
    """List your orders, oldest first."""
    position = decode_cursor(query["after"], str)
    orders = queries.orders_of_client(
        current_caller().client_id,
        status=query["status"],
        customer_email=query["customer_email"],
        after=_uuid(position[0]) if position else None,
        limit=query["limit"] + 1,
    )
    shown = page(orders, query["limit"], lambda order: (str(order.id),))
    payments = payments_of([order.id for order in shown["data"]])
    return {**shown, "data": [present_order(order, payments[order.id]) for order in shown["data"]]}


@blueprint.get("/<order_id>")
@requires("shop")
@refuses(404)
@blueprint.response(200, OrderWithHistorySchema)
def show_order(order_id: str) -> dict[str, Any]:
    """Show an order with its history."""
    order = queries.get_order(_uuid(order_id), client_id=current_caller().client_id)
    return present_order(order, payment_of(order.id), with_history=True)


@blueprint.post("/<order_id>/cancel")
@requires("shop")
@refuses(404, 409)
@blueprint.response(200, OrderSchema)
def cancel_order(order_id: str) -> dict[str, Any]:
    """Cancel an order for the customer, at any time before it is collected. The money is given back."""
    return _change(order_id, lambda order, now: _cancel_once(order, now))


@blueprint.put("/<order_id>/collector")
@requires("shop")
@refuses(404, 409, 415, 422)
@blueprint.arguments(PersonSchema)
@blueprint.response(200, OrderSchema)
def name_collector(person: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Name somebody else who collects."""
    return _change(order_id, lambda order, now: service.name_collector(order, person))


@blueprint.post("/<order_id>/arrival")
@requires("shop")
@refuses(404, 409, 415, 422)
@blueprint.arguments(ArrivalSchema)
@blueprint.response(200, OrderSchema)
def arrive(arrival: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Say that the customer is at the store."""
    return _change(order_id, lambda order, now: service.arrive(order, arrival.get("note"), now=now))


def _cancel_once(order: Order, now: datetime) -> None:
    if order.status == "cancelled":  # a repeated request has its effect already
        return
    service.cancel(order, actor=Actor("shop", current_caller().name), reason="customer", now=now)


def _change(order_id: str, change: Any) -> dict[str, Any]:
    client_id, wanted = current_caller().client_id, _uuid(order_id)

    def work() -> None:
        queries.get_order(wanted, client_id=client_id)
        change(queries.lock_order(wanted), utcnow())

    in_transaction(work)
    return present_order(queries.get_order(wanted), payment_of(wanted))


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
    )


def _wait_for_decision(order_id: uuid.UUID) -> None:
    seconds = wait_preference(WAIT_MAX_SECONDS)
    if not seconds:
        return
    waiters: Waiters = current_app.extensions["order_waiters"]

    def decided() -> bool:
        status = queries.status_of(order_id)
        db.session.rollback()  # gives the connection back while this thread sleeps
        return status not in UNDECIDED

    waiters.wait_until(order_id, decided, seconds=seconds)


def _answer(order_id: uuid.UUID, client_id: int, status: int) -> Response:
    order = queries.get_order(order_id, client_id=client_id)
    response = jsonify(_ORDER.dump(present_order(order, payment_of(order_id))))
    response.status_code = status
    return response


def _final(attempt: idempotency.Attempt, response: Any) -> Response:
    """Keep the answer under the idempotency key, then give it."""
    with unit_of_work():
        idempotency.finish(attempt, response, now=utcnow())
    final: Response = response
    return final


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise OrderNotFound("There is no order of this id.") from None
