"""Which language a page speaks: what its reader has chosen, else what is known of them, else what the browser asks for.

The switch is a link to the same page with `?language=es`: it works without JavaScript and without a form, the answer
is the page itself, and what was chosen is kept in a cookie of its own, which says nothing about anybody.
"""

from urllib.parse import quote, urlencode

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from pickup.core import languages
from pickup.core.cookies import cookie_name, set_long_cookie

COOKIE = "language"


def choose(*, is_translated: bool, own_path: str) -> BaseResponse | None:
    """Begin to speak the reader's language; where they have just chosen it, lead them back without the question.

    Args:
        is_translated: whether the page has words in all languages; others speak English.
        own_path: the address of the page, if it is one of ours.
    """
    languages.speak(languages.DEFAULT)
    g.speaks_all_languages = is_translated
    if not is_translated:
        return None
    chosen = _known(request.args.get(COOKIE))
    if chosen and request.method == "GET":
        return _keep(chosen, own_path)
    languages.speak(_known(request.cookies.get(cookie_name(COOKIE))) or _asked_for() or languages.DEFAULT)
    return None


def prefer(code: str) -> None:
    """What the order says about its customer: it counts before the browser, and after what was chosen by the switch.

    Except for English, which an order has, too, if its shop knew nothing: then the browser knows more.
    """
    known = _known(code)
    if known and known != languages.DEFAULT and not _known(request.cookies.get(cookie_name(COOKIE))):
        languages.speak(known)


def label(response: Response) -> Response:
    """Say which language the answer has, and what that hangs on."""
    response.headers["Content-Language"] = languages.spoken().code
    if is_offered():
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def is_offered() -> bool:
    """Whether the page has words in all languages."""
    return bool(g.get("speaks_all_languages"))


def switch() -> list[tuple[languages.Language, str]]:
    """The languages with the links that switch to them; empty where they would lead nowhere."""
    can_be_opened = request.url_rule is None or "GET" in (request.url_rule.methods or ())
    if not is_offered() or not can_be_opened:
        return []
    return [(language, _link(language.code)) for language in languages.LANGUAGES.values()]


def init_app(app: Flask) -> None:
    """Read the catalogues, give templates their words, and let no request speak on in the next one."""
    for code in languages.LANGUAGES:
        languages.words_of(code)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        languages.gettext, languages.ngettext, newstyle=True
    )
    app.jinja_env.globals |= {
        "language": languages.spoken,
        "direction": languages.direction,
        "language_switch": switch,
    }
    app.teardown_request(lambda _error: languages.speak(languages.DEFAULT))


def _known(code: str | None) -> str | None:
    return code if code in languages.LANGUAGES else None


def _asked_for() -> str | None:
    """The best of those that the browser asks for."""
    wanted = (languages.match(tag) for tag, quality in request.accept_languages if quality > 0)
    return next((code for code in wanted if code), None)


def _link(code: str) -> str:
    return "?" + urlencode([*_rest_of_query(), (COOKIE, code)])


def _keep(code: str, own_path: str) -> BaseResponse:
    query = urlencode(_rest_of_query())
    path = quote(own_path)
    response = redirect(f"{path}?{query}" if path and query else path or "/", 303)
    set_long_cookie(response, COOKIE, code)
    return response


def _rest_of_query() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.args.items(multi=True) if name != COOKIE]
