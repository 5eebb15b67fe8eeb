"""Geocoding: the offline table for real, the service as a stand-in on this machine that speaks Nominatim's JSON."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pickup.config import Settings
from pickup.stores import geocoding
from pickup.stores.geocoding import (
    FOUND_KEPT_SECONDS,
    MISSING_KEPT_SECONDS,
    Coordinates,
    GeocoderUnavailable,
    Geocoding,
    PlaceNotFound,
    ZipTable,
    build_geocoder,
)

BENTONVILLE = Coordinates(36.3577, -94.2224)
BERLIN = Coordinates(52.5323, 13.3846)


PLACES = {"10115 DE": BERLIN, "702 SW 8th St, Bentonville": Coordinates(36.3660, -94.2178)}


class Service:
    """A Nominatim of our own: knows two places, remembers what it was asked, fails as told."""

    domain: str

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes | None = None
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()
        self.drip = False

    def answer(self, params: dict[str, list[str]]) -> bytes:
        query = params["q"][0] if "q" in params else f"{params['postalcode'][0]} {params['country'][0]}"
        self.asked.append(query)
        self.gate.wait(10)
        place = PLACES.get(query)
        found = [{"lat": str(place.lat), "lon": str(place.lon), "display_name": query}] if place else []
        return json.dumps(found).encode() if self.body is None else self.body


class Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        body = self.service.answer(parse_qs(urlsplit(self.path).query))
        self.send_response(self.service.status)
        for name, value in self.service.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.service.drip:
                    time.sleep(0.1)
        except OSError:
            pass  # the client gave up, which is what some tests are about

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"service": service}))
    server.daemon_threads = True
    service.domain = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield service
    service.gate.set()
    server.shutdown()
    server.server_close()
    thread.join()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def settings(**changes) -> Settings:
    return replace(Settings.from_environment(), **{"geocoder": "none", "geocoder_domain": None, **changes})


@pytest.fixture
def offline() -> Geocoding:
    return Geocoding(settings())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def online(service: Service, clock: Clock) -> Geocoding:
    told = settings(geocoder="nominatim", geocoder_domain=service.domain, geocoder_timeout_seconds=5.0)
    return Geocoding(told, clock=clock)


class TestZipTable:
    @pytest.mark.parametrize("text", ["72712", "72712-1234", "727121234", " 72712 "])
    def test_a_zip_and_zip_plus_four(self, offline, text):
        assert offline.locate_postcode(text, "US") == BENTONVILLE
        assert offline.locate_postcode(text, "us") == BENTONVILLE

    @pytest.mark.parametrize("text", ["00000", "7271", "ABCDE", "", "72712-12", "\u0667\u0662\u0667\u0661\u0662"])
    def test_what_is_no_zip(self, offline, text):
        with pytest.raises(PlaceNotFound):
            offline.locate_postcode(text, "US")

    def test_a_zip_whose_place_the_table_does_not_know_is_not_off_the_coast_of_africa(self, offline):
        with pytest.raises(PlaceNotFound):
            offline.locate_postcode("09001", "US")  # an army post office: 0, 0 in the table

    def test_the_territories_are_countries_and_states(self, offline):
        assert offline.locate_postcode("00901", "PR") == offline.locate_postcode("00901", "US")
        with pytest.raises(PlaceNotFound):
            offline.locate_postcode("72712", "PR")
        with pytest.raises(PlaceNotFound):
            offline.locate_postcode("72712", "AR")  # Argentina, not Arkansas

    @pytest.mark.parametrize(
        "address",
        [
            "702 SW 8th St, Bentonville, AR 72712",
            "702 SW 8th St\nBentonville AR 72712-6209, USA",
            "bentonville ar 72712",
            "Bentonville, Arkansas 72712",
            "12345 Main Street, Bentonville, AR, 72712",
            "72712 Bentonville",
            "72712",
            "somewhere, 72712, United States",
        ],
    )
    def test_an_address_that_ends_in_a_zip(self, offline, address):
        assert offline.locate_address(address) == BENTONVILLE

    @pytest.mark.parametrize(
        "address",
        [
            "Invalidenstr. 117, 10115 Berlin",
            "Berlin 10115",
            "12345 Main Street",
            "12345 Main Street, Bentonville, AR",
            "Via Roma 1, 00184 Roma",
            "order 7271234",
            "nowhere",
            "",
        ],
    )
    def test_five_digits_that_nothing_calls_a_zip(self, offline, address):
        with pytest.raises(PlaceNotFound, match="PICKUP_GEOCODER"):
            offline.locate_address(address)

    def test_speaks_geopys_interface(self):
        table = ZipTable()
        location = table.geocode({"postalcode": "72712", "country": "US"})
        assert (location.latitude, location.longitude) == BENTONVILLE
        assert location.address == "Bentonville, AR 72712"
        assert table.geocode("72712", exactly_one=False) == [location]
        assert table.geocode({"postalcode": "72712", "country": "DE"}) is None

    def test_another_country_without_a_service_says_which_setting_helps(self, offline):
        with pytest.raises(PlaceNotFound, match=r"'10115' in DE .*PICKUP_GEOCODER"):
            offline.locate_postcode("10115", "DE")


class TestService:
    def test_a_postcode_of_another_country(self, online, service):
        assert online.locate_postcode("10115", "de") == BERLIN
        assert service.asked == ["10115 DE"]

    def test_an_address(self, online):
        assert online.locate_address("702 SW 8th St, Bentonville") == Coordinates(36.3660, -94.2178)

    def test_a_us_zip_does_not_bother_the_service(self, online, service):
        assert online.locate_postcode("72712", "US") == BENTONVILLE
        assert service.asked == []

    def test_an_address_it_does_not_know_falls_back_to_its_zip(self, online, service):
        assert online.locate_address("1 Unmapped Lane, Bentonville, AR 72712") == BENTONVILLE
        assert len(service.asked) == 1

    def test_what_nobody_knows(self, online):
        with pytest.raises(PlaceNotFound, match=r"address 'nowhere'$"):
            online.locate_address("nowhere")

    def test_a_question_it_calls_nonsense_is_not_found(self, online, service):
        service.status = 400
        with pytest.raises(PlaceNotFound):
            online.locate_address("???")

    @pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
    def test_its_errors_are_unavailable(self, online, service, status):
        service.status = status
        with pytest.raises(GeocoderUnavailable):
            online.locate_address("somewhere, AR 72712")

    def test_a_quota_says_when_to_come_back(self, online, service):
        service.status, service.headers = 429, {"Retry-After": "17"}
        with pytest.raises(GeocoderUnavailable) as caught:
            online.locate_address("somewhere")
        assert caught.value.retry_after_seconds == 17

    @pytest.mark.parametrize("body", [b"<html>", b'[{"lat": "north"}]', b'[{"lat": "91", "lon": "0"}]', b"[1]"])
    @pytest.mark.filterwarnings("ignore:Latitude normalization")
    def test_an_answer_that_makes_no_sense_is_unavailable(self, online, service, body):
        service.body = body
        with pytest.raises(GeocoderUnavailable):
            online.locate_address("somewhere")

    @pytest.mark.parametrize("body", [b"[]", b"{}", b"null"])
    def test_an_empty_answer_is_not_found(self, online, service, body):
        service.body = body
        with pytest.raises(PlaceNotFound):
            online.locate_address("somewhere")

    def test_nobody_listens(self, monkeypatch):
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        told = settings(geocoder="nominatim", geocoder_domain="http://127.0.0.1:9", geocoder_timeout_seconds=2.0)
        with pytest.raises(GeocoderUnavailable):
            Geocoding(told).locate_address("somewhere")


class TestTimeLimit:
    def hurried(self, service: Service) -> Geocoding:
        told = settings(geocoder="nominatim", geocoder_domain=service.domain, geocoder_timeout_seconds=0.3)
        return Geocoding(told)

    def test_a_service_that_hangs(self, service):
        service.gate.clear()
        begun = time.monotonic()
        with pytest.raises(GeocoderUnavailable):
            self.hurried(service).locate_address("somewhere")
        assert time.monotonic() - begun < 2

    def test_a_service_that_answers_a_byte_at_a_time(self, service):
        """Each byte comes well within the socket's timeout; the whole would take nearly five seconds."""
        service.drip, service.body = True, b'[{"lat": "1", "lon": "2", "display_name": ""}]'
        begun = time.monotonic()
        with pytest.raises(GeocoderUnavailable, match=r"longer than 0\.3 s"):
            self.hurried(service).locate_address("somewhere")
        assert time.monotonic() - begun < 2

    def test_hanging_look_ups_do_not_pile_up(self, service, monkeypatch):
        monkeypatch.setattr(geocoding, "LOOK_UPS_AT_ONCE", 1)
        service.drip, service.body = True, b"[" + b" " * 20 + b"]"
        hurried = self.hurried(service)
        with pytest.raises(GeocoderUnavailable, match="longer than"):
            hurried.locate_address("one")
        with pytest.raises(GeocoderUnavailable, match="waiting for the geocoder already"):
            hurried.locate_address("two")


class TestMemory:
    def test_a_place_is_asked_for_once_however_it_is_spaced(self, online, service, clock):
        online.locate_postcode("10115", "DE")
        clock.now = FOUND_KEPT_SECONDS - 1
        online.locate_postcode(" 10115 ", "de")
        assert len(service.asked) == 1
        clock.now = FOUND_KEPT_SECONDS
        online.locate_postcode("10115", "DE")
        assert len(service.asked) == 2

    def test_a_missing_place_is_asked_for_again_soon(self, online, service, clock):
        for now, asked in [(0, 1), (MISSING_KEPT_SECONDS - 1, 1), (MISSING_KEPT_SECONDS, 2)]:
            clock.now = now
            with pytest.raises(PlaceNotFound):
                online.locate_address("nowhere")
            assert len(service.asked) == asked

    def test_a_failure_is_not_remembered(self, online, service):
        service.status = 503
        with pytest.raises(GeocoderUnavailable):
            online.locate_postcode("10115", "DE")
        service.status = 200
        assert online.locate_postcode("10115", "DE") == BERLIN

    def test_the_least_recently_used_goes_first(self, clock):
        memory = geocoding._Memory[str, int](2, clock)
        memory.put("a", 1, 10)
        memory.put("b", 2, 10)
        assert memory.get("a") == 1
        memory.put("c", 3, 10)
        with pytest.raises(KeyError):
            memory.get("b")
        assert (memory.get("a"), memory.get("c")) == (1, 3)

    def test_many_who_ask_the_same_at_once_are_one_call(self, online, service):
        service.gate.clear()
        found: list[Coordinates] = []
        threads = [
            threading.Thread(target=lambda: found.append(online.locate_postcode("10115", "DE"))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)  # long enough for all eight to stand at the gate
        service.gate.set()
        for thread in threads:
            thread.join()
        assert found == [BERLIN] * 8
        assert service.asked == ["10115 DE"]


class TestBuilding:
    def test_none(self):
        assert build_geocoder(settings()) is None

    @pytest.mark.parametrize("name", ["nominatim", "photon", "arcgis"])
    def test_each_service_takes_the_settings(self, name):
        told = settings(geocoder=name, geocoder_user_agent="shop.example", geocoder_timeout_seconds=1.5)
        geocoder = build_geocoder(told)
        assert type(geocoder).__name__.lower() == name
        assert (geocoder.headers["User-Agent"], geocoder.timeout, geocoder.scheme) == ("shop.example", 1.5, "https")

    @pytest.mark.parametrize(
        ("domain", "api"),
        [("maps.example", "https://maps.example/search"), ("http://10.0.0.7:8080", "http://10.0.0.7:8080/search")],
    )
    def test_a_host_of_ones_own(self, domain, api):
        assert build_geocoder(settings(geocoder="nominatim", geocoder_domain=domain)).api == api
