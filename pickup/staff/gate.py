"""The gate before every page of the staff: who is there, and whether the tablet is open."""

from urllib.parse import quote

from flask import flash, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.core.clock import utcnow
from pickup.core.languages import _, later
from pickup.staff import sessions
from pickup.staff.people import Associate
from pickup.stores.directory import fresh_directory

# What a page asks for by itself does not keep the tablet open, and writes no cookie: it could undo what a form has
# just put into it.
BY_ITSELF = frozenset({"staff.refresh_board", "live.stream_board", "offline.take_along", "picking.refresh_round"})
# An answer without content tells a browser not to ask for a stream again; of a page it would complain.
STREAM = "live.stream_board"
LOCKED_WORDS = later("The tablet was locked, so the last step was not taken. Take it once more.")


def admit(*, comes_back: bool = False) -> BaseResponse | None:
    """Let whoever is signed in through, as `g.member` at `g.store`; ask all others who they are.

    Args:
        comes_back: whether whoever signs in goes on to the page that they asked for.
    """
    if (request.endpoint or "").endswith(".static"):
        return None
    now = utcnow()
    found = sessions.signed_in(now=now)
    if request.endpoint == STREAM and (found is None or sessions.is_locked(now=now)):
        return BaseResponse(status=204)
    if found is None:
        return redirect(url_for("sign_in.ask", next=address() if comes_back else None), 303)
    g.member, g.store = found, fresh_directory().by_id[found.store_id]
    if sessions.is_locked(now=now):
        if request.method != "GET":
            flash(_(LOCKED_WORDS), "calm")
        return redirect(url_for("sign_in.locked", next=address()), 303)
    if request.endpoint not in BY_ITSELF:
        sessions.touch(now=now)
    return None


def member() -> Associate:
    """Who is signed in."""
    found: Associate = g.member
    return found


def address() -> str | None:
    """What was asked for, to come back to; nothing where it was a step, which is not taken twice by mistake."""
    if request.method != "GET" or request.endpoint in BY_ITSELF:
        return None
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")
