"""Wire shapes of what the shop shows."""

import math
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.schemas import Instant, MoneySchema, PageQuery, Schema, Text, page_of
from pickup.orders.basket import QUANTITY_MAX, Item
from pickup.orders.schemas import ITEMS_MAX, SKU_MAX_LENGTH
from pickup.stores.geocoding import Coordinates

NEAREST_MAX = 50
RADIUS_MAX_KM = 20_100  # half way round the Earth is everything


class LatLon(fields.Field[Coordinates]):
    """`LAT,LON` in degrees."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Coordinates:
        try:
            lat, lon = (float(part) for part in str(value).split(","))
        except ValueError:
            raise ma.ValidationError("Must be LAT,LON in degrees.") from None
        if not (math.isfinite(lat) and math.isfinite(lon) and -90 <= lat <= 90 and -180 <= lon <= 180):
            raise ma.ValidationError("Must lie within ±90 degrees of latitude and ±180 of longitude.")
        return Coordinates(lat, lon)


class Items(fields.Field[list[Item]]):
    """`SKU:QTY,SKU:QTY`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Item]:
        items = []
        for part in str(value).split(","):
            sku, _, quantity = part.rpartition(":")
            if not 0 < len(sku) <= SKU_MAX_LENGTH or not (quantity.isascii() and quantity.isdigit()):
                raise ma.ValidationError("Must be SKU:QTY, several with commas.")
            if not 1 <= int(quantity[:9]) <= QUANTITY_MAX:
                raise ma.ValidationError(f"A quantity is from 1 to {QUANTITY_MAX}.")
            items.append(Item(sku, int(quantity)))
        if len(items) > ITEMS_MAX:
            raise ma.ValidationError(f"At most {ITEMS_MAX} items.")
        return items


class StoresQuery(Schema):
    """Where to look for stores: exactly one of `near`, `postcode` with `country`, `address`."""

    class Meta:
        unknown = ma.EXCLUDE

    near = LatLon(metadata={"description": "LAT,LON in degrees", "example": "36.37,-94.21"})
    postcode = Text(max_length=16, metadata={"example": "72712"})
    country = Text(max_length=2, metadata={"example": "US"})
    address = Text(max_length=300)
    limit = fields.Integer(load_default=10, validate=validate.Range(1, NEAREST_MAX))
    radius_km = fields.Float(load_default=100.0, validate=validate.Range(0, RADIUS_MAX_KM, min_inclusive=False))
    items = Items(metadata={"description": "SKU:QTY,SKU:QTY", "example": "1082185:2"})

    @ma.validates_schema
    def check_one_place(self, data: dict[str, Any], **_: Any) -> None:
        """One place to look from."""
        if sum(way in data for way in ("near", "postcode", "address")) != 1:
            raise ma.ValidationError("Give exactly one of near, postcode, address.")
        if ("country" in data) != ("postcode" in data):
            raise ma.ValidationError("Goes with a postcode, and a postcode needs it.", "country")


class NearStoreSchema(Schema):
    """A store near the place that was asked for."""

    ref = fields.String()
    name = fields.String()
    address = fields.String()
    phone = fields.String()
    lat = fields.Float()
    lon = fields.Float()
    distance_m = fields.Integer(metadata={"description": "whole metres on WGS-84"})
    opening_hours = fields.String(metadata={"description": "OpenStreetMap syntax; empty: always open"})
    timezone = fields.String()
    paused = fields.Boolean(metadata={"description": "takes no new orders at present"})
    available = fields.Boolean(metadata={"description": "with `items`: all of it is on this store's shelf"})
    ready_by = Instant(allow_none=True, metadata={"description": "with `items`: when it could be collected there"})


class NearStoresSchema(Schema):
    """Stores, nearest first, equal distances by `ref`."""

    data = fields.List(fields.Nested(NearStoreSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class ProductQuery(Schema):
    """Whose shelf prices are wanted."""

    class Meta:
        unknown = ma.EXCLUDE

    store_ref = fields.String(load_default=None, metadata={"description": "prices of this store's shelf"})


class ProductsQuery(PageQuery, ProductQuery):
    """Which products are wanted."""

    class Meta:
        unknown = ma.EXCLUDE


class ShelfPriceSchema(MoneySchema):
    """A price with the entry of the ledger that it stands in."""

    version = fields.Integer()
    valid_from = Instant()


class ProductSchema(Schema):
    """A product with its current price; `price` is null where it is not for sale."""

    sku = fields.String()
    name = fields.String()
    gtin = fields.String(allow_none=True)
    department = fields.String(allow_none=True)
    brand = fields.String(allow_none=True)
    image_url = fields.String(allow_none=True)
    minimum_age = fields.Integer(allow_none=True)
    max_per_order = fields.Integer(allow_none=True)
    price = fields.Nested(ShelfPriceSchema, allow_none=True)


ProductPageSchema = page_of(ProductSchema)
