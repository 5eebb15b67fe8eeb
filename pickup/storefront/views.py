"""HTTP of what the shop shows before an order."""

from typing import Any

from pickup.core.api import Blueprint, refuses, requires
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.core.pagination import decode_cursor, encode_cursor
from pickup.orders.basket import Item
from pickup.orders.places import locate, read_pickup
from pickup.orders.presenting import present_quote
from pickup.orders.quoting import quote
from pickup.orders.schemas import NewQuoteSchema, QuoteSchema
from pickup.storefront import service
from pickup.storefront.schemas import (
    NearStoresSchema,
    ProductPageSchema,
    ProductQuery,
    ProductSchema,
    ProductsQuery,
    StoresQuery,
)

METRES_PER_KM = 1000

blueprint = Blueprint("storefront", __name__, url_prefix="/v1", description="What the shop shows before an order.")


@blueprint.get("/stores")
@requires("shop")
@refuses(422, 503)
@blueprint.arguments(StoresQuery, location="query")
@blueprint.response(200, NearStoresSchema)
def list_stores(query: dict[str, Any]) -> dict[str, Any]:
    """Find the stores nearest to a place, and with `items` what each can promise.

    Distances are geodesics on WGS-84; equal distances are ordered by `ref`.
    """
    db.session.rollback()  # a geocoder is not asked inside a transaction
    near = query.get("near")
    stores = service.near_stores(
        locate(query, prefix="") if near is None else near,
        limit=query["limit"],
        radius_metres=query["radius_km"] * METRES_PER_KM,
        items=query.get("items"),
        now=utcnow(),
    )
    return {"data": stores, "next": None}


@blueprint.get("/products")
@requires("shop")
@refuses(422)
@blueprint.arguments(ProductsQuery, location="query")
@blueprint.response(200, ProductPageSchema)
def list_products(query: dict[str, Any]) -> dict[str, Any]:
    """List products with their current prices, by SKU."""
    position, limit = decode_cursor(query["after"], str), query["limit"]
    products = service.products_page(position[0] if position else "", limit + 1, query["store_ref"], now=utcnow())
    more = len(products) > limit
    return {"data": products[:limit], "next": encode_cursor(products[limit - 1]["sku"]) if more else None}


@blueprint.get("/products/<sku>")
@requires("shop")
@refuses(404, 422)
@blueprint.arguments(ProductQuery, location="query")
@blueprint.response(200, ProductSchema)
def show_product(query: dict[str, Any], sku: str) -> dict[str, Any]:
    """Show a product with its current price."""
    return service.product(sku, query["store_ref"], now=utcnow())


@blueprint.post("/quotes")
@requires("shop")
@refuses(400, 409, 415, 422, 503)
@blueprint.arguments(NewQuoteSchema)
@blueprint.response(200, QuoteSchema)
def make_quote(body: dict[str, Any]) -> dict[str, Any]:
    """Quote a basket: where it can be collected, when, and what it costs there. Reserves nothing."""
    db.session.rollback()
    pickup = read_pickup(body["pickup"])
    return present_quote(quote([Item(**item) for item in body["items"]], pickup, now=utcnow()))
