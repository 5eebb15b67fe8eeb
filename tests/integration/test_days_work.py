"""A day's work in three currencies, and every cent of it: what was handed over is what was taken, in every book.

`DAYS_WORK_BASKETS=300` makes it a long day. What the money should be is reckoned here from the baskets alone; and
faults that are planted in the books of that day are each found.
"""

import os
import random
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, text, update

from pickup.catalog.queries import products_by_sku
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.types import Actor, Money, new_id
from pickup.orders import queries, service, sweeping
from pickup.orders.models import Order
from pickup.orders.short_picks import short_pick
from pickup.payments import reconciliation
from pickup.payments import service as payments
from pickup.payments.gateway import Charge
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.payments.queries import payment_of
from pickup.subscriptions import SUBSCRIPTIONS

BASKETS = int(os.environ.get("DAYS_WORK_BASKETS", "60"))
ANA = Actor("staff", "Ana")
# Minor units, by the currency that the store's shelf is labelled in: of 100, of 1 and of 1000 a unit.
PRICES = {
    "USD": {"A": 359, "B": 1999, "C": 5},
    "JPY": {"A": 500, "B": 2800, "C": 1},
    "KWD": {"A": 1105, "B": 6150, "C": 15},
}
STORES = {"1": "USD", "2": "USD", "3": "JPY", "4": "KWD"}
# Of a hundred baskets. Of the rest, all is handed over and stays so.
FATES = {"short": 10, "cancelled": 10, "no_show": 5, "declined": 3, "returned": 3, "short_and_returned": 2}

RETURNED = ("returned", "short_and_returned")


@dataclass
class Basket:
    """What a customer wanted, and what the notebook says became of it."""

    fate: str
    ref: str
    items: dict[str, int]
    order_id: uuid.UUID | None = None
    code: str = ""
    handed_over: Counter[str] = field(default_factory=Counter)
    brought_back: Counter[str] = field(default_factory=Counter)

    @property
    def currency(self):
        return STORES[self.ref]

    @property
    def first(self):
        """The SKU of its first line, which there are two of at least, where one may be missing."""
        return next(iter(self.items))

    @property
    def paid(self):
        """Minor units that the customer has paid in the end."""
        kept = self.handed_over - self.brought_back
        return sum(PRICES[self.currency][sku] * units for sku, units in kept.items())


@pytest.fixture(autouse=True)
def nobody_writes_mails(monkeypatch):
    """They would be half of the work here, and are another test's matter."""
    for event, handlers in SUBSCRIPTIONS.items():
        monkeypatch.setitem(SUBSCRIPTIONS, event, tuple(name for name in handlers if name != "notify_customer"))
    monkeypatch.setattr(reconciliation, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def chain(world):
    """Four stores, one of them with labels in yen, one in dinars."""
    stores = {
        ref: world.store(ref, lat=36 + int(ref) / 10, price_zone="" if currency == "USD" else currency.lower())
        for ref, currency in STORES.items()
    }
    for sku in PRICES["USD"]:
        product = world.product(sku, price=PRICES["USD"][sku])
        for currency in ("JPY", "KWD"):
            world.price(product, PRICES[currency][sku], currency=currency, zone=currency.lower())
        for store in stores.values():
            world.stock(store, product, BASKETS * 5)
    return world


class Day:
    """Customers, staff and the clock, and beside them somebody with a notebook."""

    def __init__(self, world, shop):
        self.world, self.shop = world, shop
        chance = random.Random(7)
        fates = [fate for fate, percent in FATES.items() for _ in range(max(1, round(BASKETS * percent / 100)))]
        fates += ["collected"] * (BASKETS - len(fates))
        chance.shuffle(fates)
        self.chance = chance
        self.baskets = [self._basket(fate) for fate in fates]

    def _basket(self, fate):
        skus = self.chance.sample("ABC", self.chance.randint(1, 3))
        items = {sku: self.chance.randint(1, 4) for sku in skus}
        if fate.startswith("short"):
            items[skus[0]] += 1
        return Basket(fate, self.chance.choice(list(STORES)), items)

    def of(self, *fates):
        return [basket for basket in self.baskets if basket.fate in fates]

    def work(self):
        for number, basket in enumerate(self.baskets):
            self._place(basket, number)
        self.world.work()
        for basket in self.of("cancelled"):
            answer = self.shop.post(f"/v1/orders/{basket.order_id}/cancel")
            assert answer.status_code == 200, answer.text
        for basket in self.baskets:
            if basket.fate not in ("cancelled", "declined"):
                self._pick(basket)
        for basket in self.baskets:
            if basket.fate not in ("cancelled", "declined", "no_show"):
                self._hand_over(basket)
        self._evening()
        self.world.work()
        for basket in self.of(*RETURNED):
            self._bring_back(basket)
        self.world.work()

    def _place(self, basket, number):
        token = "tok_declined" if basket.fate == "declined" else self.chance.choice(["tok_ok"] * 9 + ["tok_timeout"])
        body = self.world.order_body(basket.items, {"store_ref": basket.ref}, token=token)
        body["customer"]["email"] = f"customer{number}@example.com"
        answer = self.shop.order(body)
        if basket.fate == "declined":
            assert answer.status_code in (402, 429), answer.text
        else:
            assert answer.status_code == 201, answer.text
            basket.order_id, basket.code = uuid.UUID(answer.json["id"]), answer.json["pickup"]["code"]

    def _act(self, basket, step, *args, **values):
        def work():
            (order,) = queries.lock_orders([basket.order_id], with_lines=True)
            return step(order, *args, actor=ANA, now=utcnow(), **values)

        return in_transaction(work)

    def _pick(self, basket):
        self._act(basket, service.start_picking)
        basket.handed_over = Counter(basket.items)
        if basket.fate.startswith("short"):
            self._act(basket, short_pick, products_by_sku([basket.first])[basket.first].id, 1)
            basket.handed_over[basket.first] -= 1
        self._act(basket, service.mark_ready)

    def _hand_over(self, basket):
        assert self._act(basket, service.hand_over, basket.code, is_manager=False)

    def _evening(self):
        """Who has not come does not come any more."""
        late = [basket.order_id for basket in self.of("no_show")]
        with unit_of_work():
            past = {"hold_until": utcnow() - timedelta(minutes=1)}
            db.session.execute(update(Order).where(Order.id.in_(late)).values(past))
        assert sweeping.expire_holds(utcnow()) == len(late)
        for basket in self.of("no_show"):
            basket.handed_over.clear()

    def _bring_back(self, basket):
        """One unit of what was handed over."""
        basket.brought_back[basket.first] = 1
        items = [{"sku": basket.first, "quantity": 1}]
        answer = self.shop.post(f"/v1/orders/{basket.order_id}/returns", {"items": items})
        assert answer.status_code == 201, answer.text


@pytest.fixture
def day(chain, shop):
    made = Day(chain, shop)
    made.work()
    return made


def by_notebook(day):
    paid = Counter()
    for basket in day.baskets:
        paid[basket.currency] += basket.paid
    return +paid


def by_ledger():
    signs = {"capture": 1, "refund": -1}
    paid, held = Counter(), Counter()
    rows = select(Payment.currency, PaymentEntry.kind, PaymentEntry.amount)
    for currency, kind, amount in db.session.execute(rows.join(Payment, Payment.id == PaymentEntry.payment_id)):
        paid[currency] += signs.get(kind, 0) * amount
        held[currency] += {"authorisation": 1, "capture": -1, "void": -1}.get(kind, 0) * amount
    return +paid, {currency: amount for currency, amount in held.items() if amount}


def by_gateway():
    paid, held = Counter(), Counter()
    for charge in db.session.scalars(select(SandboxCharge)):
        paid[charge.currency] += charge.captured - charge.refunded
        if charge.status == "authorised":
            held[charge.currency] += charge.amount - charge.captured - charge.voided
    return +paid, dict(held)


def kept_and_held(rows):
    paid, held = Counter(), Counter()
    for row in rows:
        assert len({row[name]["currency"] for name in ("amount", "authorised", "captured", "voided", "refunded")}) == 1
        amount = {name: row[name]["amount"] for name in ("authorised", "captured", "voided", "refunded")}
        paid[row["amount"]["currency"]] += amount["captured"] - amount["refunded"]
        held[row["amount"]["currency"]] += amount["authorised"] - amount["captured"] - amount["voided"]
    return +paid, {currency: amount for currency, amount in held.items() if amount}


def pages(admin):
    after = {}
    while True:
        page = admin.get("/v1/payments", limit=25, **after).json
        yield from page["data"]
        if page["next"] is None:
            return
        after = {"after": page["next"]}


def reconcile(database, *options):
    answer = database.test_cli_runner().invoke(args=["payments", "reconcile", *options])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.output.splitlines()


def test_every_cent_of_a_day(day, admin, database):
    notebook = by_notebook(day)
    totals = admin.get("/v1/payments/totals").json["data"]
    statuses = Counter()
    for total in totals:
        statuses.update(total["by_status"])
    for currency, amount in sorted(notebook.items()):
        orders = [basket for basket in day.baskets if basket.currency == currency]
        print(f"{currency}: {len(orders)} baskets, paid {Money(amount, currency).major()}")
    print(dict(Counter(basket.fate for basket in day.baskets)), dict(statuses))

    assert notebook.keys() == PRICES.keys()
    assert by_ledger() == (notebook, {})
    assert by_gateway() == (notebook, {})
    assert kept_and_held(totals) == (notebook, {})
    assert kept_and_held(pages(admin)) == (notebook, {})
    given_back = Counter("partially_refunded" if each.paid else "refunded" for each in day.of(*RETURNED))
    assert statuses == given_back + Counter(
        captured=len(day.of("collected", "short")),
        voided=len(day.of("cancelled", "no_show")),
        declined=len(day.of("declined")),
    )
    assert reconcile(database) == (0, [f"checked {BASKETS} payments, 0 differences"])
    assert set(by_order(day)) == {0}


def by_order(day):
    """For each order, what its payment has kept beyond what the notebook says."""
    for basket in day.baskets:
        if basket.order_id is not None:
            payment = payment_of(basket.order_id)
            yield payment.captured - payment.refunded - basket.paid


def execute(sql, **values):
    with unit_of_work():
        assert db.session.execute(text(sql), values).rowcount == 1


def lose_a_capture_entry(order, payment):
    execute("DELETE FROM payment_entries WHERE payment_id = :id AND kind = 'capture'", id=payment.id)


def change_a_row_by_one_unit(order, payment):
    execute("UPDATE payments SET amount = amount + 1 WHERE id = :id", id=payment.id)


def forget_it_at_the_gateway(order, payment):
    execute("DELETE FROM sandbox_charges WHERE key = :id", id=payment.id)


def refund_by_hand(order, payment):
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment), new_id(), 1)


def never_settle(order, payment, *, status):
    """As if the task had been lost: at the gateway, in our books and in the ledger all is as it was before the end."""
    execute("UPDATE sandbox_charges SET status = 'authorised', captured = 0, voided = 0 WHERE key = :id", id=payment.id)
    execute("UPDATE payments SET status = 'authorised', captured = 0, voided = 0 WHERE id = :id", id=payment.id)
    with unit_of_work():
        mine = (PaymentEntry.payment_id == payment.id) & (PaymentEntry.kind != "authorisation")
        db.session.query(PaymentEntry).filter(mine).delete(synchronize_session=False)
    execute("UPDATE orders SET changed_at = changed_at - interval '6 minutes' WHERE id = :id", id=order.id)
    assert order.status == status


# By the fate of the basket that it is planted in: what is done, and the kinds of the lines that it makes.
FAULTS = {
    "a capture entry is lost": ("collected", lose_a_capture_entry, ["not its entries"]),
    "a payment row is changed by one unit": ("collected", change_a_row_by_one_unit, ["status does not fit"]),
    "the gateway does not know a payment": ("collected", forget_it_at_the_gateway, ["unknown to gateway"]),
    "given back by hand at the gateway": ("returned", refund_by_hand, ["gateway is ahead"]),
    "collected, and never captured": ("collected", partial(never_settle, status="collected"), ["not taken"]),
    "cancelled, and still held": ("cancelled", partial(never_settle, status="cancelled"), ["still held"]),
}


def test_each_planted_fault_has_its_line(day, database):
    expected, free = Counter(), defaultdict(list)
    for basket in day.baskets:
        free[basket.fate].append(basket)
    for fate, plant, kinds in FAULTS.values():
        order = day.world.order(free[fate].pop().order_id)
        payment = payment_of(order.id)
        plant(order, payment)
        expected.update(f"order {order.number}, payment {payment.id}: {kind}" for kind in kinds)
    strange = Charge(new_id(), "tok_ok", Money(1, "KWD"), utcnow())
    payments.GATEWAYS["sandbox"].authorise(strange)
    expected[f"order none, payment {strange.key}: unknown to us"] += 1

    code, lines = reconcile(database)

    print(*lines, sep="\n")
    assert code == 1
    assert Counter(": ".join(line.split(": ")[:2]) for line in lines[:-1]) == expected
    assert lines[-1] == f"checked {BASKETS} payments, {expected.total()} differences"

    code, lines = reconcile(database, "--mend")
    mended = [line for line in lines if line.startswith("mended: ")]
    assert [line.split(": ")[2] for line in mended] == ["gateway is ahead"]
    day.world.work()
    code, lines = reconcile(database)
    assert code == 1
    left = {line.split(": ")[1] for line in lines[:-1]}
    assert left == {"not its entries", "status does not fit", "unknown to gateway", "unknown to us"}
