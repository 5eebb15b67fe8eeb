"""HTTP of tablets that want to be woken: a browser's subscription comes, and goes."""

from flask import Response, g, request
from marshmallow import ValidationError, fields
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.db import in_transaction
from pickup.core.pages import Pages
from pickup.core.public_addresses import URL_LENGTH_MAX
from pickup.core.schemas import Schema, Text
from pickup.notifications import push
from pickup.staff.gate import admit, member

KEY_MAX = 200

blueprint = Pages("push", __name__, url_prefix="/staff", static_folder=None, is_translated=True)
blueprint.before_request(admit)


class KeysSchema(Schema):
    """What a message is sealed with (RFC 8291), in base64url."""

    p256dh = Text(required=True, max_length=KEY_MAX)
    auth = Text(required=True, max_length=KEY_MAX)


class SubscriptionSchema(Schema):
    """As `PushSubscription.toJSON()` has it."""

    endpoint = Text(required=True, max_length=URL_LENGTH_MAX)
    expirationTime = fields.Raw(allow_none=True)
    keys = fields.Nested(KeysSchema, required=True)


_schema = SubscriptionSchema()


@blueprint.post("/push")
def subscribe() -> BaseResponse:
    """Wake this tablet from now on, for the store of whoever is signed in."""
    try:
        said = _schema.load(request.get_json())
    except ValidationError:
        return Response(status=422)
    who = member()
    in_transaction(
        lambda: push.subscribe(
            g.store.id, who.device_id, said["endpoint"], said["keys"]["p256dh"], said["keys"]["auth"]
        )
    )
    return Response(status=204)
