"""Orders and quotes as the API shows them: plain values for the schemas to write."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import current_app

from pickup.config import Settings
from pickup.core.types import Money
from pickup.inventory.models import Transfer
from pickup.orders.extending import may_extend
from pickup.orders.lifecycle import actions_from
from pickup.orders.models import Order, OrderHistory, OrderLine, Return
from pickup.orders.quoting import Quote
from pickup.orders.schemas import QuoteSchema
from pickup.payments.models import Payment
from pickup.stores.directory import StoreEntry, directory
from pickup.stores.models import Store

_QUOTE = QuoteSchema()


def page_url(order: Order) -> str:
    """The customer's pickup page, the link in every message."""
    return _page_url(order.page_token)


def collector_url(order: Order) -> str | None:
    """The collector's own page; None where nobody is named."""
    return _page_url(order.collector_token) if order.collector_token else None


def directions_url(order: Order) -> str:
    """The way to the store, on a map."""
    return f"https://www.openstreetmap.org/directions?to={order.store.lat},{order.store.lon}"


def present_order(order: Order, payment: Payment, *, transfers: Sequence[Transfer] = ()) -> dict[str, Any]:
    """An order, loaded by `queries.get_order`."""
    return {
        "id": order.id,
        "number": str(order.number),
        "status": order.status,
        "reason": order.reason,
        "placed_at": order.placed_at,
        "customer": {
            "name": order.customer_name,
            "email": order.customer_email,
            "phone": order.customer_phone or None,
            "locale": order.locale,
        },
        "store": _present_store(order.store, order.distance_m),
        "lines": [_present_line(line, order.currency) for line in order.lines],
        "total": Money(order.total_amount, order.currency),
        # Of an order just made the defaults of these two are to come.
        "reduced_by": Money(order.reduced_amount or 0, order.currency),
        "returned": Money(order.returned_amount or 0, order.currency),
        "payment": _present_payment(payment),
        "pickup": {
            "code": order.pickup_code,
            "url": page_url(order),
            "ready_by": order.ready_by,
            "hold_until": order.hold_until,
            "collector": _present_collector(order),
            "on_the_way_at": order.on_the_way_at,
            "expected_at": order.expected_at,
            "arrived_at": order.arrived_at,
            "bay": order.arrival_bay,
            "car": order.arrival_car,
            "note": order.arrival_note,
        },
        "candidates": order.candidates,
        "routing_policy": order.routing_policy,
        "transfers": [_present_transfer(each, order) for each in transfers],
        "offer": _present_offer(order),
        "allowed_actions": [action for action in actions_from(order.status, "shop") if _is_possible(order, action)],
    }


def _is_possible(order: Order, action: str) -> bool:
    """Whether there is something to choose from, or the order may be kept longer still."""
    if action == "reroute":
        return bool(order.offer)
    return action != "extend_hold" or may_extend(order)


_SHOWN_OF_STORE = ("ref", "name", "address", "lat", "lon", "opening_hours", "timezone")


def _present_store(store: Store | StoreEntry, distance_m: int | None) -> dict[str, Any]:
    return {name: getattr(store, name) for name in _SHOWN_OF_STORE} | {"distance_m": distance_m}


def present_past(order: Order, returns: Sequence[Return]) -> dict[str, Any]:
    """What has happened to an order, beside what it is: loaded by `queries.get_order` with its history."""
    return {
        "history": [_present_step(step) for step in order.history],
        "returns": [_present_return(each, order) for each in returns],
    }


def present_quote(offer: Quote) -> dict[str, Any]:
    """A quote, as plain JSON values: it also travels inside a problem document."""
    shown: dict[str, Any] = _QUOTE.dump(
        {
            "lines": [
                {
                    "sku": line.product.sku,
                    "name": line.product.name,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                    "price_version": line.price_version,
                    "total": line.total,
                }
                for line in offer.lines
            ],
            "total": offer.total,
            "store": _present_store(offer.store, offer.distance_m),
            "ready_by": offer.ready_by,
            "hold_until": offer.hold_until,
            "candidates": offer.candidates,
        }
    )
    return shown


def _page_url(token: str) -> str:
    settings: Settings = current_app.extensions["settings"]
    return f"{settings.public_url}/p/{token}"


def _present_line(line: OrderLine, currency: str) -> dict[str, Any]:
    return {
        "sku": line.product.sku,
        "name": line.product.name,
        "quantity": line.quantity,
        "short": line.short,
        "refused": line.refused,
        "returned": line.returned,
        "unit_price": Money(line.unit_amount, currency),
        "price_version": line.price_version,
        "reduced_to": None if line.reduced_to is None else Money(line.reduced_to, currency),
        "total": Money(line.charged_amount, currency) * line.charged_units,
    }


def _present_payment(payment: Payment) -> dict[str, Any]:
    return {
        "method": payment.method,
        "status": payment.status,
        "amount": Money(payment.amount, payment.currency),
        "captured": Money(payment.captured or 0, payment.currency),
        "refunded": Money(payment.refunded or 0, payment.currency),
        "action": payment.action if payment.status == "requires_action" else None,
    }


def _present_transfer(transfer: Transfer, order: Order) -> dict[str, Any]:
    skus = {line.product_id: line.product.sku for line in order.lines}
    return {
        "id": str(transfer.id),
        "from_store": directory().by_id[transfer.source_id].ref,
        "status": transfer.status,
        "expected_at": transfer.expected_at,
        "sent_at": transfer.sent_at,
        "received_at": transfer.received_at,
        "items": [{"sku": skus[line.product_id], "quantity": line.quantity} for line in transfer.lines],
    }


def _present_offer(order: Order) -> dict[str, Any] | None:
    if order.offer is None:
        return None
    options = [
        {"choice": choice, "store_ref": each["store_ref"], "ready_by": datetime.fromisoformat(each["ready_by"])}
        for choice, each in order.offer["options"].items()
    ]
    return {
        "why": order.offer["why"],
        "until": order.offer_until,
        "options": [*options, {"choice": "cancel", "store_ref": None, "ready_by": None}],
    }


def _present_collector(order: Order) -> dict[str, Any] | None:
    if order.collector_name is None:
        return None
    return {
        "name": order.collector_name,
        "email": order.collector_email,
        "phone": order.collector_phone,
        "code": order.collector_code,
        "url": collector_url(order),
    }


def _present_step(step: OrderHistory) -> dict[str, Any]:
    return {
        "at": step.at,
        "action": step.action,
        "from": step.from_status,
        "to": step.to_status,
        "actor": step.actor_kind,
        "note": step.note,
    }


def _present_return(taken: Return, order: Order) -> dict[str, Any]:
    skus = {line.product_id: line.product.sku for line in order.lines}
    return {
        "id": taken.id,
        "at": taken.at,
        "items": [{"sku": skus[line.product_id], "quantity": line.quantity} for line in taken.lines],
        "amount": Money(taken.amount, order.currency),
        "reason": taken.reason,
        "restocked": taken.is_restocked,
        "by": taken.actor_kind,
    }
