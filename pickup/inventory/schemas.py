"""Wire shapes of stock."""

from marshmallow import fields

from pickup.core.schemas import Instant, PageQuery, Schema, page_of


class StockQuery(PageQuery):
    """Whose stock of what is wanted."""

    store_ref = fields.String(load_default=None)
    sku = fields.String(load_default=None)


class StockLevelSchema(Schema):
    """How many units of a product a store has."""

    store_ref = fields.String()
    sku = fields.String()
    on_hand = fields.Integer(metadata={"description": "physically there"})
    reserved = fields.Integer(metadata={"description": "promised to orders"})
    safety_stock = fields.Integer(metadata={"description": "kept back from online"})
    available = fields.Integer(metadata={"description": "on hand − reserved − safety stock"})


class StockMovementSchema(Schema):
    """Why a level changed."""

    id = fields.String()
    store_ref = fields.String()
    sku = fields.String()
    kind = fields.String()
    on_hand_change = fields.Integer()
    reserved_change = fields.Integer()
    order_id = fields.UUID(allow_none=True)
    at = Instant()


StockLevelPageSchema = page_of(StockLevelSchema)
StockMovementPageSchema = page_of(StockMovementSchema)
