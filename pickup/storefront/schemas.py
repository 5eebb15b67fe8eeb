"""Wire shapes of what the shop shows."""

import math
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS
from pickup.core.schemas import Instant, MoneySchema, PageQuery, Schema, Text, page_of
from pickup.orders.basket import QUANTITY_MAX, Item
from pickup.orders.request_schemas import ITEMS_MAX
from pickup.stores.geocoding import Coordinates
from pickup.stores.models import FEED_STATES

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
            if not 0 < len(sku) <= KEY_MAX_CHARACTERS or not (quantity.isascii() and quantity.isdigit()):
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

    near = LatLon(
        metadata={"type": "string", "description": "`LAT,LON` in degrees on WGS-84", "example": "36.37,-94.21"}
    )
    postcode = Text(max_length=16, metadata={"description": "such as 72712; goes with `country`"})
    country = Text(max_length=2, metadata={"description": "ISO 3166, such as US; goes with `postcode`"})
    address = Text(max_length=300, metadata={"description": "in words, as on an envelope"})
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, NEAREST_MAX), metadata={"description": "how many stores at most"}
    )
    radius_km = fields.Float(
        load_default=100.0,
        validate=validate.Range(0, RADIUS_MAX_KM, min_inclusive=False),
        metadata={"description": "how far away at most"},
    )
    items = Items(
        metadata={
            "type": "string",
            "description": "a basket, `SKU:QTY,SKU:QTY`: each store then says whether it has all of it, and by when",
            "example": "1001:2",
        }
    )

    @ma.validates_schema
    def check_one_place(self, data: dict[str, Any], **_: Any) -> None:
        """One place to look from."""
        if sum(way in data for way in ("near", "postcode", "address")) != 1:
            raise ma.ValidationError("Give exactly one of near, postcode, address.")
        if ("country" in data) != ("postcode" in data):
            raise ma.ValidationError("Goes with a postcode, and a postcode needs it.", "country")


class NearStoreSchema(Schema):
    """A store near the place that was asked for."""

    ref = fields.String(metadata={"description": "names the store in this API", "example": "101"})
    name = fields.String(metadata={"example": "Larkspur Bentonville"})
    address = fields.String(metadata={"example": "18 Orchard Lane, Bentonville, AR 72712, US"})
    phone = fields.String(metadata={"example": "+1 479 555 0101"})
    lat = fields.Float(metadata={"example": 36.3577})
    lon = fields.Float(metadata={"example": -94.2224})
    distance_m = fields.Integer(metadata={"description": "whole metres, the geodesic on WGS-84", "example": 1761})
    opening_hours = fields.String(
        metadata={
            "description": "OpenStreetMap syntax, local time; empty: always open",
            "example": "Mo-Sa 08:00-21:00; Su 10:00-18:00",
        }
    )
    timezone = fields.String(metadata={"description": "IANA name", "example": "America/Chicago"})
    paused = fields.Boolean(
        metadata={"description": "takes no new orders at present: somebody paused it, or its tills are silent"}
    )
    till_feed = fields.String(
        validate=validate.OneOf(FEED_STATES),
        metadata={
            "description": "`stale`: its tills have said nothing for hours, it keeps more back from online; "
            "`silent`: for so long that it takes no new orders until one is heard of",
            "example": "heard",
        },
    )
    available = fields.Boolean(
        metadata={
            "description": "with `items`: all of it is on this store's shelf",
            "example": True,
            "x-sometimes": True,
        }
    )
    ready_by = Instant(
        allow_none=True,
        metadata={
            "description": "with `items`: when it could be collected there; null where it could not",
            "example": "2026-03-02T16:00:00Z",
            "x-sometimes": True,
        },
    )


class PlaceSchema(Schema):
    """A point on WGS-84."""

    lat = fields.Float(metadata={"description": "degrees", "example": 36.37})
    lon = fields.Float(metadata={"description": "degrees", "example": -94.21})


class NearStoresSchema(Schema):
    """Stores, nearest first, equal distances by `ref`."""

    data = fields.List(fields.Nested(NearStoreSchema), required=True)
    next = fields.String(
        required=True, allow_none=True, metadata={"description": "always null: `limit` and `radius_km` bound the list"}
    )
    place = fields.Nested(
        PlaceSchema, required=True, metadata={"description": "what the distances are from: where the postcode is, say"}
    )


class ProductQuery(Schema):
    """Whose shelf prices are wanted."""

    class Meta:
        unknown = ma.EXCLUDE

    store_ref = fields.String(
        load_default=None,
        metadata={"description": "the prices on this store's shelf, not those that hold everywhere", "example": "101"},
    )


class ProductsQuery(PageQuery, ProductQuery):
    """Which products are wanted."""

    class Meta:
        unknown = ma.EXCLUDE

    q = Text(
        max_length=100,
        load_default=None,
        metadata={"description": "a part of the name or the brand, or a whole SKU or GTIN", "example": "milk"},
    )
    department = Text(max_length=100, load_default=None, metadata={"description": "all of it", "example": "Dairy"})


class ShelfPriceSchema(MoneySchema):
    """A price with the entry of the ledger that it stands in."""

    version = fields.Integer(metadata={"description": "the entry of the price ledger", "example": 1})
    valid_from = Instant(metadata={"example": "2026-03-01T06:00:00Z"})


class ProductSchema(Schema):
    """A product with its current price; `price` is null where it is not for sale."""

    sku = fields.String(metadata={"example": "1001"})
    name = fields.String(metadata={"example": "Whole milk, 1 gal"})
    gtin = fields.String(
        allow_none=True, metadata={"description": "the number under the barcode", "example": "2000000010014"}
    )
    department = fields.String(allow_none=True, metadata={"example": "Dairy"})
    brand = fields.String(allow_none=True, metadata={"example": "Larkspur"})
    image_url = fields.String(allow_none=True)
    minimum_age = fields.Integer(allow_none=True, metadata={"description": "checked when it is handed over"})
    max_per_order = fields.Integer(allow_none=True)
    price = fields.Nested(ShelfPriceSchema, allow_none=True, metadata={"description": "null: it is not for sale"})


ProductPageSchema = page_of(ProductSchema)
