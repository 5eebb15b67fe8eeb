"""flask-smorest as this house uses it: strict JSON, problem documents, a scope on every route, OpenAPI 3.1."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, wraps
from typing import Any, NoReturn, TypeVar

import flask_smorest
from flask import Flask, Response, current_app, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from pickup.core import auth, openapi, problems, refusals
from pickup.core.errors import DomainError
from pickup.core.schemas import ProblemSchema

View = TypeVar("View", bound=Callable[..., Any])

# What every operation may answer with, and what those with a body or a query add to it.
ALWAYS: tuple[int | type[DomainError], ...] = (400, 503, auth.Unauthenticated, auth.ScopeMissing)
WITH_BODY = (413, 415, 422)
WITH_QUERY = (422,)
WAIT_AND_REPEAT = (429, 503)

DESCRIPTION = """\
Orders from the web, collected in a store: find stores, quote a basket, place orders and follow them, keep tills and
stock in step.

Readable documentation is at [/docs](/docs), every refusal is explained at [/docs/problems](/docs/problems).
Answers may get new members at any time: ignore those you do not know.
"""


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

    def __init__(self, *args: Any, path_parameters: Mapping[str, Mapping[str, Any]] | None = None, **kwargs: Any):
        """
        Args:
            path_parameters: what the OpenAPI document says of the variable parts of this group's addresses, by name.
        """
        self.path_parameters = path_parameters or {}
        super().__init__(*args, **kwargs)

    def add_url_rule(self, rule: str, *args: Any, **kwargs: Any) -> None:
        said = [
            {"in": "path", "name": name, **words} for name, words in self.path_parameters.items() if f"<{name}>" in rule
        ]
        super().add_url_rule(rule, *args, **kwargs | {"parameters": said})

    def arguments(self, schema: Any, *, location: str = "json", **kwargs: Any) -> Callable[[View], View]:
        # One instance for all requests: a class would be made into one with each, and its fields copied.
        parse = super().arguments(schema() if isinstance(schema, type) else schema, location=location, **kwargs)
        document = refuses(*(WITH_BODY if location == "json" else WITH_QUERY))
        return lambda view: document(parse(view))


class Api(flask_smorest.Api):  # type: ignore[misc]
    """The API and its OpenAPI document."""

    ERROR_SCHEMA = ProblemSchema
    # Each operation names its refusals; "anything else" would say nothing.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer with a problem document; flask-smorest's own form is not RFC 9457."""
        return problems.from_http_exception(error)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document, complete. Asked for when every blueprint is registered."""
        names = self.ma_plugin.converter.refs
        meanings = {name: inspect.getdoc(key[0]) or "" for key, name in names.items()}
        return openapi.complete(self.spec.to_dict(), meanings)

    def _openapi_json(self) -> Response:
        return jsonify(self.document)


def document_of(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an app."""
    api: Api = app.extensions["api"]
    return api.document


def requires(*scopes: auth.Scope) -> Callable[[View], View]:
    """Only a key with one of these scopes gets in. Every route of the API has this, so it also names the operation."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            auth.authenticate(frozenset(scopes))
            return view(*args, **kwargs)

        guarded.required_scopes = frozenset(scopes)  # type: ignore[attr-defined]
        documented: View = Blueprint.doc(
            operationId=_camel_case(view.__name__),
            # One requirement for each scope: any of them is enough.
            security=[{"apiKey": [scope]} for scope in scopes],
        )(guarded)
        return refuses(*ALWAYS)(documented)

    return decorate


def refuses(*reasons: int | type[DomainError]) -> Callable[[View], View]:
    """Document how a route may refuse: by errors of a feature, or by a status that stands for the general case."""

    def decorate(view: View) -> View:
        documented: View = Blueprint.doc(responses=_responses(reasons))(view)
        return documented

    return decorate


def accepts_headers(*headers: Mapping[str, Any]) -> Callable[[View], View]:
    """Document headers that a route reads, as OpenAPI parameters without their `in`."""

    def decorate(view: View) -> View:
        documented: View = Blueprint.doc()(view)
        # Beside those of a query: what `doc` is given itself would be in their place.
        arguments = documented._apidoc.setdefault("arguments", {})  # type: ignore[attr-defined]
        arguments.setdefault("parameters", []).extend({"in": "header", **header} for header in headers)
        return documented

    return decorate


def _responses(reasons: Iterable[int | type[DomainError]]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for reason in reasons:
        refusal = (
            refusals.of_status(reason, problems.HTTP_CODES) if isinstance(reason, int) else refusals.of_error(reason)
        )
        response = responses.setdefault(
            str(refusal.status),
            {
                "description": refusal.title,
                "content": {problems.MEDIA_TYPE: {"schema": ProblemSchema, "examples": {}}},
            },
        )
        if refusal.status in WAIT_AND_REPEAT:
            response["headers"] = {
                "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}}
            }
        response["content"][problems.MEDIA_TYPE]["examples"][refusal.code] = {
            "summary": refusal.title,
            "value": refusal.example(),
        }
    return responses


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def init_app(app: Flask) -> Api:
    """Set up the API; feature blueprints are registered on what this returns."""
    app.json = StrictJSONProvider(app)
    app.config.update(
        API_TITLE="Store pickup",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/", "description": "where this document comes from"}],
            "externalDocs": {"url": "/docs", "description": "Readable documentation"},
        },
    )
    api = Api(app)
    app.extensions["api"] = api
    # flask-smorest's command would print the document before it is complete.
    app.cli.commands.pop("openapi")
    api.spec.components.security_scheme(
        "apiKey",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, made by `flask client create NAME --scope SCOPE`. Each operation names the "
            "scope that it needs: `shop`, `pos` or `admin`.",
        },
    )
    app.before_request(_refuse_nul)
    return api


def _refuse_nul() -> None:
    """PostgreSQL keeps no NUL, and no name of ours has one: better said here once than by each route."""
    if "\x00" in request.path or b"%00" in request.query_string:
        raise BadRequest("A NUL byte in the address.")


def as_it_is(document: Any, status: int = 200) -> Response:
    """An answer of plain values, for long ones: the schema documents it, and is not asked to make it."""
    return Response(current_app.json.dumps(document), status, mimetype="application/json")


def wait_preference(maximum_seconds: int) -> int:
    """How long the client is ready to wait (`Prefer: wait=N`, RFC 7240), bounded; 0 where it does not say."""
    for preference in request.headers.get("Prefer", "").split(","):
        name, _, value = preference.split(";")[0].partition("=")
        if name.strip().lower() == "wait" and value.strip().strip('"').isdigit():
            return min(int(value.strip().strip('"')[:4]), maximum_seconds)
    return 0
