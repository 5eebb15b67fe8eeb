"""What tills are told and what they tell: late, twice, out of order and all at once, and the books still agree."""

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.pagination import encode_cursor
from pickup.inventory import service as inventory
from pickup.inventory.models import StockMovement
from pickup.inventory.reconciliation import differences
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach, TillSale, TillSaleLine
from tests.api_client import ApiClient
from tests.world import World


@pytest.fixture
def pos(world: World) -> ApiClient:
    return world.client("pos")


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def store(world: World, now: datetime) -> Store:
    """A store with 10 of A at 3.59."""
    made = world.store("1", price_zone="east")
    product = world.product("A", price=None)
    world.price(product, 359, valid_from=now - timedelta(days=1))
    world.stock(made, product, 10)
    return made


def sale(
    quantity: int = 1, *, id: str | None = None, sku: str = "A", amount: int = 359, at: datetime | None = None
) -> dict[str, Any]:
    line = {"sku": sku, "quantity": quantity, "unit_price": {"amount": amount, "currency": "USD"}}
    return {"id": id or uuid.uuid4().hex, "at": rfc3339(at or utcnow()), "lines": [line]}


def sell(pos: ApiClient, *sales: dict[str, Any], register: str = "r1") -> dict[str, Any]:
    answer = pos.post("/v1/pos/sales", {"store_ref": "1", "register": register, "sales": list(sales)})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def count(pos: ApiClient, on_hand: int, at: datetime, sku: str = "A") -> dict[str, Any]:
    body = {"store_ref": "1", "counts": [{"sku": sku, "on_hand": on_hand, "at": rfc3339(at)}]}
    answer = pos.post("/v1/pos/stock", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def on_hand(world: World, sku: str = "A") -> int:
    """What the books say, once it is clear that they agree."""
    assert differences() == []
    admin = world.client("admin")
    level = admin.get("/v1/stock", store_ref="1", sku=sku).json["data"][0]
    figure: int = level["on_hand"]
    return figure


def movements(kind: str) -> list[int]:
    rows = db.session.query(StockMovement).filter_by(kind=kind).order_by(StockMovement.id)
    return [row.on_hand_change for row in rows]


def at_once(*works: Callable[[], Any]) -> None:
    """Run all at the same moment; a failure in any of them fails the test."""
    barrier, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class TestFeed:
    def feed(self, pos: ApiClient, store_ref: str = "1", **query: Any) -> dict[str, Any]:
        answer = pos.get("/v1/pos/prices", store_ref=store_ref, **query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json
        return told

    def test_every_change_once_in_order_also_what_comes_later(self, world: World, pos: ApiClient, now: datetime):
        world.store("1", price_zone="east")
        product = world.product("A", price=None)
        for amount, zone, days in [(1, "", -2), (2, "west", -2), (3, "east", 2), (4, "", 1)]:
            world.price(product, amount, zone=zone, valid_from=now + timedelta(days=days))

        first = self.feed(pos, limit=2)
        second = self.feed(pos, limit=2, after=first["next"])
        third = self.feed(pos, after=second["next"])

        told = [(entry["sku"], entry["price"]["amount"], entry["zone"]) for entry in first["data"] + second["data"]]
        assert told == [("A", 1, ""), ("A", 3, "east"), ("A", 4, "")]
        versions = [entry["version"] for entry in first["data"] + second["data"]]
        assert versions == sorted(versions)
        assert third == {"data": [], "next": second["next"]}

    def test_what_a_store_never_shows_is_no_change_there(self, world: World, pos: ApiClient, now: datetime):
        """A till that charges by the latest change must not take up one that the zone's own price goes before."""
        world.store("1", price_zone="east")
        world.store("2")
        product = world.product("A", price=None)
        world.price(product, 1, zone="east", valid_from=now - timedelta(days=2))
        world.price(product, 2, valid_from=now - timedelta(days=1))

        assert [entry["price"]["amount"] for entry in self.feed(pos)["data"]] == [1]
        assert [entry["price"]["amount"] for entry in self.feed(pos, "2")["data"]] == [2]

    def test_a_till_that_follows_charges_what_the_shop_shows(self, world: World, pos: ApiClient, shop: ApiClient):
        admin = world.client("admin")
        world.store("1", price_zone="east")
        world.product("A", price=100)
        prices: dict[str, int] = {}
        after: dict[str, str] = {}
        for amount, zone in [(200, ""), (300, "east"), (400, "west"), (500, ""), (600, "east")]:
            price = {"amount": amount, "currency": "USD"}
            admin.post("/v1/prices", {"changes": [{"sku": "A", "price": price, "zone": zone}]})
            told = self.feed(pos, **after)
            after = {"after": told["next"]}
            prices |= {entry["sku"]: entry["price"]["amount"] for entry in told["data"]}

            assert prices["A"] == shop.get("/v1/products/A", store_ref="1").json["price"]["amount"]

    def test_an_empty_ledger_has_somewhere_to_go_on(self, world: World, pos: ApiClient):
        world.store("1")

        told = self.feed(pos)

        assert told["data"] == []
        assert self.feed(pos, after=told["next"]) == told

    def test_a_cursor_of_another_zone_or_from_ahead_is_refused(self, world: World, pos: ApiClient, store: Store):
        world.store("2", price_zone="west")
        after = self.feed(pos)["next"]
        elsewhere = pos.get("/v1/pos/prices", store_ref="2", after=after)
        ahead = pos.get("/v1/pos/prices", store_ref="1", after=encode_cursor("east", 999))

        for answer in (elsewhere, ahead):
            assert answer.status_code == 422
            assert answer.json["errors"][0]["pointer"] == "/after"

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("store_ref=1&after=zzz", "/after"),
            ("store_ref=1&after=", "/after"),
            ("store_ref=none", "/store_ref"),
            ("", "/store_ref"),
            ("store_ref=1&limit=0", "/limit"),
        ],
    )
    def test_a_bad_query_is_refused(self, pos: ApiClient, store: Store, query: str, pointer: str):
        answer = pos.get(f"/v1/pos/prices?{query}")

        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"] == pointer


class TestAcknowledgement:
    def acknowledge(self, pos: ApiClient, version: Any, register: Any = "r1", store_ref: Any = "1") -> int:
        body = {"store_ref": store_ref, "register": register, "version": version}
        return pos.post("/v1/pos/prices/ack", body).status_code

    def test_it_never_goes_back(self, world: World, pos: ApiClient, store: Store):
        price = {"amount": 1, "currency": "USD"}
        for _ in range(3):
            world.client("admin").post("/v1/prices", {"changes": [{"sku": "A", "price": price}]})

        assert [self.acknowledge(pos, version) for version in (3, 2)] == [204, 204]

        (register,) = pos.get("/v1/parity").json["registers"]
        assert (register["store_ref"], register["register"], register["version"]) == ("1", "r1", 3)
        assert register["behind_by"] == 1

    def test_many_at_once_keep_the_latest(self, world: World, pos: ApiClient, store: Store):
        product = world.product("B", price=None)
        versions = [world.price(product, amount).version for amount in range(8)]

        at_once(*(lambda version=version: self.acknowledge(pos, version) for version in versions))

        assert pos.get("/v1/parity").json["registers"][0]["version"] == max(versions)

    @pytest.mark.parametrize(
        "bad",
        [
            {"version": 999},
            {"version": -1},
            {"version": 2**63},
            {"version": "1"},
            {"register": ""},
            {"store_ref": "none"},
        ],
    )
    def test_what_cannot_be_is_refused(self, pos: ApiClient, store: Store, bad: dict[str, Any]):
        assert self.acknowledge(pos, **{"version": 1} | bad) == 422
        assert pos.get("/v1/parity").json["registers"] == []


class TestSales:
    def test_stock_goes_down_and_up(self, world: World, pos: ApiClient, store: Store, now: datetime):
        told = sell(pos, sale(3, at=now), sale(-1))

        assert told == {"accepted": 2, "repeated": 0, "breaches": 0, "ignored": []}
        assert on_hand(world) == 8
        assert (movements("sale"), movements("return")) == ([-3], [1])
        assert db.session.query(StockMovement).filter_by(kind="sale").one().at == now

    def test_a_repeated_sale_counts_once(self, world: World, pos: ApiClient, store: Store):
        first = sell(pos, sale(2, id="s1"), sale(2, id="s1"))
        second = sell(pos, sale(2, id="s1"), sale(1, id="s2"), register="r2")

        assert (first["accepted"], first["repeated"]) == (1, 1)
        assert (second["accepted"], second["repeated"]) == (1, 1)
        assert on_hand(world) == 7

    def test_stores_number_their_sales_themselves(self, world: World, pos: ApiClient, store: Store):
        world.store("2")
        sell(pos, sale(id="s1"))

        told = pos.post("/v1/pos/sales", {"store_ref": "2", "register": "r1", "sales": [sale(id="s1")]}).json

        assert told["accepted"] == 1

    def test_sent_by_many_at_once_it_counts_once(self, world: World, pos: ApiClient, store: Store):
        world.stock(store, world.product("B"), 0)
        batch = [sale(id=f"s{number}", sku="AB"[number % 2]) for number in range(6)]

        at_once(*(lambda order=order: sell(pos, *batch[::order]) for order in (1, -1) * 4))

        assert on_hand(world) == 7
        assert db.session.query(TillSale).count() == 6
        assert db.session.query(TillSaleLine).count() == 6

    def test_more_than_the_books_know_counts_in_full(self, world: World, pos: ApiClient, store: Store, now: datetime):
        sell(pos, sale(-2, at=now), sale(13, at=now - timedelta(minutes=1)))

        assert on_hand(world) == 2
        assert (movements("sale"), movements("adjustment"), movements("return")) == ([-13], [3], [2])

    def test_what_was_never_stocked_can_be_sold(self, world: World, pos: ApiClient, store: Store):
        world.product("N")

        at_once(*(lambda: sell(pos, sale(2, sku="N")) for _ in range(4)))

        assert on_hand(world, "N") == 0
        assert movements("adjustment") == [2] * 4

    def test_what_a_till_sold_away_can_still_be_handed_over(self, world: World, pos: ApiClient, store: Store):
        shop = world.client("shop")
        order = world.place(shop, {"A": 10})
        world.work()
        sell(pos, sale(10))
        assert on_hand(world) == 0

        with unit_of_work():
            inventory.consume([order.id], now=utcnow())

        assert on_hand(world) == 0

    def test_a_sale_takes_part_in_the_locks_of_orders(self, world: World, pos: ApiClient, store: Store):
        world.stock(store, world.product("B"), 10)
        batches = [[sale(sku=sku) for sku in skus] for skus in ("AB", "BA") * 4]

        at_once(*(lambda batch=batch: sell(pos, *batch) for batch in batches))

        assert (on_hand(world, "A"), on_hand(world, "B")) == (2, 2)

    def test_unknown_products_are_left_out_and_reported(self, world: World, pos: ApiClient, store: Store):
        mixed = sale(2)
        mixed["lines"].append(sale(sku="BAG")["lines"][0])

        told = sell(pos, sale(sku="COFFEE"), mixed)

        assert told["accepted"] == 2
        assert [ignored["pointer"] for ignored in told["ignored"]] == ["/sales/0/lines/0/sku", "/sales/1/lines/1/sku"]
        assert on_hand(world) == 8

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("lines", 0, "quantity"), 0),
            (("lines", 0, "quantity"), 10_001),
            (("lines", 0, "quantity"), "1"),
            (("lines", 0, "quantity"), True),
            (("lines", 0, "sku"), "\x00"),
            (("lines", 0, "unit_price", "amount"), -1),
            (("lines", 0, "unit_price", "currency"), "ABC"),
            (("lines", 0, "unit_price"), 359),
            (("lines",), []),
            (("id",), ""),
            (("id",), 5),
            (("at",), "yesterday"),
            (("at",), "2026-01-01T00:00:00"),
            (("at",), "0001-01-01T00:00:00+14:00"),
        ],
    )
    def test_a_bad_field_is_named_and_nothing_counts(
        self, world: World, pos: ApiClient, store: Store, path: tuple[Any, ...], value: Any
    ):
        bad = sale()
        parent: Any = bad
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = value

        answer = pos.post("/v1/pos/sales", {"store_ref": "1", "register": "r1", "sales": [sale(), bad]})

        assert answer.status_code == 422
        pointer = "/sales/1/" + "/".join(str(step) for step in path)
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
        assert on_hand(world) == 10

    def test_a_sale_from_the_future_is_refused_and_a_fast_clock_is_not(
        self, pos: ApiClient, store: Store, now: datetime
    ):
        batch = [sale(at=now + timedelta(minutes=4)), sale(at=now + timedelta(minutes=7))]

        answer = pos.post("/v1/pos/sales", {"store_ref": "1", "register": "r1", "sales": batch})

        assert [error["pointer"] for error in answer.json["errors"]] == ["/sales/1/at"]
        assert sell(pos, batch[0])["accepted"] == 1

    def test_too_many_lines_are_refused(self, pos: ApiClient, store: Store):
        big = sale() | {"lines": sale()["lines"] * 5001}

        answer = pos.post("/v1/pos/sales", {"store_ref": "1", "register": "r1", "sales": [big, big | {"id": "2"}]})

        assert [error["pointer"] for error in answer.json["errors"]] == ["/sales"]

    def test_an_old_sale_is_no_problem(self, world: World, pos: ApiClient, store: Store):
        told = sell(pos, sale() | {"at": "0001-01-01T00:00:00Z"})

        assert (told["accepted"], told["breaches"]) == (1, 1)
        assert pos.get("/v1/parity").json["breaches"][0]["at"] == "0001-01-01T00:00:00Z"


class TestStockTake:
    def test_what_happened_after_the_count_is_kept_on_top(
        self, world: World, pos: ApiClient, store: Store, now: datetime
    ):
        shop = world.client("shop")
        order = world.place(shop, {"A": 1})
        world.work()
        with unit_of_work():
            inventory.consume([order.id], now=utcnow())
        sell(pos, sale(2, at=now - timedelta(minutes=30)), sale(-1, at=now - timedelta(minutes=20)))
        sell(pos, sale(3, at=now - timedelta(minutes=90)))

        told = count(pos, 20, now - timedelta(hours=1))

        assert told == {"accepted": 1, "superseded": 0, "ignored": []}
        assert on_hand(world) == 18

    def test_it_comes_out_the_same_in_any_order(self, world: World, pos: ApiClient, store: Store, now: datetime):
        """The count saw the sale before it, whether the till tells that sale before or after."""
        before, after = now - timedelta(minutes=20), now - timedelta(minutes=5)
        steps: list[Callable[[], Any]] = [
            lambda: sell(pos, sale(2, id="before", at=before)),
            lambda: count(pos, 6, now - timedelta(minutes=10)),
            lambda: sell(pos, sale(1, id="after", at=after)),
            lambda: count(pos, 50, now - timedelta(minutes=30)),
        ]
        for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1), (1, 1, 2, 2, 0, 3)):
            for step in order:
                steps[step]()
            assert on_hand(world) == 5
            with unit_of_work():
                for name in (
                    "parity_breaches",
                    "till_sale_lines",
                    "till_sales",
                    "till_counts",
                    "stock_movements",
                    "stock_levels",
                ):
                    db.session.execute(db.text(f"DELETE FROM {name}"))

    def test_it_never_goes_below_zero(self, world: World, pos: ApiClient, store: Store, now: datetime):
        sell(pos, sale(5, at=now))

        count(pos, 3, now - timedelta(minutes=1))

        assert on_hand(world) == 0

    def test_an_older_count_is_superseded(self, world: World, pos: ApiClient, store: Store, now: datetime):
        count(pos, 7, now - timedelta(minutes=1))

        assert count(pos, 5, now - timedelta(minutes=2))["superseded"] == 1
        assert on_hand(world) == 7

    def test_a_first_count_makes_the_level(self, world: World, pos: ApiClient, store: Store, now: datetime):
        world.product("N")
        counts = [{"sku": sku, "on_hand": 4, "at": rfc3339(now)} for sku in ("N", "BAG", "N")]

        told = pos.post("/v1/pos/stock", {"store_ref": "1", "counts": counts}).json

        assert (told["accepted"], told["superseded"]) == (1, 1)
        assert [ignored["pointer"] for ignored in told["ignored"]] == ["/counts/1/sku"]
        assert on_hand(world, "N") == 4

    def test_sales_and_counts_at_once_leave_true_books(self, world: World, pos: ApiClient, store: Store, now: datetime):
        world.stock(store, world.product("B"), 10)
        late, moment = now - timedelta(minutes=15), now - timedelta(minutes=10)
        works: list[Callable[[], Any]] = []
        for number in range(4):
            works.append(lambda: sell(pos, sale(1, sku="B"), sale(1, sku="A"), sale(1, at=late)))
            works.append(lambda number=number: count(pos, 50, moment, "AB"[number % 2]))

        at_once(*works)

        assert (on_hand(world, "A"), on_hand(world, "B")) == (46, 46)

    @pytest.mark.parametrize(
        ("bad", "pointer"),
        [
            ({"on_hand": -1}, "/counts/0/on_hand"),
            ({"on_hand": 10**9 + 1}, "/counts/0/on_hand"),
            ({"at": "2999-01-01T00:00:00Z"}, "/counts/0/at"),
            ({"sku": ""}, "/counts/0/sku"),
        ],
    )
    def test_a_bad_count_is_refused(
        self, world: World, pos: ApiClient, store: Store, bad: dict[str, Any], pointer: str
    ):
        counted = {"sku": "A", "on_hand": 1, "at": "2026-01-01T00:00:00Z"} | bad

        answer = pos.post("/v1/pos/stock", {"store_ref": "1", "counts": [counted]})

        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]

    def test_levels_stay_within_what_a_column_holds(self, world: World, pos: ApiClient, store: Store, now: datetime):
        count(pos, 10**9, now - timedelta(minutes=1))

        sell(pos, sale(-10_000))

        assert on_hand(world) == 10**9


class TestParity:
    def test_a_different_price_is_a_breach_and_the_sale_counts(
        self, world: World, pos: ApiClient, store: Store, now: datetime
    ):
        world.product("F", price=None)

        told = sell(pos, sale(2, amount=300, at=now - timedelta(minutes=2)), sale(sku="F", at=now))

        assert (told["accepted"], told["breaches"]) == (2, 2)
        assert on_hand(world) == 8
        newest, oldest = pos.get("/v1/parity").json["breaches"]
        assert (newest["kind"], newest["sku"], newest["ledger"]) == ("no_price", "F", None)
        assert oldest.pop("ledger_version") == 1
        assert oldest.pop("sale_id")
        assert oldest == {
            "kind": "price",
            "store_ref": "1",
            "register": "r1",
            "sku": "A",
            "charged": {"amount": 300, "currency": "USD"},
            "ledger": {"amount": 359, "currency": "USD"},
            "at": rfc3339(now - timedelta(minutes=2)),
        }
        assert len(pos.get("/v1/parity", limit=1).json["breaches"]) == 1

    def test_the_price_is_that_of_its_time_and_zone(self, world: World, pos: ApiClient, store: Store, now: datetime):
        product = world.product("Z", price=None)
        world.price(product, 1, valid_from=now - timedelta(hours=3))
        world.price(product, 2, zone="east", valid_from=now - timedelta(hours=2))
        world.price(product, 3, valid_from=now - timedelta(hours=1))

        told = sell(
            pos,
            sale(sku="Z", amount=1, at=now - timedelta(minutes=150)),
            sale(sku="Z", amount=2, at=now - timedelta(hours=2)),
            sale(sku="Z", amount=2, at=now),
        )

        assert told["breaches"] == 0
        assert sell(pos, sale(sku="Z", amount=3, at=now))["breaches"] == 1

    def test_another_currency_is_another_price(self, pos: ApiClient, store: Store):
        wrong = sale()
        wrong["lines"][0]["unit_price"]["currency"] = "EUR"

        assert sell(pos, wrong)["breaches"] == 1

    def test_a_repeated_sale_breaches_once(self, pos: ApiClient, store: Store):
        sell(pos, sale(id="s1", amount=1))
        sell(pos, sale(id="s1", amount=1))

        assert db.session.query(ParityBreach).count() == 1

    def test_registers_are_behind_by_what_concerns_them(
        self, world: World, pos: ApiClient, store: Store, now: datetime
    ):
        world.store("2", price_zone="west")
        product = world.product("Z", price=None)
        for hours, zone in [(1, ""), (2, "east"), (2, "east"), (2, "west"), (2, "north")]:
            world.price(product, 5, zone=zone, valid_from=now + timedelta(hours=hours))
        for store_ref, register, version in [("1", "a", 1), ("1", "b", 3), ("2", "a", 1), ("2", "c", 6)]:
            body = {"store_ref": store_ref, "register": register, "version": version}
            assert pos.post("/v1/pos/prices/ack", body).status_code == 204
        sell(pos, sale(), register="silent")

        registers = world.client("admin").get("/v1/parity").json["registers"]

        standing = [(each["store_ref"], each["register"], each["version"], each["behind_by"]) for each in registers]
        assert standing == [
            ("1", "a", 1, 3),
            ("1", "b", 3, 1),
            ("1", "silent", 0, 4),
            ("2", "a", 1, 2),
            ("2", "c", 6, 0),
        ]
        assert all(datetime.fromisoformat(each["last_seen"]) >= now for each in registers)

    def test_it_is_for_tills_and_admin(self, pos: ApiClient, shop: ApiClient):
        assert shop.get("/v1/parity").status_code == 403
        assert pos.get("/v1/parity").json == {"breaches": [], "total": 0, "next": None, "registers": []}
        assert pos.get("/v1/parity?limit=100001").status_code == 422
