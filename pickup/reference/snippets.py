"""Requests as commands to copy, and JSON with its words told apart. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

# What a reader has set before: the address of the server, their key, the order that they placed first, its payment, a
# webhook endpoint.
SERVER = "$PICKUP"
KEY = "$KEY"
IN_PATH = {"order_id": "$ORDER", "payment_id": "$PAYMENT", "endpoint_id": "$ENDPOINT"}

_JSON_WORD = re.compile(
    r'(?P<word_name>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<word_text>"(?:[^"\\]|\\.)*")|(?P<word_fixed>-?\d[\d.eE+-]*|true|false|null)'
)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\((/[^)]*)\)")


def as_json(value: Any) -> str:
    """A value as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def curl(method: str, path: str, parameters: Iterable[Mapping[str, Any]], body: Any) -> str:
    """The command that sends an operation's example. Parameters without an example are left out."""
    examples = {(each["in"], each["name"]): each["example"] for each in parameters if "example" in each}
    given = {
        place: {name: str(value) for (at, name), value in examples.items() if at == place}
        for place in ("path", "query", "header")
    }
    for name, value in given["path"].items():
        path = path.replace(f"{{{name}}}", IN_PATH.get(name) or quote(value, safe=""))
    query = "?" + urlencode(given["query"], safe=",:@") if given["query"] else ""
    verb = "" if method == ("get" if body is None else "post") else f" -X {method.upper()}"
    options = [
        f'-H "Authorization: Bearer {KEY}"',
        *(f'-H "{name}: {value}"' for name, value in given["header"].items()),
    ]
    if body is not None:
        options += ['-H "Content-Type: application/json"', f"-d {_quoted(as_json(body))}"]
    return " \\\n  ".join([f'curl{verb} "{SERVER}{path}{query}"', *options])


def highlighted(source: str) -> Markup:
    """JSON as HTML, with names, texts and fixed values told apart."""
    parts, end = [], 0
    for word in _JSON_WORD.finditer(source):
        parts += [
            escape(source[end : word.start()]),
            Markup('<span class="{}">{}</span>').format(word.lastgroup, word[0]),
        ]
        end = word.end()
    return Markup("").join([*parts, escape(source[end:])])


def prose(source: str) -> Markup:
    """A line of the document's Markdown as HTML: `code` and links to our own pages, which is all that we write."""
    html = _CODE.sub(r"<code>\1</code>", str(escape(source)))
    return Markup(_LINK.sub(r'<a href="\2">\1</a>', html))  # noqa: S704 - escaped above


def _quoted(text: str) -> str:
    """For a shell, in single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"
