"""What the pages for people have in common: forms that only we can have made, strict headers, readable refusals.

The pages work without JavaScript and carry no code or style inside the HTML, so the content security policy can
forbid both. What is shown is private: nothing is cached, nothing is indexed, and no address is passed on to others
(the address of a pickup page is its key).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency
from babel.units import format_unit
from flask import Blueprint, Flask, Response, current_app, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.wrappers import Response as BaseResponse

from pickup.config import Settings
from pickup.core import language_choice
from pickup.core.cookies import HOST_ONLY
from pickup.core.errors import DomainError, Kind
from pickup.core.languages import _, gettext, later, spoken
from pickup.core.types import Money

SESSION_LIFETIME = timedelta(hours=12)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# How dates are written (CLDR patterns): a language puts the parts into its own order.
LONG = later("EEEE d MMMM, HH:mm")
SHORT = later("EEE d MMM, HH:mm")
CLOCK = later("HH:mm")
NEARBY_DAYS = {-1: later("yesterday %(time)s"), 0: "%(time)s", 1: later("tomorrow %(time)s")}
MILE_COUNTRIES = frozenset({"US", "GB", "LR", "MM"})
START = ("/", later("Go to the start page"))

# What the protocol says is for programs; this is for people. The codes are those of `problems.py`.
PLAIN_WORDS = {
    "malformed_request": (
        later("That did not arrive in one piece"),
        later("Nothing was changed. Go back and try again."),
    ),
    "not_found": (later("There is nothing here"), later("The address may be misspelt, or what was here is gone.")),
    "method_not_allowed": (
        later("There is nothing here to open"),
        later("This address only takes what a form sends to it."),
    ),
    "body_too_large": (later("That was too much"), later("Nothing was changed. Go back and send less.")),
    "unavailable": (
        later("One moment, please"),
        later("We are very busy or just starting. Nothing is lost; try again."),
    ),
    "internal_error": (
        later("That was our fault"),
        later("Something broke on our side. Nothing is lost; try again in a moment."),
    ),
    "page_expired": (
        later("This page was open for too long"),
        later("Nothing was changed. Open it again and repeat the last step."),
    ),
}

csrf = CSRFProtect()


class PageExpired(DomainError):
    """A form came back without the token that was put into it: an old page, or another site's."""

    kind = Kind.FORBIDDEN
    code = "page_expired"
    title = "This page was open for too long"


class Pages(Blueprint):
    """A group of pages: what comes in by a form is known to come from our own, what goes out is sealed."""

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        url_prefix: str | None = None,
        static_folder: str | None = "static",
        way_back: tuple[str, str] | None = None,
        is_translated: bool = False,
    ) -> None:
        """
        Args:
            is_translated: whether they have words in all languages; otherwise they speak English to everybody.
            way_back: where a refusal leads, and the words of that link; None where there is no better place.
        """
        super().__init__(
            name,
            import_name,
            url_prefix=url_prefix,
            template_folder="templates",
            static_folder=static_folder,
            static_url_path="/static",
        )
        self.way_back = way_back
        self.is_translated = is_translated
        self.before_request(_require_own_form)
        self.after_request(seal)


def seal(response: Response) -> Response:
    """Put the headers of a page on an answer. A file's own caching stays."""
    if not _is_file():
        language_choice.label(response)
    for name, value in HEADERS.items():
        if name != "Cache-Control" or not _is_file():
            response.headers[name] = value
    if _is_file() and response.status_code < 400 and "v" in request.args:
        # The address changes with the content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def error_page(status: int, code: str, title: str, detail: str, headers: Mapping[str, str]) -> Response | None:
    """A refusal as a page; None where a program is asking. `problems.py` asks here first."""
    pages = current_app.blueprints.get(request.blueprint or "")
    if _script_asks() or (not isinstance(pages, Pages) and not _browser_asks()):
        return None
    title, detail = map(gettext, PLAIN_WORDS.get(code, (title, detail)))
    path, words = (pages.way_back if isinstance(pages, Pages) else START) or ("", "")
    way_back = (path, gettext(words)) if path else None
    can_repeat = request.method == "GET" and status >= 500
    html = render_template(
        "pages/error.html", status=status, title=title, detail=detail, way_back=way_back, can_repeat=can_repeat
    )
    return seal(Response(html, status, dict(headers), content_type="text/html; charset=utf-8"))


def local(at: datetime, timezone: str, pattern: str = LONG) -> str:
    """An instant by the clocks of a place, in the reader's language.

    Args:
        pattern: of CLDR, in English; a language that orders the parts otherwise has its own in its catalogue.
    """
    return str(format_datetime(at.astimezone(ZoneInfo(timezone)), gettext(pattern), locale=spoken().formats))


def clock(at: datetime, timezone: str, now: datetime) -> str:
    """An instant as short as it can be said there: the time, and the day if it is not today's."""
    zone = ZoneInfo(timezone)
    days = (at.astimezone(zone).date() - now.astimezone(zone).date()).days
    if days in NEARBY_DAYS:
        return _(NEARBY_DAYS[days], time=local(at, timezone, CLOCK))
    return local(at, timezone, SHORT)


def money(amount: int, currency: str) -> str:
    """Minor units as the reader's language writes them."""
    return str(format_currency(Money(amount, currency).major(), currency, locale=spoken().formats))


def distance(metres: float, country: str, *, is_round: bool = False) -> str:
    """How far it is, in the unit of the road signs there; a round number without the zeros that measure nothing."""
    unit, metres_in_it = ("mile", 1609.344) if country in MILE_COUNTRIES else ("kilometer", 1000)
    far = metres / metres_in_it
    digits = "0.##" if is_round else "0.0" if far < 9.95 else "0"
    return format_unit(far, f"length-{unit}", length="short", format=digits, locale=spoken().formats)


def asset(endpoint: str, filename: str) -> str:
    """The address of one of our own files, which changes with its content: browsers may keep it for ever."""
    blueprint_name = endpoint.partition(".")[0]
    folder = current_app.blueprints[blueprint_name].static_folder
    return url_for(endpoint, filename=filename, v=_fingerprint(f"{folder}/{filename}"))


def own_address(text: str) -> str:
    """A path of ours that somebody was on the way to; empty if it is none, or leads anywhere else.

    Browsers read `\\` as `/`, leave out what cannot be printed, and take two slashes for another site.
    """
    leads_away = not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable()
    return "" if leads_away else text


def init_app(app: Flask, settings: Settings) -> None:
    """Set up sessions, tokens, templates and error pages."""
    is_secure = settings.public_url.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME=HOST_ONLY + "pickup" if is_secure else "pickup",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_secure,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        # A refresh in the background must not write the cookie: it could undo what a form has just put into it.
        SESSION_REFRESH_EACH_REQUEST=False,
        # The pages ask for the token themselves; the API has keys, not cookies, and needs none.
        WTF_CSRF_CHECK_DEFAULT=False,
        # A token lives as long as its session: a tablet shows the same page all morning.
        WTF_CSRF_TIME_LIMIT=None,
        # Our own Referrer-Policy keeps browsers from sending the header that this would look for.
        WTF_CSRF_SSL_STRICT=False,
    )
    csrf.init_app(app)
    app.before_request(_speak)
    language_choice.init_app(app)
    app.register_blueprint(Pages("pages", __name__))
    filters: dict[str, Any] = {"local": local, "clock": clock, "money": money}
    app.jinja_env.filters.update(filters)
    app.jinja_env.globals["asset"] = asset
    app.extensions["error_page"] = error_page


def _require_own_form() -> None:
    try:
        csrf.protect()
    except CSRFError:
        raise PageExpired("Nothing was changed. Open it again and repeat the last step.") from None


def _speak() -> BaseResponse | None:
    """In the reader's language, where there are words for it: on translated pages, and where there is no page."""
    pages = current_app.blueprints.get(request.blueprint or "")
    is_translated = pages.is_translated if isinstance(pages, Pages) else pages is None
    is_translated = is_translated and not _is_file() and not request.path.startswith("/v1/")
    return language_choice.choose(is_translated=is_translated, own_path=own_address(request.path))


def _is_file() -> bool:
    return (request.endpoint or "").endswith(".static")


def _browser_asks() -> bool:
    """Whether a browser waits for the answer; a program that takes anything, and the API at all times, do not count."""
    readable = request.accept_mimetypes.best_match(["application/problem+json", "text/html"])
    return readable == "text/html" and not request.path.startswith("/v1/")


def _script_asks() -> bool:
    """Whether a script of a page waits for the answer, and says that it reads documents."""
    return request.accept_mimetypes.best_match(["text/html", "application/problem+json"]) == "application/problem+json"


@cache
def _fingerprint(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
