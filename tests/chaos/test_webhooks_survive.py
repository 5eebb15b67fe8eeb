"""Webhooks while everything dies: none lost, no order's events out of order, every effect once.

Four relays and two senders are killed (SIGKILL), one every two seconds, and Redis is flushed twice. The endpoints are
servers of shops as there are: one is good, one hangs at first, one fails three times of ten, one redirects for a while,
and one is gone. Nobody waits for hours here: what waits for its next attempt is made due, also what a sender has in
hand, which is one trouble more.
"""

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from pickup.config import ROOT, Settings
from pickup.core.types import new_id
from tests.receiver import FINE, Receiver, receiving
from tests.system import until

EVENTS = int(os.environ.get("PICKUP_TEST_EVENTS", "1500"))
ORDERS = min(500, EVENTS // 3)
RELAYS, SENDERS, WRITERS = 4, 2, 4
BLOW_SECONDS = 2.0
DONE_SECONDS_MAX = 180 + EVENTS / 5
TIMES_HUNG, TIMES_REDIRECTED = 12, 60
SECRET = "whsec_" + "A" * 43 + "="
SEED = 20260101

INSERT_EVENT = "INSERT INTO events (type, subject_id, at, data) VALUES ('order.ready', %s, now(), '{}')"
DUE_AT_ONCE = """
    UPDATE webhook_deliveries SET due_at = now() WHERE id IN (
        SELECT id FROM webhook_deliveries
        WHERE done_at IS NULL AND dead_at IS NULL AND due_at > now() + interval '1 second'
        FOR UPDATE SKIP LOCKED
    )
"""
NOT_DONE = """
    SELECT (SELECT count(*) FROM events WHERE position IS NULL) + (
        SELECT count(*) FROM webhook_deliveries JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id
        WHERE done_at IS NULL AND endpoint.disabled_at IS NULL
    )
"""


class Shops:
    """The endpoints, and how they behave."""

    def __init__(self, stack: ExitStack) -> None:
        self.let_go = threading.Event()
        stack.callback(self.let_go.set)
        self.trap = stack.enter_context(receiving())
        self.good = stack.enter_context(receiving())
        self.hanging = stack.enter_context(receiving(self._hang_at_first))
        self.failing = stack.enter_context(receiving(self._fail))
        self.redirecting = stack.enter_context(receiving(self._redirect_at_first))
        self.gone = stack.enter_context(receiving(lambda heard, connection: (410, {})))

    @property
    def delivered_to(self) -> dict[str, Receiver]:
        """Those who get everything in the end."""
        return {name: getattr(self, name) for name in ("good", "hanging", "failing", "redirecting")}

    def _hang_at_first(self, heard, connection):
        if heard.number <= TIMES_HUNG:
            self.let_go.wait(30)
            return None
        return FINE

    def _fail(self, heard, connection):
        """Three of ten, whatever it is; sometimes after it has been done, as shops do."""
        chance = hashlib.sha256(f"{heard.event_id} {heard.number}".encode()).digest()[0] / 256
        return (500, {}) if chance < 0.3 else FINE

    def _redirect_at_first(self, heard, connection):
        return (302, {"Location": self.trap.url}) if heard.number <= TIMES_REDIRECTED else FINE


@pytest.fixture
def shops(database) -> Iterator[Shops]:
    with ExitStack() as stack:
        shops = Shops(stack)
        with connected() as connection:
            [client] = connection.execute("INSERT INTO api_clients (name) VALUES ('shop') RETURNING id").fetchone()
            for shop in (*shops.delivered_to.values(), shops.gone):
                connection.execute(
                    "INSERT INTO webhook_endpoints (id, client_id, url, events, secret, created_at)"
                    " VALUES (%s, %s, %s, '{}', %s, now())",
                    [new_id(), client, shop.url, SECRET],
                )
        yield shops


def connected() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", ""), autocommit=True)


@contextmanager
def nursery(log: Path, module: str, count: int) -> Iterator[psutil.Process]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery", module, str(count)],
            cwd=ROOT,
            env=os.environ | {"PICKUP_POST_TO_LOOPBACK": "true"},
            stdout=output,
            stderr=output,
        )
    try:
        yield psutil.Process(process.pid)
        assert process.poll() is None, log.read_text()[-2000:]
    finally:
        process.terminate()
        process.wait(20)


def write_events(subjects: list, each: int) -> None:
    """Of each order one event after the other; of different ones mixed, in transactions of their own."""
    chance = random.Random(SEED + each)
    left = subjects * (EVENTS // ORDERS)
    chance.shuffle(left)
    with connected() as connection:
        for start in range(0, len(left), 5):
            with connection.transaction():
                for subject in left[start : start + 5]:
                    connection.execute(INSERT_EVENT, [subject])
            time.sleep(0.001)


@pytest.mark.timeout(DONE_SECONDS_MAX + 180)
def test_nothing_is_lost_and_no_order_is_mixed_up(shops: Shops, services: Settings, tmp_path: Path):
    subjects = [new_id() for _ in range(ORDERS)]
    began = time.monotonic()
    with ExitStack() as stack:
        relays = stack.enter_context(nursery(tmp_path / "relays.log", "worker.relay", RELAYS))
        senders = stack.enter_context(nursery(tmp_path / "senders.log", "worker.webhooks", SENDERS))
        writers = [
            threading.Thread(target=write_events, args=(subjects[each::WRITERS], each)) for each in range(WRITERS)
        ]
        until(lambda: len(relays.children() + senders.children()) == RELAYS + SENDERS, within=120, what="a start")
        for writer in writers:
            writer.start()
        blows, flushes = strike_until_done(writers, relays, senders, services)
        for writer in writers:
            writer.join()

    with connected() as connection:
        events = connection.execute("SELECT id, subject_id FROM events ORDER BY id").fetchall()
        [attempts, failed] = connection.execute("SELECT count(*), count(error) FROM webhook_attempts").fetchone()
    assert len(events) == EVENTS // ORDERS * ORDERS
    for name, shop in shops.delivered_to.items():
        check(name, shop, events)
    assert shops.trap.heard == []
    assert shops.gone.taken == []
    assert 0 < len(shops.gone.heard) <= 3 * 16
    requests = {name: len(shop.heard) for name, shop in {**shops.delivered_to, "gone": shops.gone}.items()}
    repeated = {name: len(shop.taken) - len(set(shop.taken)) for name, shop in shops.delivered_to.items()}
    print(
        f"{len(events)} events of {ORDERS} orders in {time.monotonic() - began:.0f} s, {blows} kills, {flushes} flushes"
    )
    print(f"requests {requests}, delivered again {repeated}; in the log {attempts} attempts, of which {failed} failed")
    assert blows >= 3
    assert flushes == 2


def check(name: str, shop: Receiver, events: list) -> None:
    """Whoever goes by `webhook-id` has had each event once, and those of an order in their order."""
    effects = list(dict.fromkeys(shop.taken))
    assert set(effects) == {event_id for event_id, _ in events}, name
    subject_of = dict(events)
    by_subject = defaultdict(list)
    for event_id in effects:
        by_subject[subject_of[event_id]].append(event_id)
    mixed_up = [ids for ids in by_subject.values() if ids != sorted(ids)]
    assert mixed_up == [], name


def strike_until_done(writers, relays, senders, services) -> tuple[int, int]:
    """Kill one of them every two seconds, and flush Redis twice, until everything is delivered."""
    chance = random.Random(SEED)
    queue = redis.Redis.from_url(services.queue_url)
    blows = flushes = 0
    deadline = time.monotonic() + DONE_SECONDS_MAX
    with connected() as connection:
        while True:
            time.sleep(BLOW_SECONDS)
            assert time.monotonic() < deadline
            victims = [*relays.children(), *senders.children()]
            if victims:
                with suppress(psutil.NoSuchProcess):
                    chance.choice(victims).kill()
                blows += 1
            if blows in (2, 4) and flushes < blows // 2:
                queue.flushdb()
                flushes += 1
            connection.execute(DUE_AT_ONCE)
            is_written = not any(writer.is_alive() for writer in writers)
            if is_written and flushes == 2 and connection.execute(NOT_DONE).fetchone() == (0,):
                return blows, flushes
