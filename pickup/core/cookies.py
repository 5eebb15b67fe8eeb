"""Cookies of ours besides the session: what a browser remembers, and under which name."""

from flask import current_app
from werkzeug.wrappers import Response

LONG_COOKIE_SECONDS = 400 * 24 * 3600  # the longest that browsers keep one
# Browsers take a cookie of this name only over https, for this host alone, and for all of it.
HOST_ONLY = "__Host-"


def cookie_name(name: str) -> str:
    """A cookie of ours as browsers know it: over https no other host, and no part of this one, can set it."""
    return HOST_ONLY + name if current_app.config["SESSION_COOKIE_SECURE"] else name


def set_long_cookie(response: Response, name: str, value: str) -> None:
    """Let a browser remember something for as long as it does."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=LONG_COOKIE_SECONDS,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
