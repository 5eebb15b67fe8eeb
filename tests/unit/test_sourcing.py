"""Which store gives how many of what: whatever the shelves, it adds up."""

from collections import Counter
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.orders.sourcing import Source, Stock, fewest_sources, missing_from, nearest_sources, take_from_shelf

WAYS = pytest.mark.parametrize("find", [nearest_sources, fewest_sources])

products = st.integers(1, 4)
wanted = st.dictionaries(products, st.integers(1, 6), max_size=4)
shelves = st.dictionaries(products, st.integers(0, 6), max_size=4)
stocks = st.lists(shelves, max_size=5).map(lambda each: [Stock(number, shelf) for number, shelf in enumerate(each)])


def added_up(found):
    return dict(sum((Counter(units) for units in found.values()), Counter()))


@WAYS
@given(wanted, stocks)
def test_what_is_found_is_what_is_missing_exactly(find, missing, stocks):
    found = find(missing, stocks)

    if found is not None:
        assert added_up(found) == missing
        assert all(quantity > 0 for units in found.values() for quantity in units.values())
        assert all(found.values()), "nobody is asked to send nothing"


@WAYS
@given(wanted, stocks)
def test_no_store_gives_more_than_it_has(find, missing, stocks):
    available = {stock.store_id: stock.available for stock in stocks}

    for store_id, units in (find(missing, stocks) or {}).items():
        assert all(quantity <= available[store_id].get(product_id, 0) for product_id, quantity in units.items())


@WAYS
@given(wanted, stocks)
def test_nothing_is_found_only_where_all_together_have_too_little(find, missing, stocks):
    together = {product_id: sum(stock.available.get(product_id, 0) for stock in stocks) for product_id in missing}

    is_enough = all(together[product_id] >= quantity for product_id, quantity in missing.items())
    assert (find(missing, stocks) is not None) == is_enough


@WAYS
@given(wanted, stocks)
def test_a_product_is_split_only_where_no_store_has_all_of_it(find, missing, stocks):
    for product_id, quantity in missing.items():
        senders = [units for units in (find(missing, stocks) or {}).values() if product_id in units]
        assert len(senders) <= 1 or all(stock.available.get(product_id, 0) < quantity for stock in stocks)


@WAYS
@given(wanted, stocks)
def test_what_was_asked_with_is_left_as_it_was(find, missing, stocks):
    before = dict(missing), [dict(stock.available) for stock in stocks]
    find(missing, stocks)

    assert (missing, [dict(stock.available) for stock in stocks]) == before


@given(wanted, stocks)
def test_the_nearest_that_has_all_of_a_product_sends_it(missing, stocks):
    for store_id, units in (nearest_sources(missing, stocks) or {}).items():
        for product_id, quantity in units.items():
            if quantity == missing[product_id]:
                assert not any(stock.available.get(product_id, 0) >= quantity for stock in stocks[:store_id])


@given(wanted, stocks)
def test_where_one_store_has_all_of_it_fewest_asks_only_one(missing, stocks):
    one_has_all = any(
        all(stock.available.get(product_id, 0) >= quantity for product_id, quantity in missing.items())
        for stock in stocks
    )

    assert not (missing and one_has_all) or len(fewest_sources(missing, stocks)) == 1


def test_nearest_reads_no_further_than_it_must():
    def stocks():
        yield Stock(1, {1: 5})
        raise AssertionError("looked too far")

    assert nearest_sources({1: 2}, stocks()) == {1: {1: 2}}


def test_the_two_ways_differ():
    stocks = [Stock(1, {1: 1}), Stock(2, {2: 1}), Stock(3, {1: 1, 2: 1})]

    assert nearest_sources({1: 1, 2: 1}, stocks) == {1: {1: 1}, 2: {2: 1}}
    assert fewest_sources({1: 1, 2: 1}, stocks) == {3: {1: 1, 2: 1}}


@given(wanted, shelves)
def test_taken_and_missing_are_together_what_was_wanted(wanted, shelf):
    taken = take_from_shelf(wanted, shelf)
    missing = missing_from(wanted, taken)

    assert {each: taken.get(each, 0) + missing.get(each, 0) for each in wanted} == wanted
    assert all(0 < units <= shelf[product_id] for product_id, units in taken.items())
    assert all(units > 0 for units in missing.values())


@given(st.integers(1, 9), wanted, st.none() | st.datetimes(timezones=st.just(UTC)))
def test_a_source_is_kept_as_it_was(store_id, quantities, expected_at):
    source = Source(store_id, quantities, expected_at)

    assert Source.from_json(source.as_json()) == source
