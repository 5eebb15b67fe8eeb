"""HTTP of the work without a network: the app that a tablet installs, what it takes along, and what it sends later."""

import uuid
from datetime import datetime
from typing import Any

from flask import Response, flash, g, jsonify, redirect, render_template, request, url_for
from flask_wtf.csrf import generate_csrf
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.languages import _, later
from pickup.core.pages import Pages, asset
from pickup.orders import queries as orders
from pickup.orders.models import Order
from pickup.orders.pickup_code import WRONG_CODES_MAX
from pickup.staff import offline, offline_codes, presenting, sessions
from pickup.staff.gate import admit, member
from pickup.staff.models import OfflineAction
from pickup.staff.offline_cards import conflict_words
from pickup.staff.offline_schemas import StepSchema
from pickup.staff.people import Associate
from pickup.stores.directory import StoreEntry, fresh_directory

# What the app needs to open without a network, besides its page.
FILES = (
    ("pages.static", "pages.css"),
    ("pages.static", "icon.svg"),
    ("staff.static", "staff.css"),
    ("staff.static", "offline.css"),
    ("staff.static", "offline.js"),
)

blueprint = Pages(
    "offline",
    __name__,
    url_prefix="/staff",
    static_folder=None,
    way_back=("/staff", later("Back to the orders")),
    is_translated=True,
)


@blueprint.get("/app.webmanifest")
def manifest() -> Response:
    """What a browser needs to put the tablet page on the home screen."""
    icon = {"src": url_for("pages.static", filename="icon.svg"), "sizes": "any", "type": "image/svg+xml"}
    answer = jsonify(
        id="/staff",
        name=_("Store pickup"),
        short_name=_("Pickup"),
        start_url="/staff",
        scope="/staff",
        display="standalone",
        background_color="#f6f7f6",
        theme_color="#14532d",
        icons=[icon, icon | {"purpose": "maskable"}],
    )
    answer.content_type = "application/manifest+json"
    return answer


@blueprint.get("/worker.js")
def worker() -> Response:
    """The service worker: it stands in for the server while there is no network."""
    files = [asset(*each) for each in FILES] + [url_for("staff.static", filename="notebook.js")]
    answer = Response(render_template("staff/worker.js", files=files), content_type="text/javascript; charset=utf-8")
    answer.headers["Service-Worker-Allowed"] = "/staff"
    return answer


@blueprint.get("/offline")
def show() -> str:
    """The board without a network. It holds nothing of any store: that, the tablet has taken along."""
    return render_template("staff/offline.html")


@blueprint.get("/offline/orders")
def take_along() -> Response | BaseResponse:
    """What a tablet needs to go on without a network: the store's open orders, and how to know a code."""
    if (refused := admit()) is not None:
        return refused
    return jsonify(_luggage(member(), g.store, utcnow()))


@blueprint.post("/offline/steps")
def send() -> Response | BaseResponse | tuple[Response, int]:
    """Take a step that was taken without a network; also while the tablet is locked, for it was open then."""
    now = utcnow()
    who = sessions.signed_in(now=now)
    if who is None:
        return jsonify(code="signed_out"), 401
    g.member, g.store = who, fresh_directory().by_id[who.store_id]
    step = _read()
    row = in_transaction(lambda: offline.replay(who, step, now=now))
    return jsonify(_outcome(row))


@blueprint.post("/offline/conflicts/<uuid:key>")
def settle(key: uuid.UUID) -> BaseResponse:
    """Somebody has put right what could not be taken any more."""
    if (refused := admit()) is not None:
        return refused
    who = member()
    in_transaction(lambda: offline.settle(who, key, now=utcnow()))
    flash(_("Noted as settled."), "done")
    return redirect(url_for("staff.show_board"), 303)


def _luggage(who: Associate, store: StoreEntry, now: datetime) -> dict[str, Any]:
    day = offline.salt_day(store, now)
    salt = offline_codes.salt_of(store.id, day)
    return {
        "at": rfc3339(now),
        "store": {"ref": store.ref, "name": store.name},
        "member": {"id": who.id, "name": who.name, "is_manager": who.is_manager},
        "shift": offline.shift_of(who),
        "csrf_token": generate_csrf(),
        "codes": {"salt_day": day.isoformat(), "salt": salt.hex(), "rounds": offline_codes.ROUNDS},
        "orders": [_take(order, who, salt, now) for order in orders.open_orders_at(store.id)],
    }


def _take(order: Order, who: Associate, salt: bytes, now: datetime) -> dict[str, Any]:
    card = presenting.present_card(order, now=now)
    return {
        "card": card,
        "minimum_age": card.minimum_age,
        "proofs": offline_codes.proofs_of(order, salt),
        "is_locked": order.wrong_codes >= WRONG_CODES_MAX and not who.is_manager,
    }


def _outcome(row: OfflineAction) -> dict[str, Any]:
    words = conflict_words(row) if row.outcome == "conflict" else ""
    return {"key": str(row.key), "outcome": row.outcome, "detail": row.detail, "words": words}


def _read() -> offline.Step:
    """The step of the request.

    Raises:
        InvalidFields: with the place of each bad field.
    """
    try:
        document = request.get_json()
    except RecursionError:
        raise BadRequest("No step is nested like that.") from None
    try:
        fields: dict[str, Any] = StepSchema().load(document)
    except ValidationError as error:
        messages: dict[str, list[str]] = error.messages_dict
        errors = [FieldError(f"/{name}", words[0]) for name, words in messages.items()]
        raise InvalidFields("The step has bad fields.", errors=errors) from None
    return offline.Step(**fields)
