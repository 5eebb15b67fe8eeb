"""The demo shop in a real browser: from the first look to the pickup code, and all that can come between."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from pickup.core import revisions
from pickup.core.db import db, unit_of_work
from pickup.dev import demo
from pickup.inventory.models import StockLevel
from pickup.orders.models import Order
from pickup.payments.models import Payment
from pickup.stores.models import Store
from tests.browser.accessibility import assert_accessible

SIZES = [(390, 844), (768, 1024), (1280, 800)]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def told(world, live_server, monkeypatch):
    """Lets a test say what the shop was told; by itself it calls the API where the test's server is."""
    before = world.app.extensions["settings"]
    # The workers of a test work when they are told to: nothing would come of waiting for them.
    monkeypatch.setattr("pickup.shop.client.DECISION_SECONDS", 0)

    def tell(**changes):
        monkeypatch.setitem(world.app.extensions, "settings", replace(world.app.extensions["settings"], **changes))

    key = world.client("shop").key
    monkeypatch.setitem(world.app.extensions, "settings", before)
    tell(shop_api_url=live_server, shop_api_key=key, public_url=live_server)
    return tell


@pytest.fixture
def milk(world, told):
    """Two stores that have milk; bread is only in the further one."""
    near = world.store("near", name="Rogers Market", lat=36.3313, lon=-94.1490)
    far = world.store("far", name="Springdale Market", lat=36.1867, lon=-94.1288)
    product, bread = world.product("MILK", name="Whole milk, 1 gal", department="Dairy"), world.product("BREAD")
    world.stock(near, product, 10)
    world.stock(far, product, 10)
    world.stock(far, bread, 10)
    return product


@pytest.fixture
def page(open_page):
    return open_page(viewport={"width": 390, "height": 844})


def headline(page: Page):
    return page.get_by_role("heading", level=1)


def find_stores(page: Page, postcode: str = "72756") -> None:
    page.goto("/shop/store")
    page.get_by_label("ZIP or postcode").fill(postcode)
    page.get_by_role("button", name="Find stores").click()


def to_the_checkout(page: Page, sku: str = "MILK") -> Page:
    find_stores(page)
    page.goto(f"/shop/products/{sku}")
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Add to basket").click()
    page.get_by_role("navigation", name="Shop").get_by_role("link", name="Basket").click()
    page.get_by_role("link", name="Go to the checkout").click()
    page.get_by_label("Name", exact=True).fill("Ada Example")
    page.get_by_label("E-mail", exact=True).fill("ada@example.com")
    return page


def order(page: Page) -> None:
    page.get_by_role("button", name="Order").click()


def orders() -> list[Order]:
    db.session.rollback()
    return db.session.query(Order).all()


# The way of an order


@pytest.mark.parametrize("size", SIZES)
def test_from_the_first_look_to_the_pickup_code(open_page, world, told, size):
    with unit_of_work():
        demo.plant_demo()
    page = open_page(viewport={"width": size[0], "height": size[1]})
    page.goto("/shop")
    expect(headline(page)).to_have_text("Order here, collect nearby")
    assert_accessible(page)
    page.get_by_label("ZIP or postcode").fill("72712")
    page.get_by_role("button", name="Find stores").click()

    expect(page.get_by_role("img", name="Plan: your place in the middle, and 6 stores around it")).to_be_visible()
    first = page.get_by_role("listitem").filter(has_text="Larkspur Bentonville")
    expect(first).to_contain_text(re.compile(r"mi · 18 Orchard Lane.*Mon–Sat 08:00–21:00", re.S))
    assert_accessible(page)

    page.goto("/shop")
    page.get_by_role("button", name="Add Gala apples, 3 lb bag to the basket").click()
    expect(page.get_by_role("status")).to_contain_text("Gala apples, 3 lb bag is in your basket.")
    assert_accessible(page)
    page.get_by_role("link", name="Olive oil").click()
    expect(page.get_by_role("region", name="Where it is")).to_contain_text("In stock, ready by")
    assert_accessible(page)
    page.get_by_label("How many").fill("3")
    page.get_by_role("button", name="Add to basket").click()

    page.get_by_role("navigation", name="Shop").get_by_role("link", name="Basket").click()
    expect(page.get_by_text("$40.36")).to_be_visible()
    page.get_by_text("Why this store?").click()
    assert_accessible(page)
    page.get_by_role("link", name="Go to the checkout").click()
    assert_accessible(page)
    page.get_by_label("Name", exact=True).fill("Ada Example")
    page.get_by_label("E-mail", exact=True).fill("ada@example.com")
    page.get_by_role("button", name="Order for $40.36").click()

    expect(headline(page)).to_have_text("We are checking the shelves")
    assert_accessible(page)
    world.work()
    expect(headline(page)).to_have_text("The store has your items")  # by itself
    (placed,) = orders()
    expect(page.get_by_role("region", name="Pickup code")).to_contain_text(placed.pickup_code)
    assert_accessible(page)
    page.get_by_role("link", name="Your pickup page").click()
    expect(page.get_by_text(f"Order {placed.number} for Ada")).to_be_visible()


def test_the_bank_asks_and_leads_back(page, world, milk):
    to_the_checkout(page).get_by_label("A card whose bank asks first").check()
    order(page)
    expect(headline(page)).to_have_text("Please confirm with your bank")
    assert_accessible(page)
    page.get_by_role("link", name="Go to your bank").click()
    page.get_by_role("button", name="Confirm the payment").click()
    expect(headline(page)).to_have_text("We are checking the shelves")
    world.work()
    page.reload()
    expect(headline(page)).to_have_text("The store has your items")


def test_the_customer_refuses_at_the_bank(page, milk):
    to_the_checkout(page).get_by_label("A card whose bank asks first").check()
    order(page)
    page.get_by_role("link", name="Go to your bank").click()
    page.get_by_role("button", name="Refuse").click()
    expect(headline(page)).to_have_text("The payment did not go through")


def test_a_declined_card_keeps_the_form_and_another_one_works(page, milk):
    to_the_checkout(page).get_by_label("A card that is declined").check()
    order(page)
    expect(page.get_by_role("alert")).to_contain_text("Your bank declined the payment. Nothing was ordered")
    assert_accessible(page)
    page.get_by_label("A card that works").check()
    order(page)
    expect(headline(page)).to_have_text("We are checking the shelves")


def test_a_double_click_orders_once(page, milk):
    to_the_checkout(page)
    page.get_by_role("button", name="Order").dblclick()
    expect(headline(page)).to_have_text("We are checking the shelves")
    assert len(orders()) == 1
    assert db.session.query(Payment).count() == 1


def test_a_form_that_is_sent_twice_at_once_orders_once(page, milk):
    """Neither waits for the other; both end at the same order."""
    to_the_checkout(page)
    ends = page.evaluate(
        """async () => {
          const form = document.querySelector("main form[action$=checkout]");
          const send = () => fetch(form.action, { method: "POST", body: new FormData(form) });
          return (await Promise.all([send(), send(), send()])).map((answer) => answer.url);
        }"""
    )
    (placed,) = orders()
    assert {end.rpartition("/")[2] for end in ends} == {str(placed.id)}


def test_the_price_changes_meanwhile(page, world, milk):
    to_the_checkout(page)
    world.price(milk, 399)
    order(page)
    expect(page.get_by_role("alert")).to_contain_text("The price has changed while you were here.")
    assert orders() == []
    page.get_by_role("button", name="Order for $7.98").click()
    expect(headline(page)).to_have_text("We are checking the shelves")


def test_it_is_sold_out_meanwhile(page, milk):
    to_the_checkout(page)
    with unit_of_work():
        for level in db.session.query(StockLevel).filter_by(product_id=milk.id):
            level.on_hand = 1 if level.store_id == db.session.query(Store).filter_by(ref="near").one().id else 0
    order(page)
    expect(page.get_by_role("status")).to_contain_text("Somebody was faster, and nothing was ordered.")
    expect(page.get_by_role("region", name="Not to be had like this")).to_contain_text("No store near you has all")
    assert_accessible(page)
    page.get_by_label("Quantity of Whole milk").fill("1")
    page.get_by_role("button", name="Update Whole milk").click()
    expect(page.get_by_role("link", name="Go to the checkout")).to_be_visible()
    page.get_by_role("button", name="Remove Whole milk").click()
    expect(page.get_by_text("There is nothing in it yet")).to_be_visible()
    assert_accessible(page)


def test_another_store_is_the_nearest_meanwhile(page, milk):
    to_the_checkout(page)
    with unit_of_work():
        near = db.session.query(Store).filter_by(ref="near").one()
        db.session.query(StockLevel).filter_by(store_id=near.id).one().on_hand = 0
    order(page)
    expect(page.get_by_text("now Springdale Market is the nearest that has everything")).to_be_visible()


def test_what_is_wrong_stands_beside_its_field(page, milk):
    to_the_checkout(page)
    page.get_by_label("E-mail", exact=True).fill("ada")
    page.get_by_label("Somebody else").check()
    order(page)
    expect(page.get_by_label("E-mail", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Their name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada Example")
    assert_accessible(page)
    page.get_by_label("E-mail", exact=True).fill("ada@example.com")
    page.get_by_label("Their name").fill("Grace")
    order(page)
    expect(headline(page)).to_have_text("We are checking the shelves")
    assert [each.collector_name for each in orders()] == ["Grace"]


def test_more_than_one_may_have(page, world, milk):
    with unit_of_work():
        db.session.merge(milk).max_per_order = 1
    find_stores(page)
    page.goto("/shop/products/MILK")
    page.get_by_label("How many").fill("5")
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/basket")
    expect(page.get_by_role("region", name="Items")).to_contain_text("at most 1 of this product an order")
    expect(page.get_by_role("link", name="Go to the checkout")).to_have_count(0)


# Where


def test_the_nearest_that_has_everything_or_the_one_that_was_chosen(page, milk):
    find_stores(page)
    page.goto("/shop")
    for name in ("Whole milk, 1 gal", "Product BREAD"):
        page.get_by_role("button", name=f"Add {name} to the basket").click()
    page.goto("/shop/basket")
    expect(page.get_by_role("region", name="Springdale Market")).to_be_visible()
    page.get_by_text("Why this store?").click()
    expect(page.get_by_text("Rogers Market does not have all of it.")).to_be_visible()

    page.get_by_role("button", name="Choose Rogers Market").click()
    expect(page.get_by_role("region", name="Rogers Market")).to_contain_text("Other stores send what this one does not")
    assert_accessible(page)
    page.get_by_role("button", name="Take the nearest that has everything").click()
    expect(page.get_by_role("region", name="Springdale Market")).to_be_visible()


def test_where_the_browser_is(open_page, milk):
    page = open_page(geolocation={"latitude": 36.19, "longitude": -94.13}, permissions=["geolocation"])
    page.goto("/shop/store")
    page.get_by_role("button", name="Use my location").click()
    expect(page.get_by_role("heading", name="Stores near you")).to_be_visible()
    expect(page.get_by_role("listitem").first).to_contain_text("Springdale Market")


def test_a_browser_that_does_not_say(page, milk):
    page.goto("/shop/store")
    page.get_by_role("button", name="Use my location").click()
    expect(page.get_by_text("Your browser does not say. Please give a postcode.")).to_be_visible()


def test_a_postcode_that_is_none(page, milk):
    find_stores(page, "00000")
    expect(page.get_by_label("ZIP or postcode")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("ZIP or postcode")).to_have_value("00000")
    assert_accessible(page)


def test_nobody_is_near(page, milk):
    find_stores(page, "99501")
    expect(page.get_by_role("heading", name="No store within 100 km")).to_be_visible()
    page.goto("/shop/products/MILK")
    expect(page.get_by_text("No store is near you.")).to_be_visible()
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/basket")
    expect(page.get_by_text("No store near you has all of this at present.")).to_be_visible()
    assert_accessible(page)


def test_without_scripts(open_page, world, milk):
    page = to_the_checkout(open_page(java_script_enabled=False))
    expect(page.get_by_role("button", name="Use my location")).to_have_count(0)
    order(page)
    expect(headline(page)).to_have_text("We are checking the shelves")
    world.work()
    page.reload()
    expect(headline(page)).to_have_text("The store has your items")


# Closed, empty, not yours


def test_an_empty_shop(page, told):
    page.goto("/shop")
    expect(page.get_by_role("heading", name="The shelves are still empty")).to_be_visible()
    assert_accessible(page)
    page.goto("/shop/basket")
    expect(page.get_by_text("There is nothing in it yet")).to_be_visible()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shop_api_key": None}, "Nobody has opened the shop yet"),
        ({"shop_api_key": "pk_nonsense"}, "The shop's key does not work"),
        ({"shop_api_url": NOBODY}, "One moment, please"),
    ],
)
@pytest.mark.parametrize("path", ["", "/products/MILK", "/store", "/basket"])
def test_a_closed_shop_says_why(page, told, milk, changes, words, path):
    find_stores(page)
    page.goto("/shop/products/MILK")
    page.get_by_role("button", name="Add to basket").click()
    told(**changes)
    answer = page.goto(f"/shop{path}")
    assert answer.status == 503
    expect(headline(page)).to_have_text(words)
    assert_accessible(page)


def test_no_answer_to_an_order_keeps_the_form_and_its_key(page, told, live_server, milk, monkeypatch):
    monkeypatch.setattr("pickup.shop.client.PAUSE_SECONDS", 0)
    to_the_checkout(page)
    attempt = page.locator("[name=attempt]").input_value()
    told(shop_api_url=NOBODY)
    order(page)
    expect(page.get_by_role("alert")).to_contain_text("however often you do, it is ordered and paid once")
    assert page.locator("[name=attempt]").input_value() == attempt
    assert_accessible(page)
    told(shop_api_url=live_server)
    order(page)
    expect(headline(page)).to_have_text("We are checking the shelves")
    assert len(orders()) == 1


def test_an_order_of_another_browser(open_page, milk):
    mine = to_the_checkout(open_page())
    order(mine)
    expect(headline(mine)).to_have_text("We are checking the shelves")
    for address in (mine.url, "/shop/orders/x", "/shop/products/nothing", "/shop?after=nothing"):
        stranger = open_page()
        assert stranger.goto(address).status == 404
        expect(headline(stranger)).to_be_visible()


def test_a_store_that_is_there_no_more(page, world, milk):
    find_stores(page)
    with unit_of_work():
        db.session.query(Store).filter_by(ref="near").one().ref = "renamed"
        revisions.bump("stores")
    assert page.goto("/shop").status == 404
    page.get_by_role("link", name="Go to the shop").click()
    expect(page.get_by_role("link", name="Choose a store")).to_be_visible()


def test_a_forged_cookie_is_no_basket(page, live_server, milk):
    page.context.add_cookies([{"name": "shop", "value": "eyJiYXNrZXQiOltdfQ.x.y", "url": live_server}])
    assert page.goto("/shop/basket").status == 200
    expect(page.get_by_text("There is nothing in it yet")).to_be_visible()


def test_the_tablet_in_the_same_browser_leaves_the_basket_alone(page, world, milk):
    find_stores(page)
    page.goto("/shop/products/MILK")
    page.get_by_role("button", name="Add to basket").click()
    page.context.clear_cookies(name="pickup")  # what the tablet's sign-in does to the session
    page.goto("/shop/basket")
    expect(page.get_by_role("region", name="Items")).to_contain_text("Whole milk, 1 gal")


def test_the_bank_leads_nowhere_else(page, milk):
    to_the_checkout(page).get_by_label("A card whose bank asks first").check()
    order(page)
    address = page.get_by_role("link", name="Go to your bank").get_attribute("href").partition("?")[0]
    page.goto(f"{address}?return_to=//evil.example/x")
    page.get_by_role("button", name="Confirm the payment").click()
    expect(page).to_have_url(re.compile("/p/"))
