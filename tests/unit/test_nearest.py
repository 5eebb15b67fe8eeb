"""The nearest search against brute force: every answer must be the one that measuring every store gives."""

import csv
import math
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import zipcodes
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from pickup.stores import nearest
from pickup.stores.nearest import NearestIndex, Neighbour, Place, metres_between

REAL_STORES = Path(__file__).parents[2].parent / "shared" / "data" / "stores" / "walmart_us_2022.csv"


def brute_force(places: Sequence[Place], lat: float, lon: float) -> list[Neighbour]:
    return sorted(Neighbour(geodesic((lat, lon), (place.lat, place.lon)).meters, place) for place in places)


@pytest.fixture(scope="module")
def stores() -> list[Place]:
    if not REAL_STORES.exists():
        pytest.skip("the real stores are not beside this checkout (../shared/data)")
    with REAL_STORES.open(encoding="utf-8", newline="") as file:
        return [
            Place(row["ref"], float(row["lat"]), float(row["lon"]), key) for key, row in enumerate(csv.DictReader(file))
        ]


@pytest.fixture(scope="module")
def index(stores: list[Place]) -> NearestIndex:
    return NearestIndex(stores)


@pytest.fixture(scope="module")
def zip_points() -> list[tuple[float, float]]:
    """Where real customers ask from, the Pacific islands and Alaska included; always the same 2,000."""
    points = sorted({(float(row["lat"]), float(row["long"])) for row in zipcodes.list_all()} - {(0.0, 0.0)})
    return random.Random(72712).sample(points, 2000)


class TestRealStores:
    def test_eight_zips_agree_with_measuring_every_store(self, stores, index, zip_points):
        for lat, lon in zip_points[:8]:
            assert index.nearest(lat, lon, limit=10) == brute_force(stores, lat, lon)[:10]

    def test_two_thousand_zips_agree_on_the_two_nearest_to_the_last_bit(self, stores, index, zip_points):
        """Independently: haversine to every store, then the geodesic to all within 3 % of the second nearest.

        The sphere errs by 0.6 % at most, so 3 % leaves out no store that could be among the two.
        """
        lats, lons = np.radians([(place.lat, place.lon) for place in stores]).T
        for lat, lon in zip_points:
            phi, lam = math.radians(lat), math.radians(lon)
            squared = np.sin((lats - phi) / 2) ** 2 + math.cos(phi) * np.cos(lats) * np.sin((lons - lam) / 2) ** 2
            angles = 2 * np.arcsin(np.sqrt(squared))
            close = np.flatnonzero(angles <= np.partition(angles, 1)[1] * 1.03 + 1e-9)
            expected = brute_force([stores[position] for position in close], lat, lon)[:2]
            assert index.nearest(lat, lon, limit=2) == expected

    def test_every_store_is_its_own_nearest_but_for_the_two_that_share_a_place(self, stores, index):
        astray = {
            place.ref: found.place.ref
            for place in stores
            if (found := index.nearest(place.lat, place.lon, limit=1)[0]).place.ref != place.ref
        }
        assert astray == {"7254": "433"}  # the pharmacy in the store: nothing lies between them, "433" sorts first

    def test_a_search_measures_hardly_more_stores_than_it_returns(self, index, zip_points, monkeypatch):
        measured = []
        monkeypatch.setattr(nearest, "metres_between", lambda a, b: measured.append(b) or metres_between(a, b))
        for lat, lon in zip_points[:200]:
            index.nearest(lat, lon, limit=10)
        assert len(measured) <= 200 * 10 * 1.1


class TestOrder:
    def test_equal_distances_are_ordered_by_ref_as_text(self):
        east_and_west = [Place("9", 0.0, 1.0, 1), Place("10", 0.0, -1.0, 2), Place("a", 0.0, 1.0, 3)]
        found = NearestIndex(east_and_west).nearest(0.0, 0.0, limit=3)
        assert [neighbour.place.ref for neighbour in found] == ["10", "9", "a"]

    def test_a_tie_at_the_limit_goes_to_the_lower_ref(self):
        index = NearestIndex([Place("b", 10.0, 20.0, 1), Place("a", 10.0, 20.0, 2)])
        assert [found.place.ref for found in index.nearest(11.0, 20.0, limit=1)] == ["a"]

    def test_more_places_on_one_spot_than_a_batch_holds(self):
        """Equal chords at a batch's edge: the next batch may name others of them, and none may be lost or doubled."""
        places = [Place(f"{n:03}", 36.0, -94.0, n) for n in reversed(range(100))]
        found = NearestIndex(places).nearest(36.5, -94.5, limit=100)
        assert [neighbour.place.ref for neighbour in found] == sorted(place.ref for place in places)

    def test_the_sphere_would_name_the_wrong_store(self):
        """A degree of latitude is shorter than a degree of longitude at the equator; a sphere holds them equal."""
        north, east = Place("north", 1.0, 0.0, 1), Place("east", 0.0, 0.9999, 2)
        assert NearestIndex([north, east]).nearest(0.0, 0.0, limit=1)[0].place is north

    def test_whole_metres_are_the_nearest_ones_and_do_not_decide_the_order(self):
        index = NearestIndex([Place("a", 0.0, 0.000011, 1), Place("b", 0.0, 0.000010, 2)])  # 1.22 m and 1.11 m
        assert [(found.place.ref, found.distance_m) for found in index.nearest(0.0, 0.0, limit=2)] == [
            ("b", 1),
            ("a", 1),
        ]


class TestEdges:
    def test_no_places(self):
        assert NearestIndex([]).nearest(36.0, -94.0, limit=10) == []

    def test_one_place(self):
        place = Place("1", 36.0, -94.0, 7)
        assert NearestIndex([place]).nearest(36.0, -94.0, limit=10) == [Neighbour(0.0, place)]

    def test_limit_zero_and_below(self):
        index = NearestIndex([Place("1", 36.0, -94.0, 7)])
        assert index.nearest(0.0, 0.0, limit=0) == []
        with pytest.raises(ValueError):
            index.nearest(0.0, 0.0, limit=-1)

    def test_radius_includes_its_edge_by_the_unrounded_distance(self):
        place = Place("1", 36.0, -94.0, 7)
        index = NearestIndex([place])
        exactly = geodesic((36.5, -94.0), (36.0, -94.0)).meters
        assert index.nearest(36.5, -94.0, limit=1, radius_metres=exactly)
        assert not index.nearest(36.5, -94.0, limit=1, radius_metres=math.nextafter(exactly, 0))

    def test_across_the_date_line(self):
        west, far = Place("west", 52.0, 179.9, 1), Place("far", 52.0, -178.0, 2)
        found = NearestIndex([far, west]).nearest(52.0, -179.9, limit=2)
        assert [neighbour.place.ref for neighbour in found] == ["west", "far"]
        assert found[0].metres == pytest.approx(geodesic((52.0, 0.0), (52.0, 0.2)).meters)

    def test_at_a_pole_every_longitude_is_the_same_point(self):
        places = [Place("b", 90.0, 0.0, 1), Place("a", 90.0, 137.0, 2), Place("c", 89.9999, -50.0, 3)]
        found = NearestIndex(places).nearest(90.0, -120.0, limit=3)
        assert [neighbour.place.ref for neighbour in found] == ["a", "b", "c"]

    def test_antipodes_where_chords_tell_angles_badly(self):
        chance = random.Random(1)
        places = [Place(str(n), chance.uniform(-1e-6, 1e-6), 180.0 - chance.uniform(0, 1e-6), n) for n in range(50)] + [
            Place(str(n), chance.uniform(-1, 1), 180.0 - chance.uniform(0, 1), n) for n in range(50, 100)
        ]
        assert NearestIndex(places).nearest(0.0, 0.0, limit=100) == brute_force(places, 0.0, 0.0)

    @pytest.mark.parametrize(
        ("lat", "lon"), [(90.1, 0), (-91, 0), (0, 180.5), (0, -181), (math.nan, 0), (0, math.nan), (math.inf, 0)]
    )
    def test_off_the_globe(self, lat, lon):
        with pytest.raises(ValueError, match="latitude"):
            NearestIndex([Place("1", lat, lon, 1)])
        with pytest.raises(ValueError, match="latitude"):
            NearestIndex([]).walk(lat, lon)  # at the call, not at the first step


degrees_north = st.one_of(
    st.floats(-90, 90), st.sampled_from([-90.0, 0.0, 90.0]), st.integers(-9, 9).map(lambda n: n * 10.0)
)
degrees_east = st.one_of(
    st.floats(-180, 180), st.sampled_from([-180.0, 0.0, 180.0]), st.integers(-18, 18).map(lambda n: n * 10.0)
)
points = st.tuples(degrees_north, degrees_east)


class TestEverywhere:
    @settings(max_examples=80, deadline=None)
    @given(st.lists(points, max_size=25), points, st.integers(0, 30), st.floats(0, 2.1e7))
    def test_agrees_with_brute_force(self, coordinates, here, limit, radius):
        places = [Place(str(n % 7), lat, lon, n) for n, (lat, lon) in enumerate(coordinates)]
        index, expected = NearestIndex(places), brute_force(places, *here)
        assert index.nearest(*here, limit=limit) == expected[:limit]
        assert index.nearest(*here, limit=99, radius_metres=radius) == [n for n in expected if n.metres <= radius]

    @settings(max_examples=200, deadline=None)
    @given(points, points)
    def test_the_floor_is_below_the_geodesic_and_within_its_proven_reach(self, here, there):
        """b²/a · angle ≤ geodesic ≤ a²/b · angle, by the vectors and chords that the index computes."""
        ends = nearest._unit_vectors(*zip(here, there, strict=True))
        (floor,) = nearest._floors(np.linalg.norm(ends[:1] - ends[1:], axis=1))
        metres = geodesic(here, there).meters
        largest_to_smallest = (1 - 1 / 298.257223563) ** -3  # (a²/b) / (b²/a)
        assert floor <= metres <= (floor + 2 * nearest.ROUNDING_METRES) * largest_to_smallest + 1

    @settings(max_examples=200, deadline=None)
    @given(points, points)
    def test_metres_are_geopys_own_to_the_last_bit(self, here, there):
        assert metres_between(here, there) == geodesic(here, there).meters


def test_a_walk_goes_on_where_it_stopped_and_measures_no_further_than_it_is_read(monkeypatch):
    chance = random.Random(3)
    places = [Place(str(n), chance.uniform(30, 40), chance.uniform(-100, -90), n) for n in range(500)]
    measured = []
    monkeypatch.setattr(nearest, "metres_between", lambda a, b: measured.append(b) or metres_between(a, b))
    walk = NearestIndex(places).walk(35.0, -95.0)
    first = list(islice(walk, 10))
    assert len(measured) < 20
    rest = list(islice(walk, 30))
    assert first + rest == brute_force(places, 35.0, -95.0)[:40]
    assert len(measured) < 60
