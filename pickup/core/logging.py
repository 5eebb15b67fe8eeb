"""Structured logs: one JSON object a line, with the request id that a job inherits from the request behind it."""

import logging
import re
import sys
from typing import Any

import structlog
from flask import Flask, Response, g, request

from pickup.core.types import new_id

# A log is read by many, kept by others, and nothing can be erased from it: so it says nothing about anybody. Each is
# what it looks like, and what is written instead.
MASKS = (
    (re.compile(r"[\w.+%-]+@(?=[\w-]+\.\w)"), "…@"),
    # A telephone number as providers quote it (E.164).
    (re.compile(r"\+[1-9]\d{6,14}(?!\d)"), "+…"),
    # What PostgreSQL quotes of a row that it refuses.
    (re.compile(r"(Failing row contains|Key \([^)]*\)=)\s*\(.*?\)(?=\.|\s|$)", re.DOTALL), r"\1 (…)"),
    # What somebody looked for stands in the query of an address.
    (re.compile(r"([A-Z]{3,7} /[^\s?\"]*)\?[^\s\"]*"), r"\1?…"),
)

REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID_MAX_LENGTH = 64

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure() -> None:
    """Send our own and every library's log lines through one JSON renderer to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def mask(_: Any, __: str, said: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Leave out of a log line what it may say about a person."""
    for name, value in said.items():
        if isinstance(value, str):
            for pattern, instead in MASKS:
                value = pattern.sub(instead, value)
            said[name] = value
    return said


def request_id() -> str:
    """The id of the request or job that is being served; empty outside of one."""
    value = structlog.contextvars.get_contextvars().get("request_id", "")
    return str(value)


def init_app(app: Flask) -> None:
    """Give every request an id: the caller's own, where it sent a sensible one."""

    @app.before_request
    def bind_request_id() -> None:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        usable = 0 < len(given) <= REQUEST_ID_MAX_LENGTH and given.isascii() and given.isprintable()
        g.request_id = given if usable else new_id().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def show_request_id(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.get("request_id", "")
        return response
