"""A till that is built from the documentation of the API alone: with network, without, and after a restart."""

import random
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from pickup.catalog.models import Product
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db
from pickup.dev import commands
from pickup.dev.till import Till, TillPrices
from pickup.dev.till_link import CutOff, Link, Refused
from pickup.pricing.queries import prices_at, prices_in_force
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach, TillRegister, TillSale, TillSaleLine

HOUR = timedelta(hours=1)
SKUS = "ABC"


@pytest.fixture
def store(world):
    return world.store("1", price_zone="east")


@pytest.fixture
def goods(world, store):
    for number, sku in enumerate(SKUS, 1):
        world.stock(store, world.product(sku, price=100 * number), 10_000)


@pytest.fixture
def said():
    return []


@pytest.fixture
def make_till(world, live_server, tmp_path, said):
    def make(register, **options):
        link = Link(live_server, world.client("pos").key)
        return Till("1", register, link, file=tmp_path / f"{register}.json", say=said.append, **options)

    return make


def record(admin, sku, amount, *, at=None, zone=""):
    change = {"sku": sku, "price": {"amount": amount, "currency": "USD"}, "zone": zone}
    answer = admin.post("/v1/prices", {"changes": [change | ({"valid_from": rfc3339(at)} if at else {})]})
    assert answer.status_code == 201, answer.text


def charged(sale):
    return {line["sku"]: line["unit_price"]["amount"] for line in sale["lines"]}


def basket():
    return [(sku, 1) for sku in SKUS]


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def breaches():
    db.session.rollback()
    rows = select(ParityBreach.register, Product.sku, ParityBreach.at, ParityBreach.charged_amount)
    return sorted(tuple(row) for row in db.session.execute(rows.join(Product, Product.id == ParityBreach.product_id)))


def test_a_day_without_network(goods, admin, make_till, said):
    """Prices that it knew of switch at their instant; those of the day are the breaches, and then it is as all are."""
    start = datetime(utcnow().year + 1, 3, 1, 6, tzinfo=UTC)
    with time_machine.travel(start):
        cut, steady = make_till("cut"), make_till("steady")
        record(admin, "A", 111, at=start + 6 * HOUR)
        record(admin, "B", 222, at=start + 12 * HOUR, zone="east")
        for till in (cut, steady):
            till.communicate()
    cut.link.is_cut = True
    sold = []
    for hour in range(1, 25):
        with time_machine.travel(start + hour * HOUR):
            if hour == 4:
                record(admin, "C", 333)
                record(admin, "A", 100, at=start + 18 * HOUR)
            for till in (cut, steady):
                till.communicate()
                sold.append((till, till.sell(basket())))

    of_day = [charged(sale) for till, sale in sold if till is cut]
    assert [prices["A"] for prices in of_day] == [100] * 5 + [111] * 19
    assert [prices["B"] for prices in of_day] == [200] * 11 + [222] * 13
    assert [prices["C"] for prices in of_day] == [300] * 24
    assert len(cut.queue) == 24
    cut.link.is_cut = False
    with time_machine.travel(start + 25 * HOUR):
        for till in (cut, steady):
            till.communicate()

    assert cut.prices.as_json() == steady.prices.as_json()
    assert (cut.queue, steady.queue) == ([], [])
    assert (count(TillSale), count(TillSaleLine)) == (48, 144)
    # Reckoned by a till that always knew everything.
    assert breaches() == sorted(
        ("cut" if till is cut else "steady", sku, at, amount)
        for till, sale in sold
        for sku, amount in charged(sale).items()
        if steady.prices.price(sku, at := datetime.fromisoformat(sale["at"])).amount != amount
    )
    assert len(breaches()) == 21 + 7
    assert set(db.session.scalars(select(TillRegister.version))) == {steady.prices.version}
    assert [words for words in said if words in ("back", "sent 24 sales")] == ["back", "sent 24 sales"]


class DeafLink(Link):
    """What is sent arrives, and the answer is lost."""

    def ask(self, method, path, body=None, **query):
        answer = super().ask(method, path, body, **query)
        if path == "/v1/pos/sales":
            raise CutOff("no answer")
        return answer


def test_sales_whose_answer_was_lost_are_sent_again_and_count_once(world, goods, live_server, make_till):
    till = make_till("r1")
    till.communicate()
    till.sell(basket())
    good, till.link = till.link, DeafLink(live_server, world.client("pos").key)
    till.communicate()
    assert (len(till.queue), count(TillSale)) == (1, 1)

    till.link = good
    till.sell(basket())
    till.communicate()

    assert (till.queue, count(TillSale), breaches()) == ([], 2, [])


def test_a_restart_loses_nothing(goods, make_till):
    till = make_till("r1")
    till.communicate()
    till.link.is_cut = True
    first = till.sell(basket())

    again = make_till("r1")
    assert again.prices.as_json() == till.prices.as_json()
    assert again.queue == [first]
    second = again.sell(basket())
    again.communicate()

    assert first["id"] != second["id"]
    assert count(TillSale) == 2
    with pytest.raises(ValueError, match="another till"):
        Till("2", "r1", again.link, file=again._file)


def test_a_cursor_of_another_zone_makes_it_begin_anew(goods, admin, make_till, said):
    record(admin, "A", 90, zone="east")
    record(admin, "A", 80, zone="west")
    till = make_till("r1")
    till.communicate()
    assert charged(till.sell([("A", 1)])) == {"A": 90}

    assert admin.put("/v1/stores/1", stored("1") | {"price_zone": "west"}).status_code in (200, 204)
    till.communicate()

    assert charged(till.sell([("A", 1)])) == {"A": 80}
    assert [words for words in said if words.startswith("begins anew")]


def stored(ref):
    db.session.rollback()
    row = db.session.scalars(select(Store).where(Store.ref == ref)).one()
    names = ("name", "country", "lat", "lon", "timezone", "city")
    return {name: getattr(row, name) for name in names}


def test_sales_that_lie_ahead_wait_and_hold_up_no_others(goods, make_till):
    till = make_till("r1", clock_ahead=HOUR)
    till.communicate()
    ahead = till.sell(basket())
    till.clock_ahead = timedelta()
    till.sell(basket())
    till.communicate()
    assert (till.queue, count(TillSale)) == ([ahead], 1)

    with time_machine.travel(utcnow() + HOUR):
        till.communicate()

    assert (till.queue, count(TillSale)) == ([], 2)


def test_what_waiting_does_not_mend_is_said(goods, live_server, world):
    with pytest.raises(Refused) as refused:
        Till("none", "r1", Link(live_server, world.client("pos").key)).communicate()
    assert refused.value.fields == ["/store_ref"]
    with pytest.raises(Refused) as refused:
        Till("1", "r1", Link(live_server, "nonsense")).communicate()
    assert refused.value.status == 401


def test_the_command_sells_with_network_and_without(goods, database, live_server, tmp_path):
    words = ["till", "--store", "1", "--register", "r1", "--once", "--state", str(tmp_path / "r1.json")]

    def run(*more):
        done = database.test_cli_runner().invoke(commands.dev_group, [*words, *more])
        return done.exit_code, done.output

    code, output = run("--url", live_server)
    assert (code, [line.split()[0] for line in output.splitlines()]) == (0, ["took", "sold", "sent"])
    code, output = run("--url", live_server, "--offline-for", "3600")
    assert (code, [line.split()[0] for line in output.splitlines()]) == (0, ["cut", "sold"])
    code, output = run("--url", live_server)
    assert (code, [line.split()[0] for line in output.splitlines()]) == (0, ["sent", "sold", "sent"])
    assert (count(TillSale), breaches()) == (3, [])
    assert run("--url", live_server, "--key", "nonsense")[0] == 1


@pytest.mark.parametrize("seed", range(8))
def test_prices_follow_the_rule_of_the_ledger(world, admin, live_server, seed):
    """In ledgers with ties, zones and prices for later, followed in parts, at every instant and in every zone."""
    chance, now = random.Random(seed), utcnow()
    products = [world.product(sku, price=None) for sku in SKUS]
    zones = ["", "east", "west"]
    stores = {zone: world.store(zone or "none", price_zone=zone) for zone in zones}
    link = Link(live_server, world.client("pos").key)
    tills = {zone: Till(stores[zone].ref, "r1", link) for zone in zones}
    for _ in range(40):
        begins = now + chance.randint(-5, 5) * HOUR
        zone, product = chance.choice(zones), chance.choice(products)
        world.price(product, chance.randint(1, 999), zone=zone, valid_from=begins)
        if chance.random() < 0.2:
            tills[chance.choice(zones)].follow()

    instants = [now + half * HOUR / 2 for half in range(-12, 13)]
    for zone, till in tills.items():
        till.follow()
        assert_agrees(till.prices, products, zone, stores[zone].id, instants)


def assert_agrees(prices: TillPrices, products, zone, store_id, instants):
    moments = [(product, at) for product in products for at in instants]
    shelf = prices_at([(product.id, at) for product, at in moments], store_id)
    for (product, at), on_shelf in zip(moments, shelf, strict=True):
        told = prices.price(product.sku, at)
        holds = prices_in_force([product.id], zone, at=at).get(product.id)
        assert (told and told.version) == (holds and holds.version) == (on_shelf and on_shelf.version)
        assert (told and told.amount) == (holds and holds.amount)
