"""An order's life, played at random: the steps that anybody may take, and what must hold after each of them.

The model keeps only what a person with a notebook would: how many units lie on which shelf, when they were counted, and
which transfers belong to which order. What is promised follows from the orders' own state.
"""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select, update

from pickup.core import revisions
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.models import Event, OutboxTask
from pickup.core.types import Actor
from pickup.inventory.models import Reservation, StockLevel, StockMovement
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.orders import extending, pickup_code, queries, receiving, service, short_picks, sweeping
from pickup.orders.errors import ActionNotAllowed, PickupCodeLocked, TransferOver
from pickup.orders.lifecycle import FINAL, HOLDING_GOODS, TRANSITIONS
from pickup.orders.models import CapacityHour, Order, OrderHistory
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.stores import service as stores
from pickup.stores.models import Store
from tests.world import World, begin_anew

STAFF, CUSTOMER, THE_SHOP = Actor("staff", "Sam"), Actor("customer"), Actor("shop", "the shop")
THE_CLOCK = Actor("system")
PRICES = {"A": 100, "B": 10, "C": 1}
BEGINNING = {"near": {"A": 8, "B": 6, "C": 1}, "far": {"A": 4, "B": 8, "C": 4}, "depot": {"B": 9, "C": 9}}

# One step of the lifecycle's table each, with what an order needs to be for it.
OPEN = frozenset({"placed", "in_transit", "reserved", "picking", "ready"})
AFTER_WORK_BEGAN = frozenset({"picking", "ready", "collected", "expired"})

skus = st.sampled_from(sorted(PRICES))
some = st.integers(1, 3)
anyone = st.integers(0, 10**6)
minutes_ago = st.sampled_from([0, 0, 10, 30, 60])
refs = st.sampled_from(sorted(BEGINNING))
pickup_points = st.sampled_from(["near", "far"])
places = st.sampled_from(["near", "near", "far", "around"])
wishes = st.sampled_from([None, "part", "move", "cancel"])
baskets = st.dictionaries(skus, some, min_size=1, max_size=3)
mostly = st.sampled_from([True, True, True, False])


@dataclass
class Shelves:
    """What lies where, by (store id, product id), as somebody with a notebook would keep it."""

    on_hand: Counter = field(default_factory=Counter)
    counted_at: dict = field(default_factory=dict)
    moved: list = field(default_factory=list)

    def move(self, key, units, at, *, is_told_late=False):
        """Goods came or, negative, left; below nothing there is nothing."""
        self.moved.append((key, at, units))
        if not (is_told_late and key in self.counted_at and at <= self.counted_at[key]):
            self.on_hand[key] = max(self.on_hand[key] + units, 0)

    def leave(self, key, units, at, still_promised):
        """What an order had leaves the store; whatever the books lacked, it was not what is promised to others."""
        self.moved.append((key, at, -units))
        self.on_hand[key] = max(self.on_hand[key] - units, min(self.on_hand[key], still_promised))

    def count(self, key, units, at):
        """Of several counts the latest holds, with what has happened since."""
        if key in self.counted_at and at < self.counted_at[key]:
            return
        since = sum(moved for where, when, moved in self.moved if where == key and when > at)
        self.on_hand[key], self.counted_at[key] = max(units + since, 0), at

    def not_found(self, key, missing, still_promised):
        """Who misses one has seen the whole shelf: what is left is what is promised to others."""
        self.on_hand[key] = max(min(self.on_hand[key] - missing, still_promised), 0)


class AnyLife(RuleBasedStateMachine):
    """Two stores and a warehouse with few goods, and everybody who does something to them."""

    def __init__(self, app, taken):
        super().__init__()
        self.app, self.world, self.taken = app, World(app), taken

    @initialize(wanted=st.lists(st.tuples(baskets, places, wishes), min_size=2, max_size=4))
    def begin(self, wanted=()):
        begin_anew(self.app)
        self.shop, self.pos, self.admin = (self.world.client(scope) for scope in ("shop", "pos", "admin"))
        places = {
            "near": self.world.store("near", hourly_capacity=4),
            "far": self.world.store("far", lat=36.6),
            "depot": self.world.store("depot", lat=40.0, kind="warehouse"),
        }
        products = {sku: self.world.product(sku, price=price) for sku, price in PRICES.items()}
        self.store_ids = {ref: store.id for ref, store in places.items()}
        self.product_ids = {sku: product.id for sku, product in products.items()}
        self.shelves = Shelves()
        for ref, units in BEGINNING.items():
            for sku, quantity in units.items():
                self.world.stock(places[ref], products[sku], quantity)
                self.shelves.on_hand[self._key(ref, sku)] = quantity
        self.orders = {}  # by id, as they were after the last step
        self.authorised = {}  # by order id, minor units
        self.prices = dict(PRICES)  # by SKU, what the shelf says now
        self.paid = {}  # by order id and product id, what one has cost at the handover
        self.plans = {}  # by order id, the transfers it waits for
        self.seen_history = 0
        self.counted_in = {}  # by order id, the working hour that holds a place for it
        self.worked = Counter()  # by working hour, the places of orders on which work has begun
        self.limits = {"near": 4, "far": None}
        self.look()
        self._order(wanted)
        self.let_the_workers_work()

    # What shop and customer do

    @rule(wanted=st.lists(st.tuples(baskets, places, wishes), min_size=1, max_size=3), is_decided=mostly)
    def place(self, wanted, is_decided):
        self._order(wanted)
        if is_decided:
            self.let_the_workers_work()

    def _order(self, wanted):
        for items, where, if_short in wanted:
            pickup = None if where == "around" else {"store_ref": where}
            extra = {"if_short": if_short} if if_short else {}
            answer = self.shop.order(self.world.order_body(items, pickup, **extra))
            assert answer.status_code == 201 or answer.json["code"] == "out_of_stock", answer.text
            if answer.status_code == 201:
                total = sum(self.prices[sku] * quantity for sku, quantity in items.items())
                assert answer.json["total"]["amount"] == total
                self.authorised[uuid.UUID(answer.json["id"])] = total

    @precondition(lambda self: self._offered())
    @rule(number=anyone, choice=st.sampled_from(["move", "wait", "move", "wait", "cancel"]))
    def choose(self, number, choice):
        offered = self._offered()
        order = offered[number % len(offered)]
        answer = self.shop.post(f"/v1/orders/{order.id}/choice", {"choice": choice})
        is_there = choice == "cancel" or choice in order.offer["options"]
        assert answer.status_code == (200 if is_there else 409), answer.text

    @precondition(lambda self: self._any(OPEN))
    @rule(number=anyone, who=st.sampled_from([CUSTOMER, THE_SHOP, STAFF, *[THE_CLOCK] * 4]))
    def an_order_comes_to_nothing(self, number, who):
        """It is cancelled, or the clock finds that nobody came, or chose, in time."""
        order = self._pick(number, OPEN)
        if who is not THE_CLOCK:
            self._take(order, service.cancel, actor=who, reason="customer")
        elif order.status == "ready":
            self._passes(order.id, "hold_until")
            assert sweeping.expire_holds(utcnow()) == 1
        elif order.offer:
            self._passes(order.id, "offer_until")
            assert sweeping.end_offers(utcnow()) == 1

    # What the staff do

    @precondition(lambda self: self._any({"reserved"}))
    @rule(number=anyone)
    def start_picking(self, number):
        self._take(self._pick(number, {"reserved"}), service.start_picking, actor=STAFF)

    @precondition(lambda self: self._any({"reserved", "picking"}))
    @rule(number=anyone)
    def pick(self, number):
        order = self._pick(number, {"reserved", "picking"})
        if order.status == "reserved":
            self._take(order, service.start_picking, actor=STAFF)
        self._take(order, service.mark_ready, actor=STAFF)

    @precondition(lambda self: self._any({"ready"}))
    @rule(number=anyone)
    def keep_longer(self, number):
        order = self._pick(number, {"ready"})
        times, until = order.hold_extensions, order.hold_until
        try:
            self._take(order, extending.extend_hold, actor=CUSTOMER)
        except ActionNotAllowed:
            assert times == 1
            return
        self.look()
        assert (times, self.orders[order.id].hold_until > until) == (0, True)

    @precondition(lambda self: self._any({"picking"}))
    @rule(number=anyone, line=anyone, missing=some)
    def short_pick(self, number, line, missing):
        order = self._pick(number, {"picking"})
        lines = [each for each in order.lines if each.quantity > each.short]
        line = lines[line % len(lines)]
        missing = min(missing, line.quantity - line.short)
        key = order.store_id, line.product_id
        self._take(order, short_picks.short_pick, line.product_id, missing, actor=STAFF)
        self.shelves.not_found(key, missing, self._promised()[key] - missing)

    @precondition(lambda self: self._any({"ready"}))
    @rule(number=anyone)
    def serve(self, number):
        self.hand_over(number, is_right=True, is_manager=True)

    @precondition(lambda self: self._any({"ready"}))
    @rule(number=anyone, refused=st.lists(st.integers(0, 2), min_size=3, max_size=3))
    def not_everything_is_taken(self, number, refused):
        """Some of it is refused; where that is all of it, the order is cancelled."""
        order, now = self._pick(number, {"ready"}), utcnow()
        found = {line.product_id: line.quantity - line.short for line in order.lines}
        units = {product: min(some, found[product]) for product, some in zip(found, refused, strict=False)}
        self._take(order, service.hand_over, order.pickup_code, actor=STAFF, is_manager=True, now=now, refused=units)
        if units == found:
            self.look()
            assert self.orders[order.id].status == "cancelled", "there is nothing to hand over"
            return
        taken = {(order.store_id, product): found[product] - units.get(product, 0) for product in found}
        self._leaves(taken, now, holding={(order.store_id, product): held for product, held in found.items()})
        self._is_paid(order)

    @precondition(lambda self: self._any({"ready"}))
    @rule(number=anyone, is_right=st.sampled_from([True, True, True, False]), is_manager=st.booleans())
    def hand_over(self, number, is_right, is_manager):
        order, now = self._pick(number, {"ready"}), utcnow()
        code = order.pickup_code if is_right else "AAA-AAA-AAA"
        is_locked = order.wrong_codes >= pickup_code.WRONG_CODES_MAX and not is_manager
        try:
            done = self._take(order, service.hand_over, code, actor=STAFF, is_manager=is_manager, now=now)
        except PickupCodeLocked:
            assert is_locked
            return
        assert (done, is_locked) == (is_right, False)
        if done:
            self._leaves({(order.store_id, line.product_id): line.quantity - line.short for line in order.lines}, now)
            self._is_paid(order)

    def _is_paid(self, order):
        shelf = {self.product_ids[sku]: price for sku, price in self.prices.items()}
        for line in order.lines:
            self.paid[order.id, line.product_id] = min(line.unit_amount, shelf[line.product_id])

    @precondition(lambda self: self.orders)
    @rule(number=anyone, action=st.sampled_from(["start_picking", "mark_ready", "hand_over", "cancel"]))
    def try_at_the_wrong_time(self, number, action):
        self._nothing_goes_twice(number)
        order = self._pick(number, frozenset({*OPEN, *FINAL}) - TRANSITIONS[action].sources)
        if order is None:
            return
        extra = {
            "hand_over": {"typed_code": order.pickup_code, "is_manager": True},
            "cancel": {"reason": "customer"},
        }.get(action, {})
        try:
            self._take(order, getattr(service, action), actor=STAFF, **extra)
        except ActionNotAllowed:
            return
        raise AssertionError(f"{action} of an order that is {order.status}")

    def _nothing_goes_twice(self, number):
        over = self._transfers("received", "cancelled")
        for step in (receiving.send, partial(receiving.receive, actor=STAFF)) if over else ():
            transfer = over[number % len(over)]
            try:
                self._take(self.orders[transfer.order_id], step, transfer.id)
            except TransferOver:
                continue
            raise AssertionError(f"a transfer that is {transfer.status} went on")

    # Goods between stores

    @precondition(lambda self: self._transfers("requested"))
    @rule(number=anyone)
    def send(self, number):
        transfer, now = self._transfer(number, "requested"), utcnow()
        self._take(self.orders[transfer.order_id], receiving.send, transfer.id, now=now)
        self._leaves({(transfer.source_id, line.product_id): line.quantity for line in transfer.lines}, now)

    @precondition(lambda self: self._transfers("requested", "sent"))
    @rule(number=anyone)
    def receive(self, number):
        transfer, now = self._transfer(number, "requested", "sent"), utcnow()
        self._take(self.orders[transfer.order_id], receiving.receive, transfer.id, actor=STAFF, now=now)
        if transfer.status == "requested":
            self._leaves({(transfer.source_id, line.product_id): line.quantity for line in transfer.lines}, now)
        for line in transfer.lines:
            self.shelves.move((transfer.destination_id, line.product_id), line.quantity, now)

    @precondition(lambda self: self._transfers("requested"))
    @rule(number=anyone, missing=some)
    def cannot_send(self, number, missing):
        transfer = self._transfer(number, "requested")
        line = transfer.lines[number % len(transfer.lines)]
        missing, key = min(missing, line.quantity), (transfer.source_id, line.product_id)
        order = self.orders[transfer.order_id]
        self._take(order, receiving.cannot_send, transfer.id, line.product_id, missing, actor=STAFF)
        self.shelves.not_found(key, missing, self._promised()[key] - missing)

    # Tills

    @rule(ref=refs, sku=skus, quantity=st.sampled_from([1, 1, 2, 3, -1, -2]), ago=minutes_ago)
    def sell(self, ref, sku, quantity, ago):
        at = utcnow() - timedelta(minutes=ago)
        line = {"sku": sku, "quantity": quantity, "unit_price": {"amount": PRICES[sku], "currency": "USD"}}
        sale = {"id": f"sale {at.isoformat()}", "at": at.isoformat(), "lines": [line]}
        told = {"store_ref": ref, "register": "1", "sales": [sale]}
        assert self.pos.post("/v1/pos/sales", told).json["accepted"] == 1
        assert self.pos.post("/v1/pos/sales", told).json["repeated"] == 1
        self.shelves.move(self._key(ref, sku), -quantity, at, is_told_late=True)

    @rule(ref=refs, sku=skus, units=st.integers(1, 9), ago=minutes_ago)
    def take_stock(self, ref, sku, units, ago):
        at = utcnow() - timedelta(minutes=ago)
        count = {"sku": sku, "on_hand": units, "at": at.isoformat()}
        answer = self.pos.post("/v1/pos/stock", {"store_ref": ref, "counts": [count]})
        assert answer.status_code == 200, answer.text
        self.shelves.count(self._key(ref, sku), units, at)

    # Prices

    @rule(sku=skus, percent=st.sampled_from([0, 50, 90, 100, 120]))
    def the_shelf_says(self, sku, percent):
        self.prices[sku] = PRICES[sku] * percent // 100
        change = {"sku": sku, "price": {"amount": self.prices[sku], "currency": "USD"}}
        answer = self.admin.post("/v1/prices", {"changes": [change]})
        assert answer.status_code == 201, answer.text

    # Stores

    @rule(ref=pickup_points, is_open=st.sampled_from([True, True, False]), limit=st.sampled_from([None, 1, 2, 4]))
    def a_store_changes(self, ref, is_open, limit):
        self.limits[ref] = limit
        with unit_of_work():
            stores.resume(ref) if is_open else stores.pause(ref, now=utcnow())
            db.session.execute(update(Store).where(Store.ref == ref).values(hourly_capacity=limit))
            revisions.bump("stores")

    @rule()
    def let_the_workers_work(self):
        self.world.work()
        self.look()
        assert self.tasks == {}, "everything that was due is done"
        self._no_store_has_promised_others_what_it_has_not()

    # What must hold after every step

    @invariant()
    def all_is_as_it_should_be(self):
        self.look()
        self.the_books_agree()
        self.every_shelf_is_as_the_notebook_says()
        self.every_order_holds_what_its_status_says()
        self.what_is_on_the_road_has_left_and_not_come()
        self.what_was_handed_over_has_left_once()
        self.nobody_is_forgotten()
        self.money_is_taken_for_what_was_handed_over_and_for_nothing_else()
        self.every_place_in_an_hour_is_some_orders()
        self.a_bag_that_nobody_collects_is_to_be_put_back()

    def the_books_agree(self):
        assert differences() == []

    def every_shelf_is_as_the_notebook_says(self):
        levels = db.session.execute(select(StockLevel.store_id, StockLevel.product_id, StockLevel.on_hand)).all()
        assert {(store, product): units for store, product, units in levels if units} == dict(+self.shelves.on_hand)

    def every_order_holds_what_its_status_says(self):
        rows = db.session.execute(
            select(Reservation.order_id, Reservation.store_id, Reservation.product_id, Reservation.quantity)
        )
        held = {(order, store, product): units for order, store, product, units in rows}
        assert held == {(o.id, *key): units for o in self.orders.values() for key, units in self._holds(o).items()}

    def what_is_on_the_road_has_left_and_not_come(self):
        rows = db.session.execute(
            select(StockMovement.product_id, func.sum(StockMovement.on_hand_change))
            .where(StockMovement.kind.in_(("transfer_out", "transfer_in")))
            .group_by(StockMovement.product_id)
        )
        under_way = Counter()
        for transfer in self._transfers("sent"):
            under_way.update({line.product_id: line.quantity for line in transfer.lines})
        assert {product: -units for product, units in rows if units} == dict(under_way)

    def what_was_handed_over_has_left_once(self):
        rows = db.session.execute(
            select(StockMovement.order_id, StockMovement.product_id, func.sum(StockMovement.on_hand_change))
            .where(StockMovement.kind == "handover")
            .group_by(StockMovement.order_id, StockMovement.product_id)
        )
        assert {(order, product): -units for order, product, units in rows} == {
            (order.id, line.product_id): line.quantity - line.short - line.refused
            for order in self.orders.values()
            for line in order.lines
            if order.status == "collected" and line.quantity > line.short + line.refused
        }

    def nobody_is_forgotten(self):
        for order in self.orders.values():
            waits_for_worker = "reserve_stock" in self.tasks.get(order.id, ())
            if order.status == "placed":
                assert waits_for_worker != bool(order.offer), "either a worker decides, or the customer"
            else:
                assert order.offer is None, order.status

    def money_is_taken_for_what_was_handed_over_and_for_nothing_else(self):
        entries = {order_id: [] for order_id in self.orders}
        rows = select(Payment.order_id, PaymentEntry.kind, PaymentEntry.amount).order_by(PaymentEntry.id)
        for order_id, kind, amount in db.session.execute(rows.join(Payment, Payment.id == PaymentEntry.payment_id)):
            entries[order_id].append((kind, amount))
        for order in self.orders.values():
            due = sum((line.quantity - line.short - line.refused) * self._cost_of(order, line) for line in order.lines)
            assert order.total_amount == due <= self.authorised[order.id]
            expected = [("authorisation", self.authorised[order.id])]
            if order.status in FINAL and "settle_payment" not in self.tasks.get(order.id, ()):
                taken = due if order.status == "collected" else 0
                expected += [("capture", taken), ("void", self.authorised[order.id] - taken)]
            assert entries[order.id] == [entry for entry in expected if entry[1]], order.status
        assert not db.session.scalar(
            select(func.count()).select_from(SandboxCharge).where(SandboxCharge.captured > SandboxCharge.amount)
        )

    def every_place_in_an_hour_is_some_orders(self):
        rows = db.session.execute(select(CapacityHour.store_id, CapacityHour.hour, CapacityHour.taken))
        assert {(store, hour): taken for store, hour, taken in rows if taken} == dict(
            +(self.worked + Counter(self.counted_in.values()))
        )

    def a_bag_that_nobody_collects_is_to_be_put_back(self):
        bagged = OrderHistory.from_status.in_(("picking", "ready"))
        called_off = OrderHistory.to_status.in_(("cancelled", "expired"))
        left = set(db.session.scalars(select(OrderHistory.order_id).where(bagged, called_off)))
        assert {order.id for order in self.orders.values() if order.put_back_since} == left
        assert not [order for order in self.orders.values() if order.warn_at and order.status != "ready"]

    # The rest is looking

    def look(self):
        """Read all orders, transfers and tasks as they are now, and go on with the notebook."""
        db.session.rollback()
        ids = db.session.scalars(select(Order.id).order_by(Order.number)).all()
        orders = queries.get_orders(ids)
        self.orders = {order_id: orders[order_id] for order_id in ids}
        self.all_transfers = transfers_of(ids)
        self.tasks = {}
        rows = select(OutboxTask.subject_id, OutboxTask.handler)
        for subject, handler in db.session.execute(rows.join(Event, Event.id == OutboxTask.event_id)):
            self.tasks.setdefault(subject, []).append(handler)
        db.session.expunge_all()  # and so they stay, whatever comes
        self._follow_history()

    def _follow_history(self):
        taken_before = self.worked + Counter(self.counted_in.values())
        steps = db.session.scalars(
            select(OrderHistory).where(OrderHistory.id > self.seen_history).order_by(OrderHistory.id)
        ).all()
        for step in steps:
            self.seen_history, order = step.id, self.orders[step.order_id]
            self.taken[step.action] += 1
            if step.action == "send_for":
                self.plans[order.id] = {each.id for each in self._transfers("requested") if each.order_id == order.id}
            if step.action in ("reserve", "send_for") and order.capacity_hour:
                self.counted_in[order.id] = order.store_id, order.capacity_hour
            elif step.action == "start_picking" and order.id in self.counted_in:
                self.worked[self.counted_in.pop(order.id)] += 1
            elif step.action in ("withdraw", "cancel"):
                self.counted_in.pop(order.id, None)
        taken = self.worked + Counter(self.counted_in.values())
        for (store_id, hour), number in taken.items():
            limit = self.limits[next(ref for ref, each in self.store_ids.items() if each == store_id)]
            assert limit is None or number <= max(limit, taken_before[store_id, hour])

    def _holds(self, order):
        """What is kept for an order, by (store id, product id); nothing for one that waits or is over."""
        if order.status not in HOLDING_GOODS:
            return {}
        if order.status != "in_transit":
            left = {(order.store_id, line.product_id): line.quantity - line.short for line in order.lines}
            return {key: units for key, units in left.items() if units}
        held = Counter()
        for source in order.sourcing:
            if source["expected_at"] is None:
                held.update({(source["store_id"], product): units for product, units in source["units"]})
        for transfer in self.all_transfers:
            where = {"requested": transfer.source_id, "received": transfer.destination_id}.get(transfer.status)
            if where and transfer.id in self.plans[order.id]:
                held.update({(where, line.product_id): line.quantity for line in transfer.lines})
        return dict(held)

    def _cost_of(self, order, line):
        """What one unit costs: as ordered, and after the handover perhaps less."""
        return self.paid.get((order.id, line.product_id), line.unit_amount)

    def _promised(self):
        promised = Counter()
        for order in self.orders.values():
            promised.update(self._holds(order))
        return promised

    def _no_store_has_promised_others_what_it_has_not(self):
        """Goods that stand ready are there, whatever the books say; for all others the books are right."""
        waiting = Counter()
        for order in self.orders.values():
            if order.status != "ready":
                waiting.update(self._holds(order))
        short = {key: (units, self.shelves.on_hand[key]) for key, units in waiting.items()}
        assert all(units <= on_hand for units, on_hand in short.values()), short

    def _key(self, ref, sku):
        return self.store_ids[ref], self.product_ids[sku]

    def _any(self, statuses):
        return any(order.status in statuses for order in self.orders.values())

    def _pick(self, number, statuses):
        orders = [order for order in self.orders.values() if order.status in statuses]
        return orders[number % len(orders)] if orders else None

    def _offered(self):
        return [order for order in self.orders.values() if order.offer]

    def _transfers(self, *statuses):
        return [each for each in self.all_transfers if each.status in statuses]

    def _transfer(self, number, *statuses):
        transfers = self._transfers(*statuses)
        return transfers[number % len(transfers)]

    def _leaves(self, goods, now, holding=None):
        """Goods leave a store, out of what is held for their order; what it does not take is promised to nobody."""
        promised = self._promised()
        for key, units in goods.items():
            self.shelves.leave(key, units, now, promised[key] - (holding or goods)[key])

    def _passes(self, order_id, column):
        with unit_of_work():
            past = {column: utcnow() - timedelta(minutes=1)}
            db.session.execute(update(Order).where(Order.id == order_id).values(past))

    def _take(self, order, step, *args, now: datetime | None = None, **values):
        order_id = order.id

        def work():
            (locked,) = queries.lock_orders([order_id], with_lines=True)
            return step(locked, *args, now=now or utcnow(), **values)

        return in_transaction(work)
