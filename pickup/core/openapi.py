"""What an OpenAPI document needs beyond what flask-smorest and apispec derive from views and schemas. Pure.

answers      list every member that they always have, and may grow: a generated client gets whole types, and does
             not break on a new member
examples     of bodies are put together from those of their fields, here and nowhere else
parameters   of a query are absent or present, never null
refusals     are named by their codes
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

Document = dict[str, Any]

REFERENCE = "#/components/schemas/"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
# In a field's metadata: an answer may come without this member.
SOMETIMES = "x-sometimes"
# The order in which people read an operation.
ORDER = ("tags", "operationId", "summary", "description", "security", "parameters", "requestBody", "responses")

EXAMPLES_BY_FORMAT = {
    "date": "2026-12-24",
    "date-time": "2026-03-02T15:00:00Z",
    "email": "ada@example.com",
    "uuid": "019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f",
}


def complete(document: Document, meanings: dict[str, str]) -> Document:
    """Finish a document as apispec leaves it; changes it in place and returns it.

    Args:
        meanings: what each schema is, by its name among the components.
    """
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        schemas[name] = {"type": schema.get("type"), "description": meanings.get(name, "")} | schema
    _use_examples(document)
    sent = _reachable([operation.get("requestBody") for _, _, operation in operations(document)], schemas)
    for name in schemas.keys() - sent:
        _open_answer(schemas[name])
    for path in document["paths"].values():
        for parameter in path.get("parameters", ()):
            _complete_parameter(parameter)
    told = [operation for item in document.get("webhooks", {}).values() for operation in item.values()]
    for operation in [*(operation for _, _, operation in operations(document)), *told]:
        _complete_operation(operation, schemas)
    used = _reachable([document["paths"], told], schemas)
    document["components"] = {
        "securitySchemes": document["components"]["securitySchemes"],
        "schemas": {name: schema for name, schema in schemas.items() if name in used},
    }
    return document


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its path and method, in the order of the document."""
    for path, item in document["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items() if method in METHODS)


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example of a schema: its own, or put together from those of its parts.

    An object has the members that it must have, and of the others those that bring an example of their own.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(REFERENCE)], schemas)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        required = schema.get("required", ())
        return {
            name: example_of(member, schemas)
            for name, member in schema["properties"].items()
            if name in required or "examples" in member
        }
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    if schema.get("type") == "boolean":
        return False
    return EXAMPLES_BY_FORMAT.get(schema.get("format", ""), schema.get("default"))


def _use_examples(node: Any) -> None:
    """JSON Schema 2020-12 knows `examples`; `example` is what metadata and older tools call a single one."""
    if isinstance(node, list):
        for each in node:
            _use_examples(each)
    elif isinstance(node, dict):
        if "example" in node and ("type" in node or "$ref" in node or "anyOf" in node):
            node["examples"] = [node.pop("example")]
        for name, each in node.items():
            if name not in ("example", "examples"):
                _use_examples(each)


def _reachable(start: Any, schemas: dict[str, Any]) -> set[str]:
    """The names of the schemas that a part of the document leads to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
            name = str(node.get("$ref", "")).removeprefix(REFERENCE)
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
        elif isinstance(node, list):
            waiting.extend(node)
    return found


def _open_answer(schema: dict[str, Any]) -> None:
    if schema.get("additionalProperties") is False:
        del schema["additionalProperties"]
    members = schema.get("properties", {})
    schema["required"] = [name for name, member in members.items() if not member.pop(SOMETIMES, False)]


def _complete_operation(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    operation["summary"] = operation["summary"].rstrip(".")
    if "description" in operation:
        operation["description"] = _unwrap(operation["description"])
    for parameter in operation.get("parameters", ()):
        _complete_parameter(parameter)
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media_type, media in body.get("content", {}).items():
            if media_type == JSON:
                media["example"] = example_of(media["schema"], schemas)
    for status, response in operation["responses"].items():
        _describe(status, response, schemas)
    operation["responses"] = dict(sorted(operation["responses"].items()))
    ordered = {name: operation[name] for name in ORDER if name in operation}
    rest = {name: value for name, value in operation.items() if name not in ordered}
    operation.clear()
    operation |= ordered | rest


def _complete_parameter(parameter: dict[str, Any]) -> None:
    schema = parameter["schema"]
    if isinstance(schema.get("type"), list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
    if schema.get("default", ...) is None:
        del schema["default"]
    if None in schema.get("enum", ()):
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    if "examples" in schema:
        parameter["example"] = schema.pop("examples")[0]


def _describe(status: str, response: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say more than HTTP's own phrase: the codes of a refusal, or what the answer is."""
    phrase = HTTPStatus(int(status)).phrase
    for media_type, media in response.get("content", {}).items():
        if media_type == EVENT_STREAM:
            continue
        if media_type != JSON:
            response["description"] = f"{phrase}: {', '.join(f'`{code}`' for code in media['examples'])}."
        elif response["description"] == phrase:
            response["description"] = schemas[media["schema"]["$ref"].removeprefix(REFERENCE)]["description"]


def _unwrap(text: str) -> str:
    """Paragraphs on one line each: where the source breaks its lines is nobody else's business."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
