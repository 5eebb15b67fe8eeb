"""From words to coordinates: postcodes and addresses, by an offline table of US ZIP codes and a geocoding service.

The table always answers first for a postcode: it costs a fraction of a millisecond and cannot be down. The service
(setting `geocoder`, through geopy's common interface) knows addresses and the rest of the world. Whoever calls must
not hold a database transaction: a look-up at the service may take as long as `geocoder_timeout_seconds`.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, TypeVar

import geopy.exc
import zipcodes
from geopy.adapters import URLLibAdapter
from geopy.geocoders import Nominatim, get_geocoder_for_service
from geopy.geocoders.base import DEFAULT_SENTINEL, Geocoder
from geopy.location import Location

from pickup.config import Settings

# Places hardly move, so a found one is kept for a day; a place that was missing may be a typing error that somebody
# corrects on the map, or a service that was just being loaded.
FOUND_KEPT_SECONDS = 24 * 3600.0
MISSING_KEPT_SECONDS = 5 * 60.0
REMEMBERED_MAX = 10_000

# A service that hangs must not collect one thread per customer; beyond this many the answer is "unavailable" at once.
LOOK_UPS_AT_ONCE = 16


class Coordinates(NamedTuple):
    """Degrees on WGS-84."""

    lat: float
    lon: float


class PlaceNotFound(LookupError):
    """Nobody knows this postcode or address: the request is at fault. The text is fit for the caller's eyes."""


class GeocoderUnavailable(Exception):
    """The service gave no usable answer: not the caller's fault, and worth another try later."""

    def __init__(self, reason: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class ZipTable(Geocoder):  # type: ignore[misc]  # geopy comes without types
    """A geopy geocoder for US ZIP codes that needs no network.

    The data is the `zipcodes` package: about 42,000 ZIPs. It stays packed inside that package's own extension,
    which unpacks it (0.25 s, about 40 MB) at the first look-up; one look-up then takes 0.2 ms.
    """

    _ZIP = re.compile(r"(?P<zip>\d{5})(?:-?\d{4})?", re.ASCII)
    _ZIP_IN_TEXT = re.compile(r"(?<![\w-])(?P<zip>\d{5})(?:-\d{4})?(?![\w-])", re.ASCII)
    _COUNTRY_AT_THE_END = re.compile(r"[\s,]+(?:US|USA|U\.S\.A?\.?|United States(?: of America)?)\s*$", re.IGNORECASE)
    _THE_STATES = frozenset({"US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA"})
    # Countries of their own in ISO 3166 that the US Postal Service delivers to as states.
    _TERRITORIES = frozenset({"AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI"})

    def geocode(
        self, query: str | Mapping[str, str], *, exactly_one: bool = True, timeout: object = DEFAULT_SENTINEL
    ) -> Location | list[Location] | None:
        """The middle of a ZIP code's area.

        Args:
            query: `{"postalcode": …, "country": …}` (ZIP+4 counts by its first five digits), or a text: a ZIP code
                alone, or an address that ends in one.
            exactly_one: geopy's switch between one location and a list of one.
            timeout: accepted and ignored; nothing here waits.
        """
        record = self._by_text(query) if isinstance(query, str) else self._by_fields(query)
        if record is None:
            return None
        name = f"{record['city']}, {record['state']} {record['zip_code']}"
        location = Location(name, (float(record["lat"]), float(record["long"])), record)
        return location if exactly_one else [location]

    def _by_fields(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        country = query.get("country", "US").strip().upper()
        found = self._ZIP.fullmatch(query.get("postalcode", "").strip())
        if found is None or country not in self._THE_STATES | self._TERRITORIES:
            return None
        record = self._record(found["zip"])
        if record is None or (country in self._TERRITORIES and record["state"] != country):
            return None
        return record

    def _by_text(self, text: str) -> dict[str, Any] | None:
        """The last ZIP of an address, provided the address agrees that it is one.

        Five digits are also a house number, or a postcode of Berlin or Rome. They count as a ZIP only when they stand
        alone, or the text names the United States after them, or the ZIP's own state before them, or its city anywhere.
        """
        bare = self._COUNTRY_AT_THE_END.sub("", text)
        candidates = list(self._ZIP_IN_TEXT.finditer(bare))
        if not candidates:
            return None
        last = candidates[-1]
        record = self._record(last["zip"])
        if record is None:
            return None
        before, after = bare[: last.start()].rstrip(" ,"), bare[last.end() :].strip(" ,.")
        agrees = (
            not (before or after)
            or (not after and bare != text)
            or re.search(rf"(?<!\w){record['state']}$", before, re.IGNORECASE)
            or any(
                re.search(rf"(?<!\w){re.escape(city)}(?!\w)", text, re.IGNORECASE)
                for city in (record["city"], *record["acceptable_cities"])
            )
        )
        return record if agrees else None

    @staticmethod
    def _record(five_digits: str) -> dict[str, Any] | None:
        records: list[dict[str, Any]] = zipcodes.matching(five_digits)  # type: ignore[no-untyped-call]
        # The table gives 0, 0 to the 872 ZIPs (nearly all military) that it has no place for.
        return next((record for record in records if float(record["lat"]) or float(record["long"])), None)


def build_geocoder(settings: Settings) -> Geocoder | None:
    """The geocoding service that the settings name, or None for `none`.

    `geocoder_domain` replaces the service's public host; `http://` before it asks for plain HTTP. The public Nominatim
    allows one request a second and no heavy use: a shop of any size runs its own.
    """
    if settings.geocoder == "none":
        return None
    options: dict[str, Any] = {
        "user_agent": settings.geocoder_user_agent,
        "timeout": settings.geocoder_timeout_seconds,
        # Where `requests` is installed geopy takes that, which waits by itself when a service says "later".
        "adapter_factory": URLLibAdapter,
    }
    if settings.geocoder_domain is not None:
        scheme, _, domain = settings.geocoder_domain.rpartition("://")
        options |= {"domain": domain, "scheme": scheme or "https"}
    return get_geocoder_for_service(settings.geocoder)(**options)


class _Query(NamedTuple):
    """A postcode with its country, or an address without one, as it was typed but for white space."""

    text: str
    country: str | None

    @classmethod
    def of(cls, text: str, country: str | None = None) -> "_Query":
        return cls(" ".join(text.split()), country.strip().upper() if country else None)

    def __str__(self) -> str:
        return f"postcode {self.text!r} in {self.country}" if self.country else f"address {self.text!r}"


class Geocoding:
    """Finds the coordinates of postcodes and addresses; one instance a process, shared by its threads."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._zips = ZipTable()
        self._service = build_geocoder(settings)
        self._time_limit_seconds = settings.geocoder_timeout_seconds
        self._remembered = _Memory[_Query, Coordinates | None](REMEMBERED_MAX, clock)
        self._in_flight: dict[_Query, Future[Coordinates | None]] = {}
        self._lock = threading.Lock()

    def locate_postcode(self, postcode: str, country: str) -> Coordinates:
        """The middle of a postcode's area; `country` is an ISO 3166 code of two letters.

        Raises:
            PlaceNotFound: there is no such postcode, or nobody here knows that country.
            GeocoderUnavailable: only the service could know, and it did not answer in time.
        """
        return self._locate(_Query.of(postcode, country), self._in_table, self._at_service)

    def locate_address(self, address: str) -> Coordinates:
        """The place of an address; where the service does not know it (or there is none), that of its US ZIP code.

        Raises:
            PlaceNotFound: nobody here knows the address.
            GeocoderUnavailable: the service did not answer in time. The ZIP code does not step in: the same address
                would be a mile away on a bad day.
        """
        return self._locate(_Query.of(address), self._at_service, self._in_table)

    def _locate(self, query: _Query, *ways: Callable[[_Query], Coordinates | None]) -> Coordinates:
        try:
            found = self._remembered.get(query)
        except KeyError:
            found = next((place for find in ways if (place := find(query)) is not None), None)
            self._remembered.put(query, found, FOUND_KEPT_SECONDS if found else MISSING_KEPT_SECONDS)
        if found is None:
            hint = "" if self._service else " (without PICKUP_GEOCODER only US ZIP codes are known)"
            raise PlaceNotFound(f"there is no place for the {query}{hint}")
        return found

    def _in_table(self, query: _Query) -> Coordinates | None:
        return _coordinates(
            self._zips.geocode(
                {"postalcode": query.text, "country": query.country} if query.country is not None else query.text
            )
        )

    def _at_service(self, query: _Query) -> Coordinates | None:
        """Ask the service, but wait no longer than the time limit.

        geopy's own timeout is the socket's, counted anew for every packet; a service that answers a byte at a time
        would hold its caller for ever. So the call has a thread of its own (a daemon: it must not hold up a shutdown),
        and whoever asks the same thing meanwhile waits for the same answer.
        """
        if self._service is None:
            return None
        try:
            return self._call_for(query).result(timeout=self._time_limit_seconds)
        except TimeoutError:
            raise GeocoderUnavailable(f"the geocoder took longer than {self._time_limit_seconds:g} s") from None

    def _call_for(self, query: _Query) -> "Future[Coordinates | None]":
        with self._lock:
            if query in self._in_flight:
                return self._in_flight[query]
            if len(self._in_flight) >= LOOK_UPS_AT_ONCE:
                raise GeocoderUnavailable(f"{LOOK_UPS_AT_ONCE} look-ups are waiting for the geocoder already")
            call: Future[Coordinates | None] = Future()
            threading.Thread(target=self._call, args=(query, call), name="geocoder", daemon=True).start()
            self._in_flight[query] = call
            return call

    def _call(self, query: _Query, call: "Future[Coordinates | None]") -> None:
        found: Coordinates | None = None
        failure: GeocoderUnavailable | None = None
        try:
            found = _coordinates(self._ask(query))
        except geopy.exc.GeocoderQueryError:  # the service was reached and says that the question is nonsense
            pass
        except geopy.exc.GeocoderRateLimited as error:
            failure = GeocoderUnavailable(str(error), retry_after_seconds=error.retry_after)
        except Exception as error:  # whatever a foreign answer does to its parser is the service's failure too
            failure = GeocoderUnavailable(f"{type(error).__name__}: {error}")
        with self._lock:
            del self._in_flight[query]  # first: who has heard the answer and asks again does not get this one
        if failure:
            call.set_exception(failure)
        else:
            call.set_result(found)

    def _ask(self, query: _Query) -> Location | None:
        service = self._service
        if service is None:
            return None
        if query.country is None:
            return service.geocode(query.text)
        if isinstance(service, Nominatim):  # the one of the three that takes fields
            return service.geocode({"postalcode": query.text, "country": query.country})
        return service.geocode(f"{query.text}, {query.country}")


def _coordinates(location: Location | None) -> Coordinates | None:
    return None if location is None else Coordinates(location.latitude, location.longitude)


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Memory(Generic[K, V]):
    """The `size` entries that were used last, each for as long as it was put away for."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V:
        """Raises KeyError where there is nothing, or nothing any more."""
        with self._lock:
            until, value = self._entries[key]
            if self._clock() >= until:
                del self._entries[key]
                raise KeyError(key)
            self._entries.move_to_end(key)
            return value

    def put(self, key: K, value: V, seconds: float) -> None:
        with self._lock:
            self._entries[key] = (self._clock() + seconds, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
