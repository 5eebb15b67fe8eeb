"""First come, first served, the whole basket or nothing."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pickup.inventory.allocation import Demand, allocate

KEYS = [(1, 1), (1, 2), (2, 1)]

demands = st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 5), min_size=1), max_size=20)
levels = st.dictionaries(st.sampled_from(KEYS), st.integers(-3, 12))


@given(demands, levels)
def test_never_more_than_there_is(baskets, available):
    met = allocate([Demand(number, basket) for number, basket in enumerate(baskets)], available)

    taken: Counter[tuple[int, int]] = Counter()
    for demand in met:
        taken.update(demand.quantities)
    assert all(quantity <= max(available.get(key, 0), 0) for key, quantity in taken.items())


@given(demands, levels)
def test_nobody_is_passed_over_who_could_have_been_served(baskets, available):
    met = {demand.owner for demand in allocate([Demand(n, basket) for n, basket in enumerate(baskets)], available)}

    left = dict(available)
    for number, basket in enumerate(baskets):
        fits = all(left.get(key, 0) >= quantity for key, quantity in basket.items())
        assert (number in met) == fits
        if fits:
            for key, quantity in basket.items():
                left[key] -= quantity
