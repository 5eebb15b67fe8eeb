"""The development pages /dev/messages: what every message says, in every language, from sample data.

What stands in `PICKUP_MESSAGES_FOLDER` is read anew with each page: whoever writes a template sees it at once.
"""

import traceback
from base64 import b64encode

from flask import Blueprint, Response, abort, current_app, make_response, render_template, request

from pickup.config import Settings
from pickup.core.languages import LANGUAGES
from pickup.dev.views import MAIL_POLICY, PAGE_POLICY
from pickup.notifications.writing import PARTS, Writer
from pickup.orders.message_contexts import QR_CONTENT_ID
from pickup.orders.message_samples import VARIETIES, samples
from pickup.orders.telling import qr_png

blueprint = Blueprint("dev_messages", __name__, url_prefix="/dev/messages")


@blueprint.get("", strict_slashes=False)
def message_list() -> Response:
    """All kinds, in all languages."""
    return _page("dev/message_list.html", kinds=list(PARTS), languages=list(LANGUAGES.values()))


@blueprint.get("/<language>/<kind>")
def message(language: str, kind: str) -> Response:
    """One message, part by part; a template that is broken says why."""
    variety = _variety(language, kind)
    parts = {part: _write(kind, part, language, variety) for part in PARTS[kind] if part != "html"}
    return _page(
        "dev/message.html",
        kind=kind,
        language=LANGUAGES[language],
        languages=list(LANGUAGES.values()),
        variety=variety,
        varieties=VARIETIES,
        parts=parts,
    )


@blueprint.get("/<language>/<kind>/html")
def message_html(language: str, kind: str) -> Response:
    """The HTML part as the frame shows it, with its picture inside."""
    html = _write(kind, "html", language, _variety(language, kind))
    code = samples(kind, language)["usual"].get("code")
    if code:
        html = html.replace(f"cid:{QR_CONTENT_ID}", f"data:image/png;base64,{b64encode(qr_png(code)).decode()}")
    response = make_response('<base target="_blank">' + html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _variety(language: str, kind: str) -> str:
    variety = request.args.get("variety", VARIETIES[0])
    if language not in LANGUAGES or kind not in PARTS or variety not in VARIETIES:
        abort(404)
    return variety


def _write(kind: str, part: str, language: str, variety: str) -> str:
    settings: Settings = current_app.extensions["settings"]
    try:
        return Writer(settings.messages_folder).write_theirs(kind, part, language, samples(kind, language)[variety])
    except Exception:  # whoever writes it wants to see it
        return f"<pre>{traceback.format_exc(limit=-2)}</pre>" if part == "html" else traceback.format_exc(limit=-2)


def _page(template: str, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
