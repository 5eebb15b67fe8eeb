"""What a till makes of the prices that it was told."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pickup.dev.till import TillPrices

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(version, hour, *, sku="A", zone="", amount=None):
    begins = (START + timedelta(hours=hour)).isoformat()
    price = {"amount": version if amount is None else amount, "currency": "USD"}
    return {"sku": sku, "price": price, "valid_from": begins, "version": version, "zone": zone}


def prices_of(*changes):
    prices = TillPrices()
    prices.take_over(changes, "next")
    return prices


def cost(prices, hour, sku="A"):
    price = prices.price(sku, START + timedelta(hours=hour))
    return price and price.amount


def test_the_latest_that_has_begun_counts_whatever_came_last():
    prices = prices_of(told(1, 0), told(2, 5), told(3, 2))

    assert [cost(prices, hour) for hour in (-1, 0, 1, 2, 4, 5, 99)] == [None, 1, 1, 3, 3, 2, 2]


def test_of_two_for_one_instant_the_greater_version_counts():
    assert cost(prices_of(told(1, 0, amount=9), told(2, 0, amount=1)), 0) == 1


def test_the_stores_own_price_goes_before_a_later_one_for_everywhere():
    prices = prices_of(told(1, 0), told(2, 1, zone="east"), told(3, 2))

    assert [cost(prices, hour) for hour in (0, 1, 2)] == [1, 2, 2]


def test_a_page_that_comes_twice_changes_nothing():
    prices = prices_of(told(1, 0), told(2, 0))
    before = prices.as_json()

    assert prices.take_over([told(1, 0), told(2, 0)], "next") == 0
    assert prices.as_json() == before
    assert prices.take_over([told(3, 0), told(4, 0, sku="B")], "later") == 2
    assert (prices.version, prices.cursor) == (4, "later")


def test_what_has_no_price_yet_is_not_on_sale():
    prices = prices_of(told(1, 0), told(2, 5, sku="B"))

    assert prices.skus_on_sale(START) == ["A"]
    assert prices.skus_on_sale(START + timedelta(hours=5)) == ["A", "B"]


CHANGES = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from("AB"), st.sampled_from(["", "east"]), st.integers(0, 9))
)


@given(CHANGES)
def test_a_file_remembers_it_all(stated):
    changes = [
        told(number, hour, sku=sku, zone=zone, amount=amount)
        for number, (hour, sku, zone, amount) in enumerate(stated, 1)
    ]
    prices = prices_of(*changes)

    again = TillPrices.from_json(json.loads(json.dumps(prices.as_json())))

    assert (again.cursor, again.version) == (prices.cursor, prices.version)
    for hour in range(-4, 5):
        assert [cost(again, hour, sku) for sku in "AB"] == [cost(prices, hour, sku) for sku in "AB"]
