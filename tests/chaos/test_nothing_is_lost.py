"""No order is ever lost: everything that `make run` starts is killed in its turn, while orders flow.

What must hold afterwards: every order that the shop got is there once, its goods are reserved and its customer was told
once; what was called off costs nothing; the books agree; and nothing is left running in the end.
"""

import csv
import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from psutil import Process

from tests.chaos.good_shop import SKUS, STORES, GoodShop
from tests.system import System, kill, until

pytestmark = pytest.mark.timeout(420)

BASKETS_A_KILL = 5
CALLED_OFF_EVERY = 6
BACK_SECONDS = 60.0
SETTLED_SECONDS = 120.0


def database_connections(system: System) -> list[Process]:
    """PostgreSQL writes into each of its processes' command lines what it is for."""
    return [process for process in system.children_of("bin/postgres") if "[local]" in " ".join(process.cmdline())]


# Who is killed, and how to find them.
VICTIMS: dict[str, Callable[[System], list[Process]]] = {
    "the relay": lambda system: system.programs("worker.relay"),
    "the worker of reservations": lambda system: system.programs("worker.work reservations"),
    "the worker of notifications": lambda system: system.programs("worker.work notifications"),
    "the worker of payments": lambda system: system.programs("worker.work payments"),
    "the clock": lambda system: system.programs("worker.schedule"),
    "one web process": lambda system: system.children_of("gunicorn")[:1],
    "the mail server": lambda system: system.programs("mailcatcher"),
    "a database connection": lambda system: database_connections(system)[:1],
    "the master of the web processes": lambda system: system.programs("gunicorn"),
    "Redis": lambda system: system.programs("valkey-server"),
    "PostgreSQL": lambda system: system.programs("bin/postgres"),
}


@pytest.fixture(scope="session")
def system(tmp_path_factory) -> Iterator[System]:
    """The real thing, with a small chain in it."""
    folder = tmp_path_factory.mktemp("chaos")
    started = System(folder / "home")
    started.home.mkdir()
    started.start()
    try:
        for kind, rows in small_chain().items():
            path = folder / f"{kind}.csv"
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(rows)
            done = started.flask("import", kind, str(path))
            assert done.returncode == 0, done.stderr
        yield started
    finally:
        if started.is_running:
            started.stop()


def small_chain() -> dict[str, list[tuple[object, ...]]]:
    stores = [f"S{number}" for number in range(STORES)]
    skus = [f"P{number}" for number in range(SKUS)]
    columns = (
        "ref",
        "name",
        "street",
        "city",
        "state",
        "postcode",
        "country",
        "lat",
        "lon",
        "opening_hours",
        "timezone",
    )
    place = ("1 Main Street", "Bentonville", "AR", "72712", "US")
    return {
        "stores": [
            columns,
            *((ref, f"Store {ref}", *place, 36.37, -94.2 + n / 10, "24/7", "") for n, ref in enumerate(stores)),
        ],
        "products": [("sku", "name"), *((sku, f"Product {sku}") for sku in skus)],
        "prices": [("sku", "currency", "amount"), *((sku, "USD", "3.59") for sku in skus)],
        "stock": [("store_ref", "sku", "on_hand"), *((ref, sku, 1000) for ref in stores for sku in skus)],
    }


@pytest.fixture(scope="session")
def shop(system) -> GoodShop:
    return GoodShop(system, system.flask("client", "create", "a good shop", "--scope", "shop").stdout.strip())


def kill_while_orders_flow(system, shop, who, find):
    """Send some baskets, kill in the midst of them, and go on when the victim's place is taken."""
    victims = find(system)
    assert victims, f"{who} is not running"
    before = shop.answers.total()
    baskets = shop.send(BASKETS_A_KILL)
    midst = random.Random(who).randrange(BASKETS_A_KILL)
    until(lambda: shop.answers.total() >= before + midst, within=BACK_SECONDS, what="an answer")

    kill(victims)

    until(lambda: set(find(system)) - set(victims), within=BACK_SECONDS, what=f"a successor of {who}")
    until(lambda: any(basket.answer for basket in baskets), within=BACK_SECONDS, what=f"an order after {who} died")


def wipe_the_queue_while_orders_flow(system, shop):
    shop.send(BASKETS_A_KILL)
    with system.queue() as queue:
        queue.flushall()


def test_every_process_may_be_killed(system, shop):
    for who, find in VICTIMS.items():
        kill_while_orders_flow(system, shop, who, find)
    wipe_the_queue_while_orders_flow(system, shop)
    shop.wait()

    assert {basket.answer.status for basket in shop.baskets} == {201}
    assert shop.answers.keys() <= {0, 200, 201, 409, 503}, "and no answer was a fault of ours"


def called_off(shop):
    return shop.baskets[::CALLED_OFF_EVERY]


def kept(shop):
    return [basket for basket in shop.baskets if basket not in called_off(shop)]


def test_orders_called_off_meanwhile_cost_nothing(system, shop):
    for basket in called_off(shop):
        assert shop.cancel(basket).json["status"] == "cancelled"

    until(lambda: nothing_is_left_to_do(system), within=SETTLED_SECONDS, what="an empty outbox")
    charges = dict(system.select("SELECT status, count(*) FROM sandbox_charges GROUP BY status"))
    assert charges == {"authorised": len(kept(shop)), "voided": len(called_off(shop))}


def nothing_is_left_to_do(system):
    return system.select("SELECT count(*) FROM outbox_tasks") == [(0,)]


def test_every_order_is_there_once_and_its_goods_are_reserved(shop):
    orders = {order["id"]: order["status"] for order in shop.orders()}

    assert len(orders) == len(shop.baskets)
    assert orders == {basket.id: "reserved" for basket in kept(shop)} | {
        basket.id: "cancelled" for basket in called_off(shop)
    }


def test_whoever_asks_again_gets_the_answer_they_got(shop):
    assert [shop.order(basket) for basket in shop.baskets] == [basket.answer for basket in shop.baskets]


def test_every_customer_was_told_once(system, shop):
    told = Counter(system.mails())

    assert set(told.values()) == {1}
    confirmed = Counter(recipient for recipient, subject in told if "ready by" in subject)
    cancelled = {recipient for recipient, subject in told if "cancelled" in subject}
    assert {basket.email: confirmed[basket.email] for basket in kept(shop)} == {
        basket.email: 1 for basket in kept(shop)
    }
    assert cancelled == {basket.email for basket in called_off(shop)}


def test_the_books_agree(system):
    done = system.flask("stock", "reconcile")

    assert (done.returncode, done.stderr) == (0, "")


def test_in_the_end_nothing_is_left_running(system):
    assert system.leftovers(), "the search finds what runs"

    assert system.stop() == 0
    assert system.leftovers() == []
