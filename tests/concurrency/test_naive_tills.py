"""A till that knows of no zones, and goes by instants and versions alone, charges what the ledger says all the same."""

import random
from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.pricing.queries import prices_in_force
from tests.naive_till import NaiveTill

MINUTE = timedelta(minutes=1)
STEPS = 14
ZONES = ("", "", "east", "west")


@pytest.mark.parametrize("seed", range(25))
def test_whenever_it_asks_it_charges_what_holds(world, seed):
    chance = random.Random(seed)
    product = world.product("A", price=None)
    world.store("1", price_zone="east")
    begin = utcnow()
    tills = [NaiveTill() for _ in range(3)]

    for step in range(STEPS):
        now = begin + step * MINUTE
        valid_from = now + chance.choice((0, 0, 2, 5, 9)) * MINUTE
        world.price(product, chance.randrange(1000), zone=chance.choice(ZONES), valid_from=valid_from)
        for till in tills:
            if chance.random() < 0.5 or step == STEPS - 1:
                till.follow(limit=chance.choice((1, 2, 50)))
                instants = [now + minutes * MINUTE for minutes in range(12)]
                ledger = [prices_in_force([product.id], "east", at=at).get(product.id) for at in instants]
                assert [till.price("A", at) for at in instants] == [price and price.amount for price in ledger]


def test_a_price_of_the_zone_is_told_for_what_it_overrules_too(world):
    now = utcnow()
    product, till = world.product("A", price=None), NaiveTill()
    world.store("1", price_zone="east")
    world.price(product, 100, valid_from=now + 3 * MINUTE)
    till.follow(1)
    world.price(product, 200, zone="east", valid_from=now + MINUTE)
    till.follow(1)

    told = sorted((version, valid_from, change.amount) for (_, valid_from, version), change in till.told.items())
    assert told == [(1, now + 3 * MINUTE, 100), (2, now + MINUTE, 200), (2, now + 3 * MINUTE, 200)]
    assert till.price("A", now + 4 * MINUTE) == 200
