"""HTTP of messages: how customers want to be told, for the shop; and what providers say of messages they took."""

import uuid
from typing import Any

from flask import Blueprint as PlainBlueprint
from flask import current_app, request

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.api import Blueprint, requires
from pickup.core.auth import current_caller
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import NotFound
from pickup.notifications import preferences, service, sms
from pickup.notifications.errors import BadProviderSignature
from pickup.notifications.schemas import PreferenceSchema, ShownPreferenceSchema, WhoseQuery

blueprint = PlainBlueprint("providers", __name__)
api = Blueprint(
    "contact preferences", __name__, url_prefix="/v1", description="How customers want to be told about their orders."
)
# Who tells of a kind of message again, where its channel did not deliver it.
HANDLERS = {"collector": "notify_collector"}


@api.get("/contact-preferences")
@requires("shop")
@api.arguments(WhoseQuery, location="query")
@api.response(200, ShownPreferenceSchema)
def show_preference(query: dict[str, Any]) -> dict[str, Any]:
    """Look up how a customer is told.

    Where nobody has said anything about it, the answer is the shop's own way, and `is_default` is true.
    """
    return _shown(query["email"])


@api.put("/contact-preferences")
@requires("shop")
@api.arguments(PreferenceSchema)
@api.response(200, ShownPreferenceSchema)
def set_preference(body: dict[str, Any]) -> dict[str, Any]:
    """Say how a customer wants to be told.

    It counts for all messages to this customer from now on, also about orders that were placed before, and replaces
    what was said before. Text messages need a telephone number in the order, and wait for the end of the quiet hours of
    the store. Where a channel cannot deliver, the next one of the list is asked. Who can be reached by none of them, as
    there is no number or no such channel here, is told the shop's own way.
    """
    client_id, now = current_caller().client_id, utcnow()
    in_transaction(lambda: preferences.set_preference(client_id, body["email"], body["channels"], now=now))
    return _shown(body["email"])


@api.delete("/contact-preferences")
@requires("shop")
@api.arguments(WhoseQuery, location="query")
@api.response(204)
def forget_preference(query: dict[str, Any]) -> None:
    """Forget how a customer wanted to be told.

    The shop's own way counts again. To forget what was never said is fine, too.
    """
    client_id = current_caller().client_id
    in_transaction(lambda: preferences.forget_preference(client_id, query["email"]))


@blueprint.post(f"{sms.STATUS_PATH}/<uuid:message_id>")
def receive_status(message_id: uuid.UUID) -> tuple[str, int]:
    """Take Twilio's word on a text message; one that got lost goes elsewhere. No API key: Twilio signs what it says."""
    settings: Settings = current_app.extensions["settings"]
    if not settings.twilio_auth_token:
        raise NotFound("There is no such provider here.")
    form, signature = request.form.to_dict(), request.headers.get("X-Twilio-Signature", "")
    asked = request.query_string.decode("latin-1")
    url = settings.public_url + request.path + (f"?{asked}" if asked else "")
    if not sms.is_signed(url, form, signature, settings.twilio_auth_token):
        raise BadProviderSignature("Not taken: it is not signed by Twilio.")
    if form.get("MessageStatus") in sms.LOST:
        in_transaction(lambda: _tell_otherwise(message_id, f"{form['MessageStatus']} {form.get('ErrorCode', '')}"))
    return "", 204


def _tell_otherwise(message_id: uuid.UUID, why: str) -> None:
    now = utcnow()
    message = service.bounce(message_id, why.strip(), now=now)
    if message is not None:
        handler = HANDLERS.get(message.kind, "notify_customer")
        outbox.enqueue(message.event_id, handler, message.order_id, now=now)


def _shown(email: str) -> dict[str, Any]:
    customer = current_caller().client_id, email
    said = preferences.wanted([customer]).get(customer)
    settings: Settings = current_app.extensions["settings"]
    usual = {preferences.OTHERS: list(settings.message_channels)}
    return {"email": email, "channels": usual if said is None else said, "is_default": said is None}
