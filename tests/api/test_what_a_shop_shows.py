"""What a shop needs to show without asking twice: names, hours, who is on the way; and how it finds products."""

import pytest

from tests.api_client import ApiClient
from tests.world import World

PRODUCTS = (("A", "Whole milk", "Dairy"), ("B", "100% juice", "Drinks"), ("C", "Oat MILK", "Dairy"))


@pytest.fixture
def store(world: World):
    made = world.store("1", name="Rogers", opening_hours="Mo-Su 00:00-24:00", timezone="America/Chicago")
    for sku, name, department in (
        ("A", "Whole milk", "Dairy"),
        ("B", "100% juice", "Drinks"),
        ("C", "Oat MILK", "Dairy"),
    ):
        world.stock(made, world.product(sku, name=name, department=department), 5)
    return made


def test_a_quote_names_its_lines_and_when_the_store_is_open(shop: ApiClient, store):
    quote = shop.post("/v1/quotes", {"items": [{"sku": "A", "quantity": 1}], "pickup": {"store_ref": "1"}}).json
    assert quote["lines"][0]["name"] == "Whole milk"
    assert quote["store"]["opening_hours"] == "Mo-Su 00:00-24:00"
    assert quote["store"]["timezone"] == "America/Chicago"


def test_an_order_says_who_comes_and_where_they_stand(world: World, shop: ApiClient, store):
    order = world.place(shop, {"A": 1})
    shown = shop.get(f"/v1/orders/{order.id}").json
    assert shown["store"]["timezone"] == "America/Chicago"
    assert {shown["pickup"][name] for name in ("on_the_way_at", "expected_at", "bay", "car", "note")} == {None}
    arrived = shop.post(f"/v1/orders/{order.id}/arrival", {"bay": "4", "car": "red Corolla"}).json["pickup"]
    assert (arrived["bay"], arrived["car"], arrived["note"]) == ("4", "red Corolla", None)
    assert arrived["arrived_at"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "milk"}, ["A", "C"]),
        ({"q": "B"}, ["B"]),
        ({"q": "0%"}, ["B"]),
        ({"q": "%"}, ["B"]),
        ({"q": "_"}, []),
        ({"department": "dairy"}, ["A", "C"]),
        ({"department": "dairy", "q": "whole"}, ["A"]),
        ({"department": "dair"}, []),
        ({}, ["A", "B", "C"]),
    ],
)
def test_products_are_found(shop: ApiClient, store, query, found):
    assert [each["sku"] for each in shop.get("/v1/products", **query).json["data"]] == found


def test_what_is_found_comes_in_pages(shop: ApiClient, store):
    first = shop.get("/v1/products", q="milk", limit=1).json
    assert [each["sku"] for each in first["data"]] == ["A"]
    assert [each["sku"] for each in shop.get("/v1/products", q="milk", after=first["next"]).json["data"]] == ["C"]
