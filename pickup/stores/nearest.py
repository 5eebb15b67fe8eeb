"""Which stores are nearest: exact on the WGS-84 ellipsoid, however many there are.

The one true distance is `geopy.distance.geodesic`. It costs tens of microseconds a pair, so measuring every store
is out of the question, and ranking on a sphere names the wrong store for one customer in four hundred.
Both together are exact and fast: a k-d tree yields stores in order of their angle on the unit sphere, and the
geodesic is measured only for as long as an unmeasured store could still come first.

Why that is exact
-----------------
Give every point of the ellipsoid the point of the unit sphere that has the same latitude φ and longitude λ.
A step (dφ, dλ) is then as long as

    ellipsoid:  √(M² dφ² + N² cos²φ dλ²)        M = a(1 − e²) / (1 − e² sin²φ)^³⁄²   (along the meridian)
    sphere:     √(   dφ² +    cos²φ dλ²)        N = a / √(1 − e² sin²φ)              (across it)

M ≤ N, and both grow from the equator to the poles. So the smallest factor between the two lengths is M at the
equator, a(1 − e²) = b²/a = 6,335,439.3 m (and the largest is N at the pole, a²/b = 6,399,593.6 m). What holds for each
step holds for a whole curve: the geodesic is at least b²/a times the length of its own image on the sphere, and
that image is at least as long as the great circle between its ends:

    geodesic ≥ b²/a · angle                       for every two points, antipodes and poles included.

The right-hand side is a store's *floor*. The tree yields stores by ascending angle, thus by ascending floor;
a store already measured at less than the next floor can be beaten by nothing that is still unmeasured.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import NamedTuple

import numpy as np
from geopy.distance import ELLIPSOIDS, geodesic
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

_EQUATORIAL_KM, _, _FLATTENING = ELLIPSOIDS["WGS-84"]

SMALLEST_RADIUS_METRES = _EQUATORIAL_KM * 1000 * (1 - _FLATTENING) ** 2  # b²/a, with b = a(1 − f)

# Rounding must never lift a floor above the distance it bounds. A unit vector is right to about 1e-15 and a chord to
# 3e-15; the angle suffers most at the antipodes, where 2·asin(c/2) is steepest: 2·√3e-15 = 1.1e-7 rad, 0.7 m.
ROUNDING_METRES = 1.0

# How many stores the tree is asked for at first. A page of ten needs eleven floors; each further batch is larger.
FIRST_BATCH = 16
BATCH_GROWTH = 4

# `geodesic(a, b)` sets up a new solver for every pair, a third of its time. One instance keeps its solver, and
# `measure` is what its constructor calls; a test holds the two together, bit for bit.
_WGS84 = geodesic()


class Place(NamedTuple):
    """A point that can be found. `ref` comes first: among equal distances it decides the order."""

    ref: str
    lat: float
    lon: float
    key: int
    """Whatever the caller knows the place by (a primary key); the index only hands it back."""


class Neighbour(NamedTuple):
    """A place and how far it is. Neighbours compare as the search orders them: by metres, then by `ref`."""

    metres: float
    place: Place

    @property
    def distance_m(self) -> int:
        """The geodesic to the nearest whole metre. For people: order and radius go by `metres`."""
        return round(self.metres)


class NearestIndex:
    """An immutable index of places, safe to share between threads.

    Building it takes about 1 µs a place; a place that moved needs a new index.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        """Index `places`.

        Raises:
            ValueError: a coordinate is not finite, or lies outside ±90° of latitude or ±180° of longitude.
        """
        self._places = tuple(places)
        self._tree = cKDTree(_unit_vectors([place.lat for place in places], [place.lon for place in places]))

    def __len__(self) -> int:
        return len(self._places)

    def nearest(self, lat: float, lon: float, *, limit: int, radius_metres: float | None = None) -> list[Neighbour]:
        """The `limit` nearest places, nearest first; fewer where there are fewer, or fewer within the radius.

        Raises:
            ValueError: the point is not on the globe, or `limit` is negative.
        """
        return list(islice(self.walk(lat, lon, radius_metres=radius_metres), limit))

    def walk(self, lat: float, lon: float, *, radius_metres: float | None = None) -> Iterator[Neighbour]:
        """Every place in exact order of (geodesic, ref), measured only as far as the caller reads on.

        Args:
            lat, lon: degrees on WGS-84.
            radius_metres: the last distance that still counts; None for the whole globe.

        Raises:
            ValueError: the point is not on the globe; raised here, not at the first step.
        """
        vector = _unit_vectors([lat], [lon])[0]
        return self._walk((lat, lon), vector, inf if radius_metres is None else radius_metres)

    def _walk(self, origin: tuple[float, float], vector: NDArray[np.float64], radius: float) -> Iterator[Neighbour]:
        measured: list[Neighbour] = []  # a heap
        for floor, place in self._by_floor(vector):
            while measured and measured[0].metres < floor:
                yield heappop(measured)
            if floor > radius:
                break
            metres = metres_between(origin, (place.lat, place.lon))
            if metres <= radius:
                heappush(measured, Neighbour(metres, place))
        while measured:
            yield heappop(measured)

    def _by_floor(self, vector: NDArray[np.float64]) -> Iterator[tuple[float, Place]]:
        """Each place once with its floor in metres, ascending; the tree is asked in growing batches."""
        seen: set[int] = set()
        batch = FIRST_BATCH
        while len(seen) < len(self):
            chords, indices = self._tree.query(vector, k=range(1, min(batch, len(self)) + 1))
            # By membership and not by position: among equal chords two queries may name different places.
            for floor, index in zip(_floors(chords), indices.tolist(), strict=True):
                if index not in seen:
                    seen.add(index)
                    yield floor, self._places[index]
            batch *= BATCH_GROWTH


def metres_between(here: tuple[float, float], there: tuple[float, float]) -> float:
    """The geodesic on WGS-84 between two (lat, lon), in metres: the very float of `geodesic(here, there).meters`."""
    metres: float = _WGS84.measure(here, there) * 1000
    return metres


def _unit_vectors(lats: ArrayLike, lons: ArrayLike) -> NDArray[np.float64]:
    """One row (x, y, z) a point."""
    degrees = np.array([lats, lons], dtype=np.float64)
    if not (np.abs(degrees) <= [[90.0], [180.0]]).all():  # says no to NaN as well
        raise ValueError("a latitude lies in -90..90 and a longitude in -180..180 degrees")
    lat, lon = np.radians(degrees)
    return np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


def _floors(chords: NDArray[np.float64]) -> list[float]:
    """What no geodesic can fall below, in metres, for chords of the unit sphere."""
    angles = 2 * np.arcsin(np.minimum(chords / 2, 1.0))
    floors: list[float] = (SMALLEST_RADIUS_METRES * angles - ROUNDING_METRES).tolist()
    return floors
