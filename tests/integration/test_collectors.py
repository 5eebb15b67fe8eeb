"""Somebody else collects: by a code of their own, which can be taken back; and what they get to see."""

import re
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.notifications.models import Message
from pickup.orders import collector_mails, collectors, queries, returns, service
from pickup.orders.models import Order
from pickup.orders.pickup_code import normalise
from pickup.staff import service as staff
from pickup.staff.models import UnknownCode
from tests.tablet import Tablet as Browser

ANA, CUSTOMER = Actor("staff", "Ana"), Actor("customer")
BO = {"name": "Bo Collector", "email": "bo@example.com"}


@pytest.fixture
def order(world, shop):
    store = world.store("1", name="Rogers", street="2110 West Walnut Street", opening_hours="24/7")
    world.stock(store, world.product("A", name="Milk"), 50)
    placed = world.place(shop, {"A": 2})
    world.work()
    return placed


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def tablet(app, order):
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    made = Browser(app)
    made.sign_in()
    return made


def take(order, step, *args, **values):
    with unit_of_work():
        step(queries.lock_order(order.id), *args, now=utcnow(), **values)


def make_ready(order):
    for step in (service.start_picking, service.mark_ready):
        take(order, step, actor=ANA)


def name(world, order, collector=BO):
    """As the order is then: a copy, for the session has one object of each."""
    take(order, collectors.name_collector, collector, actor=CUSTOMER)
    named = world.order(order.id)
    return SimpleNamespace(**{column.key: getattr(named, column.key) for column in Order.__table__.columns})


def name_on_page(browser, order, **form):
    browser.get(f"/p/{order.page_token}/collector")
    return browser.post(f"/p/{order.page_token}/collector", **form)


def handed_over_note(world, order):
    return next(step.note for step in world.order(order.id).history if step.action == "hand_over")


# At the counter


@pytest.mark.parametrize("by_code_alone", [True, False])
def test_either_code_hands_over_and_the_history_says_which(world, shop, order, tablet, by_code_alone):
    mine = world.place(shop, {"A": 1})
    world.work()
    for each in (order, mine):
        make_ready(each)
        name(world, each)
    theirs = world.order(order.id)
    assert theirs.collector_code not in (theirs.pickup_code, None)
    for each, code in ((theirs, theirs.collector_code), (mine, mine.pickup_code)):
        path = "/staff/hand-over" if by_code_alone else f"/staff/orders/{each.id}/hand-over"
        assert "Hand out now" in tablet.hand_over(code.lower().replace("-", " "), path)

    assert handed_over_note(world, order) == "collected by Bo Collector, named by the customer"
    assert handed_over_note(world, mine) == "collected with the customer's own code"
    assert world.order(order.id).collected_by_collector
    assert not world.order(mine.id).collected_by_collector
    assert "collected by Bo Collector, named by the customer" in tablet.get(f"/staff/orders/{order.id}").text


def test_who_is_called_out_is_who_is_there(world, shop, order, tablet):
    make_ready(order)
    named = name(world, order)

    assert "</span> Ada Example</h2>" in tablet.hand_over(named.pickup_code)


def test_a_code_taken_back_opens_nothing_and_counts_as_a_guess(world, order, tablet):
    make_ready(order)
    named = name(world, order)
    name(world, order, None)

    assert "No order here has the code" in tablet.hand_over(named.collector_code)
    path = f"/staff/orders/{order.id}/hand-over"
    assert "That is not the code of this order. 4 tries left." in tablet.hand_over(named.collector_code, path)
    assert db.session.scalar(select(func.count()).select_from(UnknownCode)) == 1
    assert "Hand out now" in tablet.hand_over(named.pickup_code)
    assert handed_over_note(world, order) is None


def test_whoever_is_named_next_has_another_code(world, order):
    first = name(world, order)
    again, other = name(world, order), name(world, order, {"name": "Cy"})

    assert (again.collector_code, again.collector_token) == (first.collector_code, first.collector_token)
    assert other.collector_code != first.collector_code
    assert other.collector_token != first.collector_token
    assert other.collector_email is None


def test_nobody_types_the_code_of_nobody(world, order, tablet):
    make_ready(order)
    for typed in ("", "---", "********", "NONE"):
        assert "Hand out now" not in tablet.hand_over(typed, f"/staff/orders/{order.id}/hand-over")


# The API


def test_the_api_names_a_collector_and_takes_them_back(world, shop, order):
    named = shop.put(f"/v1/orders/{order.id}/collector", BO).json["pickup"]
    kept = world.order(order.id)
    assert named["collector"] == BO | {
        "phone": None,
        "code": kept.collector_code,
        "url": named["url"].replace(kept.page_token, kept.collector_token),
    }
    assert named["code"] == kept.pickup_code

    assert shop.put(f"/v1/orders/{order.id}/collector", {"name": None}).json["pickup"]["collector"] is None
    assert world.order(order.id).collector_code is None
    assert shop.put(f"/v1/orders/{order.id}/collector", {}).status_code == 422


def test_an_order_may_come_with_a_collector(world, shop, order):
    pickup = {"near": {"lat": 36.3728, "lon": -94.2088}, "collector": BO}
    answer = shop.order(world.order_body({"A": 1}, pickup)).json["pickup"]

    kept = queries.order_by_page_token(answer["url"].rpartition("/")[2])
    assert answer["collector"]["code"] == kept.collector_code == normalise(kept.collector_code)
    assert kept.collector_named_by == "shop"


def test_of_an_order_that_is_over_nobody_is_named(world, shop, order):
    take(order, service.cancel, actor=CUSTOMER, reason="customer")

    assert shop.put(f"/v1/orders/{order.id}/collector", BO).json["code"] == "action_not_allowed"


# Mails


def mails_to(mailbox, address):
    return [mail for mail in mailbox.mails if mail["To"] == address]


def test_the_collector_is_told_when_it_is_ready_and_not_before(world, order, mailbox):
    named = name(world, order)
    world.work()
    assert mails_to(mailbox, "bo@example.com") == []

    make_ready(order)
    world.work()
    (mail,) = mails_to(mailbox, "bo@example.com")
    text = mail.get_body(("plain",)).get_content()
    assert named.collector_code in mail["Subject"]
    assert f"/p/{named.collector_token}" in text
    for secret in (named.pickup_code, named.page_token, "ada@example.com", "$"):
        assert secret not in text

    name(world, order, {"name": "Cy", "email": "cy@example.com"})
    world.work()
    assert len(mails_to(mailbox, "cy@example.com")) == 1
    assert len(mails_to(mailbox, "bo@example.com")) == 1


def test_whoever_is_taken_back_before_the_mail_goes_out_gets_none(world, order, mailbox):
    make_ready(order)
    name(world, order)
    name(world, order, None)
    world.work()

    assert mails_to(mailbox, "bo@example.com") == []


def test_nobody_has_us_write_to_everybody(world, order, mailbox):
    make_ready(order)
    for number in range(collector_mails.MAILS_MAX + 2):
        name(world, order, {"name": "Bo", "email": f"bo{number}@example.com"})
        world.work()

    written = select(func.count()).where(Message.kind == "collector")
    assert db.session.scalar(written) == collector_mails.MAILS_MAX


# The pages


def test_the_page_names_somebody(world, order, browser):
    answer = name_on_page(browser, order, name=" Bo Collector ", email="bo@example.com", phone="")
    assert answer.location == f"/p/{order.page_token}#collector"
    named = world.order(order.id)
    assert (named.collector_name, named.collector_phone, named.collector_named_by) == ("Bo Collector", None, "customer")
    text = browser.get(f"/p/{order.page_token}").text
    assert named.collector_code in text
    assert "bo@example.com" not in text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": ""}, "Please say who collects"),
        ({"name": "B\x01o"}, "Please say who collects"),
        ({"name": "x" * 201}, "Please say who collects"),
        ({"name": "Bo", "email": "nobody"}, "not an e-mail address"),
        ({"name": "Bo", "phone": "abc"}, "not a telephone number"),
    ],
)
def test_what_cannot_be_is_said(world, order, browser, form, words):
    answer = name_on_page(browser, order, **form)

    assert answer.status_code == 422
    assert words in answer.text
    assert world.order(order.id).collector_code is None


def test_the_collectors_page_shows_what_they_need_and_no_more(world, order, browser):
    named = name(world, order)
    path = f"/p/{named.collector_token}"
    assert named.collector_code not in browser.get(path).text
    make_ready(order)

    text = browser.get(path).text

    assert named.collector_code in text
    assert "2110 West Walnut Street" in text
    assert "of Ada" in text
    secrets = (named.pickup_code, named.page_token, "Example", "ada@", "bo@", "4795550100", "Milk", "$", "Cancel")
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("path", ["/receipt", "/cancel", "/collector"])
def test_what_is_the_customers_the_collectors_link_does_not_open(world, order, browser, path):
    named = name(world, order)

    assert browser.get(f"/p/{named.collector_token}{path}").status_code == 404


@pytest.mark.parametrize("path", ["cancel", "if-short", "choice", "collector", "collector/take-back"])
def test_what_is_the_customers_the_collectors_link_does_not_do(world, order, browser, path):
    named = name(world, order)
    browser.get(f"/p/{order.page_token}")

    answer = browser.post(f"/p/{named.collector_token}/{path}", name="Cy", wish="cancel")

    assert answer.status_code == 404
    after = world.order(order.id)
    assert (after.status, after.collector_code) == ("reserved", named.collector_code)


def test_the_collector_says_that_they_are_there(world, order, browser):
    make_ready(order)
    named = name(world, order)
    browser.get(f"/p/{named.collector_token}")

    browser.post(f"/p/{named.collector_token}/on-the-way", within="30")
    browser.post(f"/p/{named.collector_token}/arrival", bay="4", car="x" * 100)

    there = world.order(order.id)
    assert (there.arrival_bay, there.arrival_car) == ("4", "x" * 40)
    assert there.expected_at
    assert there.arrived_at


def test_taken_back_the_link_is_worth_nothing(world, order, browser):
    named = name(world, order)
    browser.get(f"/p/{order.page_token}")
    browser.post(f"/p/{order.page_token}/collector/take-back")

    assert "Taken back." in browser.get(f"/p/{order.page_token}").text
    for path in ("", "/pickup.ics"):
        assert browser.get(f"/p/{named.collector_token}{path}").status_code == 404
    assert browser.post(f"/p/{named.collector_token}/arrival").status_code == 404
    assert world.order(order.id).arrived_at is None


# On the way


def test_the_board_says_who_is_on_the_way(world, order, browser, tablet):
    make_ready(order)
    browser.get(f"/p/{order.page_token}")
    for within, words in (("", "On the way since "), ("10", "On the way, about "), ("999", "On the way since ")):
        browser.post(f"/p/{order.page_token}/on-the-way", within=within)
        assert words in tablet.get("/staff").text
    browser.post(f"/p/{order.page_token}/arrival", bay="7", car="red Golf")
    board = tablet.get("/staff").text
    assert re.search(r"Here since .*<span>Bay 7</span><span>red Golf</span>", board)
    assert "On the way" not in board


def test_nobody_sets_out_before_it_is_ready(world, order, browser):
    browser.get(f"/p/{order.page_token}")
    browser.post(f"/p/{order.page_token}/on-the-way", within="10")

    assert world.order(order.id).on_the_way_at is None


# To keep


def test_the_calendar_entry_follows_the_order(world, order, browser):
    path = f"/p/{order.page_token}/pickup.ics"
    waiting = browser.get(path)
    assert waiting.content_type == "text/calendar; charset=utf-8"
    make_ready(order)
    ready = browser.get(path).text
    take(order, service.cancel, actor=CUSTOMER, reason="customer")
    cancelled = browser.get(path).text

    entries = (waiting.text, ready, cancelled)
    assert [re.search(r"STATUS:(\w+)", each)[1] for each in entries] == ["TENTATIVE", "CONFIRMED", "CANCELLED"]
    assert len({re.search(r"UID:(\S+)", each)[1] for each in entries}) == 1
    sequences = [int(re.search(r"SEQUENCE:(\d+)", each)[1]) for each in entries]
    assert sequences == sorted(set(sequences))
    assert order.pickup_code not in ready


def test_the_receipt_says_what_was_paid_and_what_came_back(world, shop, order, browser):
    path = f"/p/{order.page_token}/receipt"
    assert browser.get(path).location == f"/p/{order.page_token}"
    make_ready(order)
    take(order, service.hand_over, order.pickup_code, actor=ANA, is_manager=False)
    world.work()
    shop.post(
        f"/v1/orders/{order.id}/returns",
        {"items": [{"sku": "A", "quantity": 1}]},
        headers={"Idempotency-Key": "one"},
    )
    world.work()

    text = browser.get(path).text

    for words in ("1000001", "Rogers", "2 × $3.59", "$7.18", "1 × Milk", "−$3.59", "Paid in the end", "Sent back"):
        assert words in text
    assert returns.left_of(world.order(order.id).lines[0]) == 1


def test_a_page_that_is_known_is_not_sent_again(order, browser, world, app):
    path, client = f"/p/{order.page_token}", app.test_client()
    first = client.get(path)
    known = {"If-None-Match": first.headers["ETag"]}

    again = client.get(path, headers=known)
    assert (again.status_code, again.data) == (304, b"")
    make_ready(order)
    assert client.get(path, headers=known).status_code == 200
