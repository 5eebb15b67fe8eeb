"""Every refusal as `application/problem+json` (RFC 9457). The only place that turns an error into HTTP."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, request
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from pickup.core.db import BUSY_SQLSTATES, sqlstate, undo
from pickup.core.errors import DomainError, FieldError, InvalidFields, Unavailable
from pickup.core.logging import log, request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

# The codes of refusals that come from HTTP itself rather than from a feature.
HTTP_CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_fields",
    429: "too_many_requests",
    500: "internal_error",
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document, or a page where a person asks (`pages.error_page`).

    `type` leads to the paragraph of the documentation that explains the code.
    """
    page: Response | None = current_app.extensions["error_page"](status, code, title, detail, headers or {})
    if page is not None:
        return page
    document: dict[str, Any] = {
        "type": f"/docs/problems#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        document["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    if request_id():
        document["request_id"] = request_id()
    document |= members or {}
    return Response(json.dumps(document), status, dict(headers or {}), content_type=MEDIA_TYPE)


def from_domain_error(error: DomainError) -> Response:
    """The answer to a refusal of a feature; whatever it had begun is undone."""
    undo()
    return of(error)


def of(error: DomainError) -> Response:
    """A refusal as a document, and nothing else."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.kind.value == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        error.kind.value,
        error.code,
        error.title,
        error.detail,
        errors=error.errors,
        members=error.members,
        headers=headers,
    )


def from_http_exception(error: HTTPException) -> Response:
    """The answer to what HTTP, the router or a schema refuses. Headers stay: a 405 keeps its `Allow`."""
    undo()
    status = error.code or 500
    messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and isinstance(messages, dict):
        return from_domain_error(invalid_fields(messages))
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")}
    code = HTTP_CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
    return problem(status, code, HTTPStatus(status).phrase, error.description or "", headers=headers)


def invalid_fields(messages: Mapping[str, Any]) -> InvalidFields:
    """marshmallow's nested messages, `{location: {field: {index: […]}}}`, as JSON pointers."""
    errors = tuple(error for location in messages.values() for error in _pointers(location, ""))
    return InvalidFields("; ".join(f"{error.pointer or '/'}: {error.detail}" for error in errors[:5]), errors=errors)


def _pointers(messages: Any, path: str) -> Iterator[FieldError]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            # `_schema` is marshmallow's name for "the object as a whole"; ~ and / are escaped by RFC 6901.
            step = "" if name == "_schema" else "/" + _printable(name).replace("~", "~0").replace("/", "~1")
            yield from _pointers(inner, path + step)
    elif isinstance(messages, list):
        for message in messages:
            yield from _pointers(message, path)
    else:
        yield FieldError(path, str(messages))


def _printable(name: object) -> str:
    """A sender's own field name, short and safe to show."""
    return str(name)[:100].encode("ascii", "backslashreplace").decode()


def from_database_error(error: DBAPIError) -> Response:
    """A database that is down or busy is the caller's cue to try again; anything else is our fault."""
    undo()
    state = sqlstate(error)
    lost = error.connection_invalidated or isinstance(error, InterfaceError)
    if state in BUSY_SQLSTATES or lost or (isinstance(error, OperationalError) and state is None):
        log.warning("database_unavailable", sqlstate=state, error=str(error.orig)[:300])
        return _unavailable("The database is busy or out of reach.")
    return from_fault(error)


def from_fault(error: Exception) -> Response:
    """A fault of ours: the log has the trace, the caller has the request id."""
    undo()
    log.error("fault", path=request.path, method=request.method, exc_info=error)
    return problem(
        500,
        HTTP_CODES[500],
        HTTPStatus(500).phrase,
        "This is our fault, not yours; the log has the details.",
    )


def _unavailable(detail: str) -> Response:
    return from_domain_error(Unavailable(detail, retry_after_seconds=RETRY_AFTER_SECONDS))


def init_app(app: Flask) -> None:
    """Register the handlers, most specific first by Flask's own rule."""
    app.register_error_handler(DomainError, from_domain_error)
    app.register_error_handler(HTTPException, from_http_exception)
    app.register_error_handler(DBAPIError, from_database_error)
    app.register_error_handler(PoolTimeout, lambda error: _unavailable("Every database connection is in use."))
    app.register_error_handler(RedisError, lambda error: _unavailable("The queue is out of reach."))
    app.register_error_handler(Exception, from_fault)
