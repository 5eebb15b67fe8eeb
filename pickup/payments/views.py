"""HTTP of the gateways' messages. No API key: a gateway signs what it sends.

It is not for shops or tills, so it is not in the API's document.
"""

from flask import Blueprint, request

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import NotFound
from pickup.payments import service
from pickup.payments.errors import BadGatewaySignature
from pickup.payments.gateway import BadSignature

blueprint = Blueprint("gateways", __name__, url_prefix="/v1/gateways")


@blueprint.post("/<name>/events")
def receive_event(name: str) -> tuple[str, int]:
    """Take a gateway's message: kept once, and only a hint, so one that is repeated or foreign is fine as well."""
    gateway = service.GATEWAYS.get(name)
    if gateway is None:
        raise NotFound("There is no such gateway.")
    body, now = request.get_data(), utcnow()
    try:
        event = gateway.read_event(body, dict(request.headers), now=now)
    except BadSignature as error:
        raise BadGatewaySignature(f"Not taken: {error}.") from error
    in_transaction(lambda: service.hear(name, event, body.decode(), now=now))
    return "", 204
