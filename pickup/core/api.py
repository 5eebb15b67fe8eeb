"""flask-smorest as this house uses it: strict JSON, problem documents, a scope on every route, OpenAPI 3.1."""

import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import flask_smorest
from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from pickup.core import auth, problems
from pickup.core.schemas import ProblemSchema

View = TypeVar("View", bound=Callable[..., Any])

DOCUMENTED_PROBLEMS = {
    400: "The request is malformed.",
    404: "There is no such thing.",
    409: "The state of things does not allow it.",
    422: "Some fields are not acceptable.",
    503: "A needed part is down; try again.",
}


class StrictJSONProvider(DefaultJSONProvider):
    """JSON by RFC 8259: NaN and the infinities are not JSON. Members keep their order on the way out."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        if isinstance(s, bytes):
            s = s.decode("utf-8")
        return json.loads(s, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class StrictParser(FlaskParser):
    """Request parsing that says 400 for what is no JSON, and 415 for what does not claim to be."""

    def load_json(self, req: Any, schema: Any) -> Any:
        if not req.is_json:
            raise UnsupportedMediaType("Send JSON, and say so: `Content-Type: application/json`.")
        try:
            document = req.json_module.loads(req.get_data())
        except UnicodeDecodeError:
            raise BadRequest("The body is not UTF-8.") from None
        except ValueError as error:
            raise BadRequest(f"The body is not JSON: {str(error)[:200]}.") from None
        except RecursionError:
            raise BadRequest("The body is nested too deeply.") from None
        if not isinstance(document, dict):
            raise BadRequest("The body must be a JSON object.")
        return document


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest comes without types
    """A group of routes."""

    ARGUMENTS_PARSER = StrictParser()


class Api(flask_smorest.Api):  # type: ignore[misc]
    """The API and its OpenAPI document."""

    ERROR_SCHEMA = ProblemSchema

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer with a problem document; flask-smorest's own form is not RFC 9457."""
        return problems.from_http_exception(error)


def requires(*scopes: auth.Scope) -> Callable[[View], View]:
    """Only a key with one of these scopes gets in; says so in the OpenAPI document, too."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            auth.authenticate(frozenset(scopes))
            return view(*args, **kwargs)

        guarded.required_scopes = frozenset(scopes)  # type: ignore[attr-defined]
        documented: View = Blueprint.doc(
            security=[{"apiKey": list(scopes)}],
            responses={str(status): {"$ref": f"#/components/responses/{status}"} for status in (401, 403)},
        )(guarded)
        return documented

    return decorate


def refuses(*statuses: int) -> Callable[[View], View]:
    """Document which refusals a route may answer with, beside those that every route may."""

    def decorate(view: View) -> View:
        documented: View = Blueprint.doc(
            responses={str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}
        )(view)
        return documented

    return decorate


def init_app(app: Flask) -> Api:
    """Set up the API; feature blueprints are registered on what this returns."""
    app.json = StrictJSONProvider(app)
    app.config.update(
        API_TITLE="Store pickup",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = Api(app)
    api.spec.components.security_scheme("apiKey", {"type": "http", "scheme": "bearer", "description": "an API key"})
    for status in (400, 401, 402, 403, 404, 409, 415, 422, 429, 503):
        api.spec.components.response(
            str(status),
            {
                "description": DOCUMENTED_PROBLEMS.get(status, HTTPStatus(status).phrase),
                "content": {problems.MEDIA_TYPE: {"schema": ProblemSchema}},
            },
        )
    app.before_request(_refuse_nul)
    return api


def _refuse_nul() -> None:
    """PostgreSQL keeps no NUL, and no name of ours has one: better said here once than by each route."""
    if "\x00" in request.path or b"%00" in request.query_string:
        raise BadRequest("A NUL byte in the address.")


def wait_preference(maximum_seconds: int) -> int:
    """How long the client is ready to wait (`Prefer: wait=N`, RFC 7240), bounded; 0 where it does not say."""
    for preference in request.headers.get("Prefer", "").split(","):
        name, _, value = preference.split(";")[0].partition("=")
        if name.strip().lower() == "wait" and value.strip().strip('"').isdigit():
            return min(int(value.strip().strip('"')[:4]), maximum_seconds)
    return 0
