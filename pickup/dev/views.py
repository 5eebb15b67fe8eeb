"""The development pages: /dev/mail shows what the shop would have sent.

A mail is written by strangers to this page: its HTML is shown in a sandbox without scripts, and may load nothing.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default as modern
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, abort, current_app, make_response, render_template

from pickup.config import Settings

LIST_MAX = 200
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A link opens in a tab of its own, outside of the sandbox.
MAIL_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
SHOWN_HEADERS = ("From", "To", "Cc", "Reply-To", "Subject", "Date")
MAIL_ID = re.compile(r"[0-9a-f]{32}")

blueprint = Blueprint(
    "dev", __name__, url_prefix="/dev", template_folder="templates", static_folder="static", static_url_path="/static"
)


@dataclass(frozen=True)
class Line:
    """One mail in the list."""

    id: str
    to: str
    subject: str
    at: datetime


@blueprint.get("/mail")
def mail_list() -> Response:
    """The newest mails."""
    return _page("dev/mail_list.html", lines=[_line(path) for path in _newest(LIST_MAX)])


@blueprint.get("/mail/<mail_id>")
def mail(mail_id: str) -> Response:
    """One mail: its headers, its text, and its HTML in a frame."""
    message = _message(mail_id)
    return _page(
        "dev/mail.html",
        mail_id=mail_id,
        subject=str(message.get("Subject") or "(no subject)"),
        headers=[(name, str(message[name])) for name in SHOWN_HEADERS if message[name]],
        text=_body(message, "plain"),
        has_html=_body(message, "html") is not None,
        attachments=[part.get_filename() or part.get_content_type() for part in message.iter_attachments()],
    )


@blueprint.get("/mail/<mail_id>/html")
def mail_html(mail_id: str) -> Response:
    """The HTML part as the frame shows it, with its own images inside."""
    message = _message(mail_id)
    html = _body(message, "html")
    if html is None:
        abort(404)
    response = make_response('<base target="_blank">' + _with_images(html, message))
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _folder() -> Path:
    settings: Settings = current_app.extensions["settings"]
    if settings.mail_catcher_folder is None:
        abort(404)
    return settings.mail_catcher_folder


def _newest(count: int) -> list[Path]:
    return sorted(_folder().glob("*.eml"), key=lambda path: path.stat().st_mtime, reverse=True)[:count]


def _line(path: Path) -> Line:
    with path.open("rb") as file:
        headers = BytesHeaderParser(policy=modern).parse(file)
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Line(path.stem, str(headers.get("To", "")), str(headers.get("Subject") or "(no subject)"), at)


def _message(mail_id: str) -> EmailMessage:
    # The id becomes a file name: nothing but what the catcher makes may pass.
    path = _folder() / f"{mail_id}.eml"
    if not MAIL_ID.fullmatch(mail_id) or not path.is_file():
        abort(404)
    return BytesParser(policy=modern).parsebytes(path.read_bytes())


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content())


def _with_images(html: str, message: EmailMessage) -> str:
    """Put the images that came along where the HTML names them by `cid:`."""
    for part in message.walk():
        name = str(part.get("Content-ID", "")).strip().strip("<>")
        if name and part.get_content_maintype() == "image":
            image = b64encode(cast(bytes, part.get_payload(decode=True))).decode()
            html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{image}")
    return html


def _page(template: str, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
