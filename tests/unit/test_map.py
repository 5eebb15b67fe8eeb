"""Plans of stores: where everything is drawn."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.core import map

BENTONVILLE = (36.3728, -94.2088)
MILE = 1609.344


# Stores around a place


def test_north_is_up_and_east_is_right():
    lat, lon = BENTONVILLE
    drawn = map.plan(BENTONVILLE, [(lat + 0.1, lon), (lat, lon + 0.1), (lat - 0.1, lon - 0.1)], unit_metres=MILE)

    north, east, south_west = drawn.pins
    assert [pin.number for pin in drawn.pins] == [1, 2, 3]
    assert (north.x, east.y) == (drawn.x, drawn.y)
    assert north.y < drawn.y < south_west.y
    assert south_west.x < drawn.x < east.x
    # The Earth is round: a degree to the east is shorter than one to the north.
    assert (east.x - drawn.x) / (drawn.y - north.y) == pytest.approx(math.cos(math.radians(lat)), rel=0.01)


def test_rings_are_where_the_distance_is_round():
    lat, lon = BENTONVILLE
    miles = 12 * MILE / map.METRES_PER_DEGREE
    drawn = map.plan(BENTONVILLE, [(lat + miles, lon)], unit_metres=MILE)

    assert [round(ring.metres / MILE, 6) for ring in drawn.rings] == [5, 10]
    assert drawn.rings[1].radius == pytest.approx((drawn.y - drawn.pins[0].y) * 10 / 12, abs=0.2)


def test_the_date_line_is_no_border():
    drawn = map.plan((-16.8, 179.99), [(-16.8, -179.99)], unit_metres=1000)

    assert drawn.x < drawn.pins[0].x <= map.WIDTH


def test_stores_at_one_spot_stand_side_by_side():
    drawn = map.plan(BENTONVILLE, [BENTONVILLE] * 4, unit_metres=MILE)

    gaps = [math.dist((a.x, a.y), (b.x, b.y)) for a in drawn.pins for b in drawn.pins if a.number < b.number]
    assert min(gaps) >= map.PIN_GAP
    assert (drawn.pins[0].x, drawn.pins[0].y) == (drawn.x, drawn.y)


spots = st.tuples(st.floats(-80, 80), st.floats(-180, 180))


@given(
    spots, st.lists(st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)), max_size=6), st.sampled_from([MILE, 1000])
)
def test_whatever_is_nearby_is_on_the_plan(place, offsets, unit):
    stores = [(place[0] + north, (place[1] + east + 180) % 360 - 180) for north, east in offsets]
    drawn = map.plan(place, stores, unit_metres=unit)

    assert 1 <= len(drawn.rings) <= 8
    assert len(drawn.pins) == len(stores)
    for pin in drawn.pins:
        assert 0 <= pin.x <= map.WIDTH
        assert 0 <= pin.y <= map.HEIGHT


@pytest.mark.parametrize(
    ("at_least", "number"), [(1, 1), (1.2, 2), (3, 5), (7, 10), (12, 20), (0.3, 0.5), (0.02, 0.02)]
)
def test_round_numbers(at_least, number):
    assert map.round_number(at_least) == pytest.approx(number)


# The way to one store


@pytest.mark.parametrize(
    ("north", "east", "eighth"),
    [(1, 0, 0), (1, 1, 1), (0, 1, 2), (-1, 1, 3), (-1, 0, 4), (-1, -1, 5), (0, -1, 6), (1, -1, 7), (1, -0.1, 0)],
)
def test_where_the_store_lies(north, east, eighth):
    drawn = map.way((north / 10, east / 10), (0.0, 0.0), unit_metres=1000)

    assert drawn.eighth == eighth
    assert (drawn.store[0] - drawn.place[0]) * east >= 0
    assert (drawn.place[1] - drawn.store[1]) * north >= 0


def test_the_scale_is_a_round_number_and_true():
    degree = 10 * MILE / map.METRES_PER_DEGREE
    drawn = map.way((degree, 0.0), (0.0, 0.0), unit_metres=MILE)

    assert drawn.bar_metres / MILE == pytest.approx(10)
    assert drawn.bar == pytest.approx(drawn.place[1] - drawn.store[1], abs=0.2)


def test_a_store_alone_is_in_the_middle():
    drawn = map.way(BENTONVILLE, None, unit_metres=1000)

    assert drawn.place is None
    assert drawn.store[0] == map.WIDTH / 2
    assert drawn == map.way(BENTONVILLE, None, unit_metres=1000)


@given(spots, st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)), st.sampled_from([MILE, 1000]))
def test_store_place_and_scale_are_in_the_frame(place, offset, unit):
    store = (place[0] + offset[0], (place[1] + offset[1] + 180) % 360 - 180)
    drawn = map.way(store, place, unit_metres=unit)

    for x, y in (drawn.store, drawn.place):
        assert 11 <= x <= map.WIDTH - 11
        assert 32 <= y <= map.WAY_HEIGHT - 30
    assert map.BAR_MIN * 0.99 <= drawn.bar <= map.WIDTH / 2
