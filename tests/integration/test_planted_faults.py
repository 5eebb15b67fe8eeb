"""Would it be noticed? Faults that somebody might make, planted one by one; each fails the checks of an ordinary day.

The checks are those of `life.py`, which hold in any life. A fault that none of them notices is a check that is missing.
(What happens at the same instant is in `tests/concurrency`, where every lock has its control.)
"""

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from pickup.core import outbox
from pickup.inventory import service as inventory
from pickup.inventory import shelf, transfers
from pickup.orders import (
    capacity,
    pickup_code,
    refused_items,
    rerouting,
    reserving,
    settling,
    shelf_price,
    transitions,
)
from pickup.orders.lifecycle import TRANSITIONS
from pickup.payments import service as payments
from pickup.subscriptions import SUBSCRIPTIONS
from pickup.tills import queries as till_queries
from tests.concurrency.together import without
from tests.integration.life import CUSTOMER, THE_CLOCK, AnyLife
from worker.handlers import HANDLERS, Batch


class Day(AnyLife):
    """A script instead of chance, with the same checks after each step."""

    def step(self, action, *args, **values):
        action(*args, **values)
        self.all_is_as_it_should_be()

    def whole(self):
        self.begin()
        morning = self.a_short_pick, self.goods_from_elsewhere, self.not_everything
        for part in (*morning, self.sold_at_the_till, self.lost_race, self.evening):
            part()
            self.step(self.let_the_workers_work)

    def place(self, *orders, is_decided=True):
        self.step(partial(AnyLife.place, self), wanted=orders, is_decided=is_decided)

    def a_short_pick(self):
        """A customer who comes with a wrong code, and gets two of three, cheaper; and one who changes their mind."""
        self.place(({"A": 3}, "near", "part"), ({"A": 2, "B": 1}, "near", None))
        self.step(self.an_order_comes_to_nothing, 1, CUSTOMER)
        self.step(self.start_picking, 0)
        self.step(self.short_pick, 0, line=0, missing=1)
        self.step(self.pick, 0)
        self.step(self.hand_over, 0, is_right=False, is_manager=False)
        self.step(self.the_shelf_says, "A", percent=90)
        self.step(self.hand_over, 0, is_right=True, is_manager=False)

    def goods_from_elsewhere(self):
        """One of C is near, two are sent; what came once does not come again."""
        self.place(({"C": 3}, "near", None))
        self.step(self.send, 0)
        self.step(self.receive, 0)
        self.step(self.try_at_the_wrong_time, 0, "start_picking")
        self.step(self.pick, 0)
        self.step(self.hand_over, 0, is_right=True, is_manager=True)

    def not_everything(self):
        """Of two units one is taken; of another order, nothing."""
        for refused in (1, 2):
            self.place(({"B": 2}, "near", None))
            self.step(self.pick, 0)
            self.step(self.keep_longer, 0)
            self.step(self.not_everything_is_taken, 0, [refused])

    def sold_at_the_till(self):
        """The goods of an order are sold; its customer goes elsewhere, and then does not come."""
        self.step(self.take_stock, "near", "A", units=4, ago=0)
        self.place(({"A": 4}, "around", None))
        self.step(self.sell, "near", "A", quantity=2, ago=0)
        self.step(self.sell, "near", "A", quantity=1, ago=30)
        self.step(self.let_the_workers_work)
        self.step(self.choose, 0, "move")
        self.step(self.let_the_workers_work)
        self.step(self.pick, 0)
        self.step(self.an_order_comes_to_nothing, 0, THE_CLOCK)

    def lost_race(self):
        """Two want what is there once, and who comes second goes to another store."""
        for ref, units in (("near", 2), ("far", 9)):
            self.step(self.take_stock, ref, "A", units=units, ago=0)
        self.place(({"A": 2}, "around", None), ({"A": 2}, "around", None))

    def evening(self):
        """What is left is called off."""
        while self._any({"reserved"}):
            self.step(self.an_order_comes_to_nothing, 0, CUSTOMER)


@pytest.fixture
def day(world, monkeypatch):
    for event, handlers in SUBSCRIPTIONS.items():
        monkeypatch.setitem(SUBSCRIPTIONS, event, tuple(name for name in handlers if name != "notify_customer"))
    return Day(world.app, Counter())


def nothing(*_, **__):
    return []


def no(*_, **__):
    return False


def with_the_full_amount(payment, step, refund=None, *, perform=payments.perform):
    return perform(payment, replace(step, amount=payment.amount), refund)


def without_tasks_for(event_type):
    def emission(what, at, *, emission=outbox.emission):
        return emission(what, at) | ({"handlers": []} if what == event_type else {})

    return emission


def everybody_gets_it(demands, available):
    return list(demands)


def for_nobody(arriving, *, for_order, now, receive=transfers.receive):
    receive(arriving, for_order=False, now=now)


FAULTS = {
    "a cancelled order keeps its goods": lambda plant: plant.setitem(transitions.STOCK_EFFECTS, "release", nothing),
    "goods that are handed over stay in the books": lambda plant: plant.setattr(
        inventory,
        "_END_HOLDS",
        without(
            inventory._END_HOLDS,
            "on_hand = levels.on_hand",
            instead="on_hand = level.on_hand",
        ),
    ),
    "what is reserved is not written into the level": lambda plant: plant.setattr(
        inventory,
        "_HOLD",
        without(inventory._HOLD, "level.reserved + wanted.quantity", instead="level.reserved"),
    ),
    "a place in an hour is not given back": lambda plant: plant.setattr(capacity, "give_back", nothing),
    "a place in an hour is not counted": lambda plant: plant.setattr(capacity, "take_on", nothing),
    "what is refused stays promised": lambda plant: plant.setattr(inventory, "release_part", nothing),
    "all of it is left to hand over": lambda plant: plant.setattr(refused_items, "is_everything", no),
    "goods are received twice": lambda plant: plant.setattr(transfers, "ON_THE_WAY", ("requested", "sent", "received")),
    "goods that are sent stay on the shelf": lambda plant: plant.setattr(transfers, "send_off", nothing),
    "goods that arrive are kept for nobody": lambda plant: plant.setattr(transfers, "receive", for_nobody),
    "a short pick does not correct the shelf": lambda plant: plant.setattr(shelf, "correct_shortfall", nothing),
    "all is captured after a short pick": lambda plant: plant.setattr(payments, "perform", with_the_full_amount),
    "what has become cheaper is not": lambda plant: plant.setattr(shelf_price, "charge_the_lower", nothing),
    "what nobody collected is paid": lambda plant: plant.setattr(settling, "PAID_FOR", {"collected", "expired"}),
    "an order is placed and no worker hears of it": lambda plant: plant.setattr(
        outbox, "emission", without_tasks_for("order.placed")
    ),
    "an order goes elsewhere and no worker hears of it": lambda plant: plant.setattr(
        outbox, "emission", without_tasks_for("order.rerouted")
    ),
    "a sold promise is reported to nobody": lambda plant: plant.setattr(shelf, "report_shortages", nothing),
    "a task is done without its effect": lambda plant: plant.setitem(
        HANDLERS, "reserve_stock", Batch("reservations", (nothing,))
    ),
    "who loses the race is left where they are": lambda plant: plant.setattr(rerouting, "route_on", nothing),
    "everybody gets what one can have": lambda plant: plant.setattr(reserving, "allocate", everybody_gets_it),
    "a late sale counts although it was counted": lambda plant: plant.setattr(till_queries, "counted_at", nothing),
    "any code opens": lambda plant: plant.setattr(pickup_code, "matches", lambda *_: True),
    "anybody may take any step": lambda plant: plant.setattr(transitions, "_guard", nothing),
}


def test_an_ordinary_day_passes_every_check(day):
    day.whole()

    assert day.taken.keys() == TRANSITIONS.keys() | {"place"}


@pytest.mark.parametrize("plant", FAULTS.values(), ids=FAULTS)
def test_is_noticed(day, monkeypatch, plant):
    plant(monkeypatch)

    with pytest.raises(AssertionError) as noticed:
        day.whole()
    print(noticed.traceback[-1].name, str(noticed.value).splitlines()[:1])
