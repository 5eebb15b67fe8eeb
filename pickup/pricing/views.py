"""HTTP of the price ledger, for whoever sets prices."""

from typing import Any

from flask import Response

from pickup.core.api import Blueprint, as_it_is, refuses, requires
from pickup.core.auth import current_caller
from pickup.core.clock import rfc3339, utcnow
from pickup.core.pagination import decode_cursor, page
from pickup.core.types import Money
from pickup.pricing import queries, service
from pickup.pricing.beginning import record_at_once
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.models import Price
from pickup.pricing.schemas import (
    HistoryQuery,
    InstantQuery,
    NewPricesSchema,
    PriceHistoryEntryPageSchema,
    PriceInForceSchema,
    RecordedPricesSchema,
)
from pickup.pricing.service import PriceChange, Recorded

blueprint = Blueprint(
    "prices",
    __name__,
    url_prefix="/v1/prices",
    description="The price ledger: what a product costs, has cost and is going to cost.",
    path_parameters={"sku": {"description": "the product", "example": "1001"}},
)


@blueprint.post("")
@requires("admin")
@blueprint.arguments(NewPricesSchema)
@blueprint.response(201, RecordedPricesSchema)
def record_prices(body: dict[str, Any]) -> Response:
    """Change prices.

    All of the changes are made, or none. Each is a new entry of the ledger. Those without a `valid_from` hold from one
    and the same instant. Of two for the same product, zone and instant the later one counts.

    A price that has held is never changed, so a `valid_from` must not lie in the past; one up to a minute ago is taken
    as now. "Now" is the moment at which everyone can see the change, some 0.3 s after the request (4 s with 100,000
    changes): `valid_from` in the answer says it, and by the time of the answer it has come.
    """
    now, recorded_by = utcnow(), current_caller().name
    changes = [
        PriceChange(change["sku"], Money(**change["price"]), change["zone"], change.get("valid_from", now))
        for change in body["changes"]
    ]
    recorded = record_at_once(
        len(changes),
        lambda: service.state(changes, now=now),
        lambda stated, begins: service.record_all(
            stated, begins=begins, recorded_by=recorded_by, reason=body.get("reason", "")
        ),
    )
    versions = enumerate(changes, start=recorded.first_version)
    return as_it_is({"changes": [_present_change(version, change, recorded) for version, change in versions]}, 201)


@blueprint.get("/<sku>")
@requires("admin")
@refuses(ProductNotFound)
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, PriceHistoryEntryPageSchema)
def show_price_history(query: dict[str, Any], sku: str) -> dict[str, Any]:
    """Show the prices of a product.

    Every price it has had and is going to have, in all zones or one, the newest entry first.
    """
    product_id = service.known_product(sku)
    position = decode_cursor(query["after"], int)
    entries = queries.price_history(
        product_id, zone=query["zone"], before=position[0] if position else None, limit=query["limit"] + 1
    )
    shown = page(entries, query["limit"], lambda price: (price.version,))
    return {**shown, "data": [_present_entry(price, sku) for price in shown["data"]]}


@blueprint.get("/<sku>/in-force")
@requires("admin", "pos")
@refuses(ProductNotFound)
@blueprint.arguments(InstantQuery, location="query")
@blueprint.response(200, PriceInForceSchema)
def show_price_in_force(query: dict[str, Any], sku: str) -> dict[str, Any]:
    """Show what a product costs at an instant.

    What did it cost in store 12 at 14:03? The shelf, the shop, an order and a till all go by this price. The store's
    price zone is the one that it had at that instant. An instant ahead tells what is known by now.
    """
    at = query.get("at") or utcnow()
    price = service.price_on_shelf(service.known_product(sku), query["store_ref"], at=at)
    return {"sku": sku, "store_ref": query["store_ref"], "at": at, "in_force": price and _present_entry(price, sku)}


def _present_change(version: int, change: PriceChange, recorded: Recorded) -> dict[str, Any]:
    return {
        "sku": change.sku,
        "price": {"amount": change.price.amount, "currency": change.price.currency},
        "valid_from": rfc3339(recorded.valid_from(change)),
        "zone": change.zone,
        "version": version,
    }


def _present_entry(price: Price, sku: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "price": Money(price.amount, price.currency),
        "valid_from": price.valid_from,
        "zone": price.zone,
        "version": price.version,
        "recorded_at": price.recorded_at,
        "recorded_by": price.recorded_by,
        "reason": price.reason,
    }
