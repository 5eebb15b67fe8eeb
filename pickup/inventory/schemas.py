"""Wire shapes of stock."""

from marshmallow import fields, validate

from pickup.core.schemas import Instant, PageQuery, Schema, page_of
from pickup.inventory.models import MOVEMENT_KINDS


class StockQuery(PageQuery):
    """Whose stock of what is wanted."""

    store_ref = fields.String(load_default=None, metadata={"description": "only this store's", "example": "101"})
    sku = fields.String(load_default=None, metadata={"description": "only this product's", "example": "1001"})


class StockLevelSchema(Schema):
    """How many units of a product a store has."""

    store_ref = fields.String(metadata={"example": "101"})
    sku = fields.String(metadata={"example": "1001"})
    on_hand = fields.Integer(metadata={"description": "physically there", "example": 24})
    reserved = fields.Integer(metadata={"description": "promised to orders", "example": 2})
    safety_stock = fields.Integer(metadata={"description": "kept back from online, as it counts now", "example": 1})
    available = fields.Integer(
        metadata={
            "description": "on hand − reserved − safety stock; below zero after a till sold what was promised",
            "example": 21,
        }
    )


class StockMovementSchema(Schema):
    """Why a level changed."""

    id = fields.String(metadata={"example": "7"})
    store_ref = fields.String(metadata={"example": "101"})
    sku = fields.String(metadata={"example": "1001"})
    kind = fields.String(validate=validate.OneOf(MOVEMENT_KINDS), metadata={"example": "reservation"})
    on_hand_change = fields.Integer(metadata={"example": 0})
    reserved_change = fields.Integer(metadata={"example": 2})
    order_id = fields.UUID(allow_none=True, metadata={"description": "the order it was for"})
    at = Instant(metadata={"example": "2026-03-02T15:00:02Z"})


StockLevelPageSchema = page_of(StockLevelSchema)
StockMovementPageSchema = page_of(StockMovementSchema)
