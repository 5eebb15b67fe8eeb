"""Whoever comes first: the bank's message, the shop that asks, the customer who cancels, the clock, the counter.

Everybody who may touch an order's money is taken apart into the steps between which others can come (a commit, a call
to the gateway), and the steps are put together anew by chance, with a gateway that loses requests and answers. In the
end there is one capture or one void, never both. The same seed plays the same game; `MONEY_INTERLEAVINGS` says how many
there are.
"""

import os
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.inventory.models import Reservation
from pickup.orders import checkout, confirming, lapsing, queries, reserving, service, settling, sweeping
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order
from pickup.payments import queries as payment_queries
from pickup.payments import service as payments
from pickup.payments.gateway import GatewayRefused, GatewayUnreachable
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.payments.sandbox import HOLD, SandboxGateway
from tests.concurrency.together import at_once

GAMES = int(os.environ.get("MONEY_INTERLEAVINGS", "150"))
ANA, THE_SHOP = Actor("staff", "Ana"), Actor("shop", "the shop")
TOKENS = ("tok_needs_action", "tok_needs_action", "tok_ok", "tok_timeout", "tok_declined")
LOST = 0.15


class Game:
    """One order, and everybody who does something to it; each is a generator that stops where others may come."""

    def __init__(self, order_id, chance):
        self.order_id = order_id
        self.chance = chance
        self.everybody = (
            *[self.bank] * 2,
            *[self.shop_asks] * 2,
            *[self.message] * 2,
            *[self.settle] * 4,
            self.cancel,
            self.time_is_up,
            self.sweep,
            self.hold_lapses,
            self.counter,
            self.counter,
        )

    def payment(self):
        return payment_queries.payment_of(self.order_id)

    def bank(self):
        """The customer confirms, or refuses."""
        payment, is_confirmed = self.payment(), self.chance.random() < 0.8
        yield
        view = SandboxGateway().answer_action(payment.id, is_confirmed=is_confirmed)
        yield
        self._take_view(payment, view)

    def shop_asks(self):
        payment = self.payment()
        yield
        view = payments.look_up(payment)
        yield
        self._take_view(payment, view)

    def message(self):
        """The gateway has sent word, and a worker asks what there is."""
        payment = self.payment()
        yield
        with confirming.performing() as ask, suppress(GatewayUnreachable):
            _, view = ask(payment)
            yield
            self._take_view(payment, view)

    def _take_view(self, payment, view):
        with unit_of_work():
            confirming.take_view(payment, view, now=utcnow())

    def cancel(self):
        with suppress(ActionNotAllowed), unit_of_work():
            service.cancel(queries.lock_order(self.order_id), actor=THE_SHOP, reason="customer", now=utcnow())
        yield

    def time_is_up(self):
        sweeping.cancel_unpaid_orders(utcnow() + timedelta(hours=1))
        yield
        sweeping.expire_holds(utcnow() + timedelta(days=30))

    def sweep(self):
        """Somebody died: go on with what is pending."""
        with unit_of_work():
            pending = payment_queries.pending_since(utcnow() + timedelta(hours=1), limit=10)
        yield
        for payment in pending:
            view = checkout.ask_gateway(payment)
            yield
            self._take_view(payment, view)

    def hold_lapses(self):
        lapsing.keep_holds(utcnow() + HOLD)
        yield

    def counter(self):
        """The goods are reserved, picked, and handed over."""
        with unit_of_work():
            tasks = self._claim("reserve_stock")
            assert not reserving.reserve_stock(tasks, utcnow())
            outbox.complete(tasks)
        for action in (service.start_picking, service.mark_ready, self._hand_over):
            yield
            with suppress(ActionNotAllowed), unit_of_work():
                action(queries.lock_order(self.order_id), actor=ANA, now=utcnow())

    def _hand_over(self, order, *, actor, now):
        service.hand_over(order, order.pickup_code, actor=actor, is_manager=False, now=now)

    def settle(self):
        """What `worker.jobs` does, up to each commit."""
        with unit_of_work():
            tasks = self._claim("settle_payment")
            wanted = settling.prepare(tasks, utcnow())
            outbox.complete([task for task in tasks if task.id not in wanted])
        db.session.expunge_all()
        yield
        answers = {}
        with settling.performing() as ask:
            for task_id, settlement in wanted.items():
                with suppress(GatewayUnreachable, GatewayRefused):
                    answers[task_id] = ask(settlement)
                yield
        with unit_of_work():
            done = [task for task in self._claim("settle_payment") if task.id in answers]
            settling.record([(task, answers[task.id]) for task in done], utcnow())
            outbox.complete(done)

    def _claim(self, handler):
        mine = select(OutboxTask.id).where(OutboxTask.handler == handler, OutboxTask.subject_id == self.order_id)
        # As the relay has it: of one order only the first in line is out.
        return outbox.claim(db.session.scalars(mine.order_by(OutboxTask.id).limit(1)).all())

    def play(self, chance):
        """A few of them, step by step, in any order."""
        going = [actor() for actor in chance.sample(self.everybody, k=chance.randint(3, 9))]
        while going:
            actor = chance.choice(going)
            db.session.expunge_all()
            db.session.rollback()
            if next(actor, self) is self:
                going.remove(actor)

    def finish(self):
        """Everything is well again, and nobody does anything new."""
        for _ in range(20):
            for part in (self.sweep, self.counter if self.chance.random() < 0.5 else self.time_is_up, self.settle):
                for _ in part():
                    pass
            db.session.rollback()
            if self.is_over():
                return
        raise AssertionError(f"it does not come to an end: {self.order().status}, {self.payment().status}")

    def order(self):
        return db.session.get(Order, self.order_id, populate_existing=True)

    def is_over(self):
        waiting = select(func.count()).where(OutboxTask.subject_id == self.order_id, OutboxTask.handler != "x")
        return self.order().status in FINAL and not db.session.scalar(
            waiting.where(OutboxTask.handler == "settle_payment")
        )

    def assert_it_balances(self):
        order = self.order()
        (charge,) = db.session.query(SandboxCharge).filter_by(key=self.payment().id)
        entries = Counter()
        for kind, amount in db.session.execute(
            select(PaymentEntry.kind, PaymentEntry.amount)
            .join(Payment, Payment.id == PaymentEntry.payment_id)
            .where(Payment.order_id == self.order_id)
        ):
            assert kind not in entries, f"{kind} twice"
            entries[kind] = amount
        kept = entries["capture"] - entries["refund"]
        assert kept == (order.total_amount if order.status == "collected" else 0)
        assert entries["authorisation"] == entries["capture"] + entries["void"], "nothing is held"
        assert not (entries["capture"] and entries["void"]), "one of the two, never both"
        assert (charge.captured, charge.voided, charge.refunded) == tuple(
            entries[kind] for kind in ("capture", "void", "refund")
        )
        reserved = db.session.scalar(select(func.count()).where(Reservation.order_id == self.order_id))
        assert not reserved, "no goods are kept for it either"
        return order.status, self.payment().status


@pytest.fixture
def losing(monkeypatch):
    """A gateway that loses requests on the way there, and answers on the way back, while the game is on."""

    def start(chance):
        for name in ("authorise", "view", "capture", "release", "refund"):
            monkeypatch.setattr(SandboxGateway, name, lossy(getattr(SandboxGateway, name), chance))

    def lossy(call, chance):
        def wrapped(*args):
            if chance.random() < LOST:
                raise GatewayUnreachable("lost on the way there")
            answer = call(*args)
            if chance.random() < LOST:
                raise GatewayUnreachable("lost on the way back")
            return answer

        return wrapped

    start.stop = monkeypatch.undo
    return start


@pytest.fixture
def begin(world, shop):
    """Makes games."""
    world.stock(world.store("1"), world.product("A"), 10_000)

    def make(seed):
        chance = random.Random(seed)
        body = world.order_body({"A": 2}, token=chance.choice(TOKENS))
        body["customer"]["email"] = f"c{seed}@example.com"
        shop.order(body)
        db.session.rollback()
        return Game(db.session.scalars(select(Order.id).order_by(Order.number.desc()).limit(1)).one(), chance)

    return make


@pytest.mark.timeout(120 + GAMES)
def test_there_is_one_capture_or_one_void_whoever_comes_first(begin, losing):
    ends = Counter()
    for seed in range(GAMES):
        losing(random.Random(seed + 1_000_000))
        game = begin(seed)
        try:
            game.play(game.chance)
        finally:
            losing.stop()
        try:
            game.finish()
            ends[game.assert_it_balances()] += 1
        except AssertionError as fault:
            raise AssertionError(f"seed {seed}: {fault}") from fault

    assert {("collected", "captured"), ("cancelled", "voided"), ("cancelled", "declined")} <= ends.keys(), ends


def test_the_same_at_the_same_instant(begin, app):
    """Not step by step: everybody at once, on threads and sessions of their own."""

    def whole(actor):
        def run():
            with app.app_context():
                for _ in actor():
                    pass

        return run

    for seed in range(max(GAMES // 10, 10)):
        game = begin(seed)
        actors = game.chance.sample(game.everybody, k=8)
        at_once([partial(whole(actor)) for actor in actors])
        game.finish()
        game.assert_it_balances()
