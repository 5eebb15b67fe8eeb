"""HTTP of what the shop shows before an order."""

from typing import Any

from flask import Response, jsonify

from pickup.core.api import Blueprint, refuses, requires
from pickup.core.clock import utcnow
from pickup.core.errors import NotFound
from pickup.core.pagination import decode_cursor, encode_cursor
from pickup.orders.basket import Item
from pickup.orders.errors import OutOfStock
from pickup.orders.places import locate, read_pickup
from pickup.orders.presenting import present_quote
from pickup.orders.quoting import quote
from pickup.orders.request_schemas import NewQuoteSchema
from pickup.orders.schemas import QuoteSchema
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

blueprint = Blueprint(
    "storefront",
    __name__,
    url_prefix="/v1",
    description="What the shop shows before an order: stores, products and prices, quotes.",
    path_parameters={"sku": {"description": "the product", "example": "1001"}},
)


@blueprint.get("/stores")
@requires("shop")
@blueprint.arguments(StoresQuery, location="query")
@blueprint.response(200, NearStoresSchema)
def list_stores(query: dict[str, Any]) -> dict[str, Any]:
    """Find the stores nearest to a place.

    Say where by `near`, by `postcode` with `country`, or by `address`. The nearest store comes first; equal distances
    are ordered by `ref`. With `items`, each store also says whether all of the basket is on its shelf, and by when it
    could be collected there; what others would have to send, a quote for that store tells. A store whose tills have
    long said nothing is trusted less: see `till_feed`.
    """
    near = query.get("near")
    place = locate(query, prefix="") if near is None else near
    stores = service.near_stores(
        place,
        limit=query["limit"],
        radius_metres=query["radius_km"] * METRES_PER_KM,
        items=query.get("items"),
        now=utcnow(),
    )
    return {"data": stores, "next": None, "place": place}


@blueprint.get("/products")
@requires("shop")
@blueprint.arguments(ProductsQuery, location="query")
@blueprint.response(200, ProductPageSchema)
def list_products(query: dict[str, Any]) -> dict[str, Any]:
    """List products with their current prices.

    They come by SKU, a page at a time. What a product costs may differ from store to store: name the store to see what
    its shelf says, which is what an order there will cost.
    """
    position, limit = decode_cursor(query["after"], str), query["limit"]
    products = service.products_page(
        position[0] if position else "",
        limit + 1,
        query["store_ref"],
        words=query["q"] or "",
        department=query["department"] or "",
        now=utcnow(),
    )
    more = len(products) > limit
    return {"data": products[:limit], "next": encode_cursor(products[limit - 1]["sku"]) if more else None}


@blueprint.get("/products/<sku>")
@requires("shop")
@refuses(NotFound)
@blueprint.arguments(ProductQuery, location="query")
@blueprint.response(200, ProductSchema)
def show_product(query: dict[str, Any], sku: str) -> dict[str, Any]:
    """Show a product with its current price.

    `price` is null where the product is not for sale.
    """
    return service.product(sku, query["store_ref"], now=utcnow())


@blueprint.post("/quotes")
@requires("shop")
@refuses(OutOfStock)
@blueprint.arguments(NewQuoteSchema)
@blueprint.response(200, QuoteSchema)
def make_quote(body: dict[str, Any]) -> Response:
    """Quote a basket.

    Says where the basket can be collected, when, and what it costs there: what an order placed now would be. Reserves
    nothing. Send the `total` along as `expected_total` of the order to be sure that the customer pays what they saw.
    """
    pickup = read_pickup(body["pickup"])
    # Plain JSON already: as such it also travels inside a problem document.
    return jsonify(present_quote(quote([Item(**item) for item in body["items"]], pickup, now=utcnow())))
