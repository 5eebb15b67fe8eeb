"""The documentation: complete, linked, and with commands that run as they stand."""

import json
import shlex
import uuid
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from pickup.core import refusals, streaming
from pickup.core.api import document_of
from pickup.core.openapi import operations
from pickup.core.problems import HTTP_CODES
from pickup.orders import views as order_views
from pickup.orders.lifecycle import TRANSITIONS
from pickup.payments.queries import payment_of
from pickup.reference.remedies import BY_CODE, remedy
from pickup.reference.sections import sections_of
from pickup.reference.snippets import curl, highlighted, prose
from tests.api_client import ApiClient
from tests.world import World

PAGES = ("/docs", "/docs/problems")


class Page(HTMLParser):
    """What a test asks of a page: its ids, its links, its commands, and whether it has code or style inside."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.commands: list[str] = []
        self.inline: list[str] = []
        self.words = ""
        self._in_command = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        if tag in ("script", "style") or any(name == "style" or name.startswith("on") for name in given):
            self.inline.append(f"<{tag} {given}>")
        if tag == "pre" and "shell" in (given.get("class") or ""):
            self._in_command = True
            self.commands.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._in_command = False

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._in_command:
            self.commands[-1] += data


@pytest.fixture(scope="module")
def pages(app: Flask) -> dict[str, Page]:
    found = {}
    for path in PAGES:
        answer = app.test_client().get(path)
        assert answer.status_code == 200
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
        found[path] = Page(answer.text)
    return found


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return document_of(app)


def run(command: str, client: ApiClient, order_id: str) -> TestResponse:
    """Do what a `curl` command says."""
    _, *words = shlex.split(command[command.index("curl") :].replace("\\\n", " "))
    method, url, body, headers = "", "", None, {}
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value.replace("$KEY", client.key)
        elif word == "-d":
            body = words.pop(0)
        else:
            url = word.removeprefix("$PICKUP").replace("$ORDER", order_id)
            if "$PAYMENT" in url:
                url = url.replace("$PAYMENT", str(payment_of(uuid.UUID(order_id)).id))
            if "$ENDPOINT" in url:
                made = client.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/hooks"})
                url = url.replace("$ENDPOINT", made.json["id"])
    method = method or ("GET" if body is None else "POST")
    return client.app.test_client().open(url, method=method, headers=headers, data=body)


def test_nothing_is_inline(pages: dict[str, Page]):
    assert [page.inline for page in pages.values()] == [[], []]


def test_every_id_is_there_once(pages: dict[str, Page]):
    for page in pages.values():
        assert sorted(page.ids) == sorted(set(page.ids))


def test_every_operation_is_described(pages: dict[str, Page], document: dict[str, Any]):
    page = pages["/docs"]
    for path, method, operation in operations(document):
        assert operation["operationId"] in page.ids
        assert operation["summary"] in page.words
        assert path in page.words
        assert method.upper() in page.words


def test_every_code_is_explained(pages: dict[str, Page]):
    page = pages["/docs/problems"]
    for refusal in refusals.every(HTTP_CODES):
        assert refusal.code in page.ids
        assert refusal.title in page.words
        assert remedy(refusal.code, refusal.status)
    assert "internal_error" in page.ids


def test_every_advice_is_about_a_code_that_exists():
    assert BY_CODE.keys() <= {refusal.code for refusal in refusals.every(HTTP_CODES)}


def test_the_life_of_an_order_is_told(pages: dict[str, Page]):
    for action in TRANSITIONS:
        assert action in pages["/docs"].words


def test_every_link_leads_somewhere(app: Flask, pages: dict[str, Page]):
    client = app.test_client()
    for path, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(link)
            if anchor:
                assert anchor in pages[target or path].ids, (path, link)
            elif target:
                assert client.get(target).status_code == 200, (path, link)


def test_a_problem_leads_to_its_paragraph(database: Flask, pages: dict[str, Page]):
    problem = database.test_client().get("/v1/orders").json

    target, anchor = urldefrag(problem["type"])
    assert anchor in pages[target].ids


def test_every_command_runs(world: World, pages: dict[str, Page], monkeypatch: pytest.MonkeyPatch):
    """The first is how to get a key; all others are sent, in the order of the page."""
    monkeypatch.setattr(order_views, "WAIT_MAX_SECONDS", 0)  # there is no worker to wait for
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 0)
    world.stock(world.store("101"), world.product("1001", price=349), 1000)
    key = world.client("shop", "pos", "admin")
    getting_a_key, *commands = pages["/docs"].commands
    assert "client create" in getting_a_key
    assert len(commands) > 20
    for command in commands:
        order = world.place(key, {"1001": 2 if "/returns" in command else 1})
        if "/choice" in command:
            world.offer(order)
        if "/returns" in command:
            world.collect(order)
        if "/extend-hold" in command:
            world.make_ready(order)

        answer = run(command, key, str(order.id))

        assert 200 <= answer.status_code < 300, (command, answer.text)
        if "/pause" in command:
            run(command.replace("/pause", "/resume"), key, "")


def test_a_command_survives_the_shell():
    body = {"note": 'it\'s "here" & $there'}
    command = curl("put", "/v1/a/{b}", [{"in": "path", "name": "b", "example": "x y/z"}], body)

    words = shlex.split(command.replace("\\\n", " "))

    assert words[:3] == ["curl", "-X", "PUT"]
    assert words[3] == "$PICKUP/v1/a/x%20y%2Fz"
    assert json.loads(words[-1]) == body


def test_what_is_rendered_is_escaped():
    assert highlighted('{"<b>": "<i>"}') == (
        '{<span class="word_name">&#34;&lt;b&gt;&#34;</span>: <span class="word_text">&#34;&lt;i&gt;&#34;</span>}'
    )
    assert prose("`<b>` [x](/docs) <i>") == '<code>&lt;b&gt;</code> <a href="/docs">x</a> &lt;i&gt;'


def test_a_nested_member_is_listed_with_its_parents(document: dict[str, Any]):
    place_order = next(
        operation
        for section in sections_of(document)
        for operation in section.operations
        if operation.id == "placeOrder"
    )

    rows = {row.parents + row.name: row for row in place_order.body}
    assert rows["items[].quantity"].limits == "1 to 10,000"
    assert rows["items[].quantity"].required
    assert rows["pickup.near.lat"].kind == "number"
    assert rows["if_short"].values == ("part", "move", "cancel")
    assert not rows["expected_total"].required
