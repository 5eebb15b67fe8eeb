"""Wire shapes of how customers want to be told."""

from marshmallow import fields, validate

from pickup.core.schemas import EmailAddress, Schema
from pickup.notifications.preferences import KINDS, OTHERS, PERSONAL

EXAMPLE = {OTHERS: ["email"], "ready": ["sms", "email"]}


class WhoseQuery(Schema):
    """Whose preference is meant."""

    email = EmailAddress(
        required=True, metadata={"description": "the customer's, as in their orders", "example": "ada@example.com"}
    )


class ChannelsField(fields.Dict):
    """Channels by kind of message."""

    def __init__(self) -> None:
        super().__init__(
            keys=fields.String(validate=validate.OneOf((OTHERS, *KINDS))),
            values=fields.List(
                fields.String(validate=validate.OneOf(PERSONAL)),
                validate=validate.Length(max=len(PERSONAL), error="Each channel at most once."),
            ),
            required=True,
            metadata={
                "description": "by kind of message the channels, of which the first that works counts; `*` stands for "
                f"the kinds that are not named, of {', '.join(f'`{kind}`' for kind in KINDS)}. An empty list: do not "
                "tell",
                "example": EXAMPLE,
            },
        )


class PreferenceSchema(WhoseQuery):
    """How one customer wants to be told."""

    channels = ChannelsField()


class ShownPreferenceSchema(PreferenceSchema):
    """How one customer is told."""

    is_default = fields.Boolean(
        required=True, metadata={"description": "whether nobody has said anything, and the shop's own way counts"}
    )
