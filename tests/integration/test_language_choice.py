"""Which language a page speaks: the reader's choice, what is known of them, what the browser asks for."""

import pytest

from pickup.core import languages
from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.core.types import Actor
from pickup.orders import collectors, queries

NOWHERE = "There is nothing here", "Aquí no hay nada", "此处没有内容"


@pytest.fixture
def browser(app):
    return app.test_client()


def ask(browser, path="/nowhere", accept_language=None, **headers):
    headers |= {"Accept": "text/html"} | ({"Accept-Language": accept_language} if accept_language else {})
    return browser.get(path, headers=headers)


@pytest.mark.parametrize(
    ("accept_language", "code", "words"),
    [
        (None, "en", NOWHERE[0]),
        ("de-DE,de;q=0.9", "en", NOWHERE[0]),
        ("es-MX,es;q=0.9,en;q=0.8", "es", NOWHERE[1]),
        ("de,zh-CN;q=0.8,en;q=0.5", "zh", NOWHERE[2]),
        ("en-US,en;q=0.9,es;q=0.8", "en", NOWHERE[0]),
        ("es;q=0,zh;q=0.1", "zh", NOWHERE[2]),
        ("*", "en", NOWHERE[0]),
        (";;q=x,,%", "en", NOWHERE[0]),
    ],
)
def test_as_the_browser_asks(browser, accept_language, code, words):
    answer = ask(browser, accept_language=accept_language)
    assert answer.status_code == 404
    assert words in answer.text
    assert f'<html lang="{code}" dir="ltr">' in answer.text
    assert answer.headers["Content-Language"] == code
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)


def test_what_was_chosen_counts_and_the_page_is_the_same(browser):
    answer = ask(browser, "/nowhere?a=1&language=es&b=%26", "zh")
    assert (answer.status_code, answer.location) == (303, "/nowhere?a=1&b=%26")
    cookie = browser.get_cookie("language")
    assert (cookie.value, cookie.http_only, cookie.same_site) == ("es", True, "Lax")
    assert NOWHERE[1] in ask(browser, accept_language="zh").text
    assert "?language=zh" in ask(browser, accept_language="zh").text


@pytest.mark.parametrize("code", ["de", "", "es%0d%0aX: 1", "EN"])
def test_what_is_no_language_of_ours_changes_nothing(browser, code):
    answer = ask(browser, f"/nowhere?language={code}")
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers or "language=" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "path", ["//example.com", "/\\example.com", "//example.com/%2e%2e", "/x%0d%0aLocation:%20//example.com"]
)
def test_the_switch_leads_nowhere_else(browser, path):
    answer = ask(browser, f"{path}?language=es")
    assert "example.com" not in answer.headers.get("Location", "")


def test_a_cookie_of_somebody_else_says_nothing(browser):
    browser.set_cookie("language", "../es")
    assert NOWHERE[0] in ask(browser).text


@pytest.fixture
def order(world, shop):
    world.stock(world.store("1", name="Rogers"), world.product("A", name="Milk"), 5)
    placed = world.place(shop, {"A": 1})
    world.work()
    return world.order(placed.id)


def read_spanish(order):
    with unit_of_work():
        queries.lock_order(order.id).locale = "es"


@pytest.mark.parametrize(
    ("locale", "accept_language", "chosen", "code"),
    [
        ("es", "en-US,en;q=0.9", None, "es"),
        ("es", "zh", "en", "en"),
        ("en", "zh", None, "zh"),
        ("en", None, None, "en"),
        ("zh", None, "es", "es"),
    ],
)
def test_the_order_knows_its_customers_language(browser, order, locale, accept_language, chosen, code):
    with unit_of_work():
        queries.lock_order(order.id).locale = locale
    if chosen:
        ask(browser, f"/p/{order.page_token}?language={chosen}")
    answer = ask(browser, f"/p/{order.page_token}", accept_language)
    assert answer.headers["Content-Language"] == code
    assert f'<html lang="{code}"' in answer.text


def test_who_collects_for_somebody_reads_their_own_language(browser, order):
    read_spanish(order)
    with unit_of_work():
        collectors.name_collector(queries.lock_order(order.id), {"name": "Bo"}, actor=Actor("customer"), now=utcnow())
        token = queries.lock_order(order.id).collector_token
    assert ask(browser, f"/p/{token}", "zh").headers["Content-Language"] == "zh"


def test_a_page_that_the_browser_has_is_another_in_another_language(browser, order):
    path = f"/p/{order.page_token}"
    state = ask(browser, path).headers["ETag"]
    assert ask(browser, path, **{"If-None-Match": state}).status_code == 304
    assert ask(browser, path, "es", **{"If-None-Match": state}).status_code == 200


def test_what_is_taken_along_speaks_it_too(browser, order):
    read_spanish(order)
    assert (
        f"SUMMARY:Recoger el pedido {order.number} en Rogers" in ask(browser, f"/p/{order.page_token}/pickup.ics").text
    )


def test_an_old_form_is_refused_in_the_readers_language(browser, order):
    answer = browser.post(f"/p/{order.page_token}/cancel", headers={"Accept-Language": "es"})
    assert answer.status_code == 403
    assert "La página estuvo abierta demasiado tiempo" in answer.text


def test_programs_are_told_in_english(browser, shop):
    answer = browser.get("/nowhere", headers={"Accept-Language": "es", "Accept": "application/json"})
    assert answer.content_type == "application/problem+json"
    assert "Content-Language" not in answer.headers
    refused = browser.get("/v1/orders?language=es", headers={"Accept-Language": "es", "Accept": "text/html"})
    assert (refused.status_code, refused.json["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_without_words_in_all_languages_speak_english(browser, database, path):
    answer = ask(browser, f"{path}?language=es", "es")
    assert '<html lang="en" dir="ltr">' in answer.text
    assert answer.headers["Content-Language"] == "en"
    assert "?language=" not in answer.text


def test_no_request_speaks_on_in_the_next_one(browser):
    ask(browser, accept_language="zh")
    assert languages.spoken().code == "en"


def test_files_have_no_language(browser):
    answer = ask(browser, "/static/pages.css", "es")
    assert answer.status_code == 200
    assert "Content-Language" not in answer.headers
    assert not {"Accept-Language", "Cookie"} & set(answer.vary)
