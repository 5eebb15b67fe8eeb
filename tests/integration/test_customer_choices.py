"""What a customer decides on their page without a browser: what to choose, what if something is missing."""

import re
from typing import get_args

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.core.types import Actor
from pickup.customer import presenting
from pickup.customer.offering import OPTION_WORDS
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, service, short_picks
from pickup.orders.lifecycle import IF_SHORT
from pickup.orders.rerouting import Choice
from tests.tablet import Tablet as Browser

STAFF = Actor("staff", "Sam")


@pytest.fixture
def milk(world):
    """In both stores."""
    near, far = world.store("near", name="Rogers"), world.store("far", name="Springdale", city="Springdale", lat=36.6)
    made = world.product("A", name="Milk", price=100)
    world.stock(near, made, 5)
    world.stock(far, made, 5)
    return made


@pytest.fixture
def order(world, shop, milk):
    placed = world.place(shop, {"A": 3})
    world.work()
    return placed


@pytest.fixture
def browser(app):
    return Browser(app)


def take(order, step, *args, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        step(locked, *args, now=utcnow(), **values)


@pytest.fixture
def asked(world, milk, order):
    take(order, service.start_picking, actor=STAFF)
    take(order, short_picks.short_pick, milk.id, 3, actor=STAFF)
    return world.order(order.id)


def page_of(browser, order):
    return browser.get(f"/p/{order.page_token}").text


def version_in(text):
    return re.search(r'name="until" value="([^"]+)"', text)[1]


def test_what_is_offered_and_why(browser, asked):
    text = page_of(browser, asked)
    assert '<h1 id="headline">Please choose</h1>' in text
    assert "We are sorry: Rogers could not find everything of your order." in text
    assert re.search(
        r"Collect at Springdale – ready by \w+day .*?</strong> <span><bdi>Springdale, US · 16 mi away", text
    )
    assert re.search(r"Wait – Rogers, ready by \w+day ", text)
    assert "Cancel – you pay nothing" in text
    assert "Cancel this order" not in text
    assert "If something is missing" not in text


def test_another_store_is_chosen_once(browser, world, asked):
    until = version_in(page_of(browser, asked))
    for choice in ("move", "wait"):
        answer = browser.post(f"/p/{asked.page_token}/choice", choice=choice, until=until)
        assert answer.location == f"/p/{asked.page_token}"
    world.work()
    order = world.order(asked.id)
    assert (order.status, order.store.ref) == ("reserved", "far")
    assert [step.actor_kind for step in order.history if step.action == "reroute"] == ["customer"]
    assert "Please choose" not in page_of(browser, asked)
    assert differences() == []


def test_to_wait(browser, world, asked):
    browser.post(f"/p/{asked.page_token}/choice", choice="wait", until=version_in(page_of(browser, asked)))
    world.work()
    text = page_of(browser, asked)
    assert world.order(asked.id).status == "in_transit"
    assert "On its way to Rogers" in text
    assert "Ready by" in text
    assert "Springdale" not in text


def test_to_cancel(browser, world, asked):
    browser.post(f"/p/{asked.page_token}/choice", choice="cancel", until=version_in(page_of(browser, asked)))
    assert (world.order(asked.id).status, world.order(asked.id).reason) == ("cancelled", "customer")


@pytest.mark.parametrize("choice", ["move", "elsewhere", ""])
@pytest.mark.parametrize("until", ["2026-01-01T00:00:00+00:00", "", None])
def test_nothing_is_chosen_unseen(browser, world, asked, choice, until):
    seen = version_in(page_of(browser, asked))
    if choice == "move" and until is None:
        until = "another offer's"
    answer = browser.post(f"/p/{asked.page_token}/choice", choice=choice, until=seen if until is None else until)
    assert answer.status_code == 303
    assert world.order(asked.id).offer is not None


def test_a_forged_choice_is_none(browser, world, asked):
    page_of(browser, asked)
    assert browser.post(f"/p/{asked.page_token}/choice", choice="move", csrf_token="forged").status_code == 403
    assert browser.post("/p/nobody-has-this-token-at-all/choice", choice="move").status_code == 404
    assert world.order(asked.id).offer is not None


def test_what_could_not_be_found_is_not_paid_for(browser, milk, order):
    take(order, service.start_picking, actor=STAFF)
    take(order, short_picks.short_pick, milk.id, 1, actor=STAFF)
    text = page_of(browser, order).replace("&#39;", "'")
    assert '<td class="count">2 of 3<' in text
    assert "One could not be found, you don't pay for it." in text
    assert text.count('<td class="amount">$2.00</td>') == 2, "the line and the total"


@pytest.mark.parametrize("wish", IF_SHORT)
def test_what_if_something_is_missing(browser, world, order, wish):
    assert "Give me the rest. I only pay for what I get." in page_of(browser, order)
    answer = browser.post(f"/p/{order.page_token}/if-short", wish=wish)
    text = browser.get(answer.location).text
    assert ". ".join(presenting.IF_SHORT_WORDS[wish]) in text
    assert "Saved." in text
    assert re.search(rf'value="{wish}" checked', text)
    assert world.order(order.id).if_short == wish


def test_it_can_be_said_until_picking_begins(browser, world, order):
    page_of(browser, order)
    browser.post(f"/p/{order.page_token}/if-short", wish="nothing")
    assert world.order(order.id).if_short is None
    take(order, service.start_picking, actor=STAFF)
    answer = browser.post(f"/p/{order.page_token}/if-short", wish="cancel")
    text = browser.get(answer.location).text
    assert "If something is missing" not in text
    assert "Saved." not in text
    assert world.order(order.id).if_short is None


def test_there_are_words_for_every_option_and_wish():
    assert {*OPTION_WORDS, "cancel"} == set(get_args(Choice))
    assert tuple(presenting.IF_SHORT_WORDS) == IF_SHORT
