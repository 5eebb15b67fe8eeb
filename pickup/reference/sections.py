"""From the OpenAPI document to what a reader sees: sections of operations with tables and examples. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pickup.core.openapi import EVENT_STREAM, JSON, REFERENCE, Document, operations
from pickup.reference import snippets

PROBLEM = "application/problem+json"

# The name, and what follows the number or numbers.
LIMITS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " members"),
)
# Nobody sends as much as this; as a limit it only says that there is none to speak of.
BEYOND_COUNTING = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of parameters or of the members of a body."""

    parents: str
    name: str
    kind: str
    required: bool
    words: str
    limits: str
    values: tuple[str, ...]
    place: str = "body"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: str
    words: str
    rows: tuple[Row, ...]
    example: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code that an operation may be refused with."""

    status: str
    code: str
    title: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an address, and all there is to say about it."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    scopes: tuple[str, ...]
    parameters: tuple[Row, ...]
    body: tuple[Row, ...]
    curl: str
    answers: tuple[Answer, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The operations with one tag."""

    id: str
    title: str
    words: str
    operations: tuple[Operation, ...]


def sections_of(document: Document) -> list[Section]:
    """The document in the order of its tags."""
    made = [(item["tags"][0], _operation(document, path, method, item)) for path, method, item in operations(document)]
    return [
        Section(
            tag["name"],
            tag["name"].capitalize(),
            tag.get("description", ""),
            tuple(operation for name, operation in made if name == tag["name"]),
        )
        for tag in document["tags"]
    ]


def refused_operations(sections: list[Section]) -> dict[str, list[Operation]]:
    """Which operations may answer with which code."""
    found: dict[str, list[Operation]] = {}
    for section in sections:
        for operation in section.operations:
            for refusal in operation.refusals:
                found.setdefault(refusal.code, []).append(operation)
    return found


def parameters_of(document: Document, path: str, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of an operation with those of its address."""
    return [*document["paths"][path].get("parameters", ()), *operation.get("parameters", ())]


def _operation(document: Document, path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    schemas = document["components"]["schemas"]
    parameters = parameters_of(document, path, operation)
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        words=operation.get("description", ""),
        scopes=tuple(scope for requirement in operation["security"] for scope in requirement["apiKey"]),
        parameters=tuple(_parameter(parameter, schemas) for parameter in parameters),
        body=tuple(_rows(body.get("schema", {}), schemas)),
        curl=snippets.curl(method, path, parameters, body.get("example")),
        answers=tuple(_answers(operation["responses"], schemas)),
        refusals=tuple(_refusals(operation["responses"])),
    )


def _answers(responses: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Answer]:
    for status, response in responses.items():
        if status.startswith("2"):
            content = response.get("content", {})
            media = content.get(JSON, {})
            example = snippets.as_json(media["example"]) if "example" in media else None
            example = content.get(EVENT_STREAM, {}).get("example", example)
            yield Answer(status, response["description"], tuple(_rows(media.get("schema", {}), schemas)), example)


def _refusals(responses: Mapping[str, Any]) -> Iterator[Refusal]:
    for status, response in responses.items():
        for code, example in response.get("content", {}).get(PROBLEM, {}).get("examples", {}).items():
            yield Refusal(status, code, example["summary"])


def _parameter(parameter: Mapping[str, Any], schemas: Mapping[str, Any]) -> Row:
    schema = {"description": parameter.get("description", "")} | parameter["schema"]
    return _row("", parameter["name"], schema, parameter.get("required", False), schemas, place=parameter["in"])


def _rows(schema: Mapping[str, Any], schemas: Mapping[str, Any], parents: str = "") -> Iterator[Row]:
    """The members of an object, each followed by its own members."""
    whole = _resolved(schema, schemas)
    if "items" in whole:
        yield from _rows(whole["items"], schemas, parents.removesuffix(".") + "[].")
    for name, member in whole.get("properties", {}).items():
        yield _row(parents, name, member, name in whole.get("required", ()), schemas)
        yield from _rows(member, schemas, f"{parents}{name}.")


def _row(
    parents: str, name: str, schema: Mapping[str, Any], required: bool, schemas: Mapping[str, Any], place: str = "body"
) -> Row:
    whole = _resolved(schema, schemas)
    inner = _resolved(whole.get("items", {}), schemas)
    values = whole.get("enum") or inner.get("enum") or ()
    words = schema.get("description") or (whole.get("description", "") if whole.get("properties") else "")
    return Row(
        parents=parents,
        name=name,
        kind=_kind(whole, inner),
        required=required,
        words=_sentence(words),
        limits=", ".join(_limits(whole)),
        values=tuple(str(value) for value in values if value is not None),
        place=place,
    )


def _sentence(words: str) -> str:
    """A fragment or a sentence as a line of a table: with a capital, and without the point that stands alone."""
    words = words[:1].upper() + words[1:]
    return words if ". " in words else words.removesuffix(".")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed; what stands beside the reference goes before what it leads to."""
    if "anyOf" in schema:
        first, *others = schema["anyOf"]
        found = _resolved(first, schemas)
        if {"type": "null"} in others:
            found["type"] = [found.get("type"), "null"]
        return found | {name: value for name, value in schema.items() if name != "anyOf"}
    if "$ref" in schema:
        found = _resolved(schemas[schema["$ref"].removeprefix(REFERENCE)], schemas)
        return found | {name: value for name, value in schema.items() if name != "$ref"}
    return dict(schema)


def _kind(schema: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "any")
    main, *others = kinds if isinstance(kinds, list) else [kinds]
    kind = str(schema.get("format", main) if main == "string" else main)
    names = {"array": f"list of {inner.get('type', 'any')}s", "integer": "whole number", "date-time": "time"}
    return " or ".join([names.get(kind, kind), *others])


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for low, high, unit in LIMITS:
        least, most = schema.get(low), schema.get(high)
        if most is not None and most >= BEYOND_COUNTING:
            most = None
        if least is not None and most is not None:
            yield f"{least:,} to {most:,}{unit}" if least != most else f"{least:,}{unit}"
        elif most is not None:
            yield f"at most {most:,}{unit}"
        elif least is not None and unit == "":
            yield f"from {least:,}"
    if schema.get("default") not in (None, ""):
        yield f"{schema['default']} if left out"
