"""`/healthz`: the process lives. `/readyz`: it can do its work: database and queue answer."""

from collections.abc import Callable

import redis
from flask import Blueprint, Response, current_app, jsonify
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pickup.core.db import db

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Alive. Asks nothing of anybody, so that a slow database does not get the process restarted."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether each part that is needed answers; 503 if one does not."""
    parts = {name: _answers(check) for name, check in CHECKS.items()}
    ready = all(parts.values())
    shown = {name: "ok" if well else "down" for name, well in parts.items()}
    return jsonify(status="ok" if ready else "down", **shown), 200 if ready else 503


def _answers(check: Callable[[], None]) -> bool:
    try:
        check()
    except (SQLAlchemyError, RedisError):
        db.session.rollback()
        return False
    return True


def _check_database() -> None:
    db.session.execute(text("SELECT 1"))


def _check_queue() -> None:
    client: redis.Redis = current_app.extensions["redis"]
    client.ping()


CHECKS: dict[str, Callable[[], None]] = {"database": _check_database, "queue": _check_queue}
