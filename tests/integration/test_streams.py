"""Streams of a real web server: many threads, real lines that break, and a process that is asked to end."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from pickup.config import ROOT
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.types import Money
from pickup.pricing.models import Price
from pickup.pricing.service import PriceChange, record_all, state
from tests.api_client import ApiClient
from tests.concurrency.together import at_once, until
from tests.event_stream import Event, events_of
from tests.world import World

STREAMS = 6
WRITERS = 8
BATCHES = 10
# Who waits for streams that do not end waits for longer than any test may take.
GRACE_SECONDS = "600"
PATIENCE_SECONDS = 60
# More than what sockets keep for a client that does not read.
MUCH = 60_000


class Web:
    """A web server on the database of the tests."""

    def __init__(self, port: int) -> None:
        self.port = port
        command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
        self.process = subprocess.Popen(
            [*command, "--graceful-timeout", GRACE_SECONDS, "--no-control-socket", "--log-level", "warning"],
            cwd=ROOT,
            env=os.environ | {"PICKUP_WEB_THREADS": "2", "PICKUP_WEB_STREAMS": str(STREAMS)},
        )
        until(self._is_up, what="the web server")

    def _is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextmanager
    def ask(self, path: str, key: str, last: str | None = None) -> Iterator[http.client.HTTPResponse]:
        """One request on a connection of its own; what it answers, as it comes."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)) as connection:
            headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last} if last else {})
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as answer:
                yield answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def web(world: World) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Web(port)
    yield server
    try:
        # Not killed: what it asks the database just now would stand in the way of the next test.
        server.stop()
    finally:
        server.process.kill()


@pytest.fixture
def pos(world: World) -> ApiClient:
    world.store("1", price_zone="east")
    world.store("2", price_zone="west")
    world.product("A", price=None)
    return world.client("pos")


def stream_of(store: str) -> str:
    return f"/v1/pos/prices/stream?store_ref={store}"


def next_event(answer: http.client.HTTPResponse) -> Event:
    assert answer.status == 200, answer.read()
    return next(event for event in events_of(answer) if event.name)


def record(*amounts: int, zone: str = "") -> list[int]:
    now = utcnow()
    changes = [PriceChange("A", Money(amount, "USD"), zone, now) for amount in amounts]
    first = record_all(state(changes, now=now), begins=now, recorded_by="a writer").first_version
    return [first + position for position in range(len(changes))]


def ledger(*zones: str) -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(Price.version).where(Price.zone.in_(zones)).order_by(Price.version)))


def test_whoever_writes_every_stream_has_every_version_once_and_in_order(world: World, pos: ApiClient, web: Web):
    """Two zones, lines that are cut after each few events, and eight writers."""
    total = WRITERS * BATCHES * 2

    def write(zone: str) -> None:
        with world.app.app_context():
            for number in range(BATCHES):
                in_transaction(partial(record, number, number, zone=zone))

    def follow(store: str, until_cut: int) -> list[int]:
        told: list[int] = []
        last = None
        while len(told) < total // 2:
            with web.ask(stream_of(store), pos.key, last) as answer:
                events = events_of(answer)
                for _ in range(until_cut):
                    if len(told) < total // 2:
                        event = next(event for event in events if event.name)
                        told, last = told + event.versions, event.id
        return told

    works: list[Callable[[], Any]] = [partial(write, zone) for zone in ["east", "west"] * (WRITERS // 2)]
    works += [partial(follow, store, until_cut) for store in ("1", "2") for until_cut in (1, total)]
    told = at_once(works)[WRITERS:]

    assert told == [ledger("east")] * 2 + [ledger("west")] * 2


def test_streams_leave_threads_for_requests_and_hold_no_transaction(world: World, pos: ApiClient, web: Web):
    with ExitStack() as lines:
        first = lines.enter_context(ExitStack())
        opened = [first.enter_context(web.ask(stream_of("1"), pos.key))]
        opened += [lines.enter_context(web.ask(stream_of("1"), pos.key)) for _ in range(STREAMS - 1)]
        versions = in_transaction(partial(record, 1))
        assert [next_event(line).versions for line in opened] == [versions] * STREAMS

        with web.ask(stream_of("1"), pos.key) as refused:
            assert refused.status == 429
            assert refused.headers["Retry-After"]
        with web.ask("/v1/pos/prices?store_ref=1", pos.key) as answer:
            assert answer.status == 200
        until(nobody_is_in_a_transaction)

        first.close()
        until(partial(is_let_in, web, pos), what="a place of one who has hung up")


def is_let_in(web: Web, pos: ApiClient) -> bool:
    with web.ask(stream_of("1"), pos.key) as answer:
        return answer.status == 200


def nobody_is_in_a_transaction() -> bool:
    db.session.rollback()
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return db.session.execute(text(f"{busy} AND state <> 'idle'")).scalar_one() == 0


def test_a_server_that_is_asked_to_end_ends_its_streams(world: World, pos: ApiClient, web: Web):
    """Also the stream of a client that does not read what it is sent."""
    with unit_of_work():
        row = {"product_id": 1, "amount": 1, "currency": "USD", "valid_from": utcnow(), "recorded_by": "x" * 100}
        db.session.execute(insert(Price), [row] * MUCH)
    with closing(deaf_client(web, pos)), web.ask(stream_of("2"), pos.key) as reads:
        for line in reads:
            if line.startswith(b"data"):
                break
        rest: list[bytes] = []
        # To the end, which is a whole one: anything else raises.
        reader = threading.Thread(target=lambda: rest.extend(reads))
        reader.start()

        assert web.stop() == 0
        reader.join(PATIENCE_SECONDS)

        assert not reader.is_alive()
        assert rest[-1] == b"\n"


def deaf_client(web: Web, pos: ApiClient) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", web.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(
        f"GET {stream_of('1')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pos.key}\r\n\r\n".encode("ascii")
    )
    assert client.recv(4) == b"HTTP"
    return client
