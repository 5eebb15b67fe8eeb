"""What a tablet sends when it has a network again."""

from marshmallow import fields, validate

from pickup.core.schemas import Instant, Schema, Text
from pickup.staff.offline import TAKE


class StepSchema(Schema):
    """One step that was taken without a network."""

    key = fields.UUID(required=True)
    shift = Text(required=True, max_length=500)
    order_id = fields.UUID(required=True)
    action = fields.String(required=True, validate=validate.OneOf(list(TAKE)))
    at = Instant(required=True)
    proof = fields.String(load_default="", validate=validate.Regexp(r"^([0-9a-f]{64})?\Z"))
    salt_day = fields.Date(load_default=None, allow_none=True)
    age_checked = fields.Boolean(load_default=False, truthy={True}, falsy={False})
