"""A store that cannot keep its word: short picks, sold at the till, no room left; and what the customer chooses."""

from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, service, short_picks, sweeping
from pickup.orders.models import CapacityHour
from pickup.payments.models import PaymentEntry

STAFF = Actor("staff", "Sam")


@pytest.fixture
def two_stores(world):
    near, far = world.store("near"), world.store("far", lat=36.6)
    a, b = world.product("A", price=100), world.product("B", price=10)
    for store in (near, far):
        world.stock(store, a, 5)
        world.stock(store, b, 5)
    return near, far, a, b


def take(order_id, step, *args, **values):
    with unit_of_work():
        (order,) = queries.lock_orders([order_id], with_lines=True)
        step(order, *args, now=utcnow(), **values)


def picking(world, shop, items, **extra):
    order = world.place(shop, items, **extra)
    world.work()
    take(order.id, service.start_picking, actor=STAFF)
    return world.order(order.id)


class TestShortPick:
    def test_it_goes_on_in_part_and_the_rest_is_not_charged(self, world, shop, two_stores, mailbox):
        near, _, a, _ = two_stores
        order = picking(world, shop, {"A": 3, "B": 1})
        take(order.id, short_picks.short_pick, a.id, 1, actor=STAFF)
        take(order.id, service.mark_ready, actor=STAFF)
        take(order.id, service.hand_over, order.pickup_code, actor=STAFF, is_manager=False)
        world.work()

        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["status"], shown["total"]["amount"], shown["payment"]["status"]) == ("collected", 210, "captured")
        assert [(line["quantity"], line["short"], line["total"]["amount"]) for line in shown["lines"]] == [
            (3, 1, 200),
            (1, 0, 10),
        ]
        captured = db.session.query(PaymentEntry).filter_by(kind="capture").one()
        assert captured.amount == 210
        level = world.level(near, a)
        assert (level.on_hand, level.reserved) == (0, 0), "what was not found cannot be promised to others"
        assert differences() == []

    def test_the_customer_may_have_said_rather_not(self, world, shop, two_stores):
        order = picking(world, shop, {"A": 3, "B": 1}, if_short="cancel")
        take(order.id, short_picks.short_pick, two_stores[2].id, 1, actor=STAFF)

        order = world.order(order.id)
        assert (order.status, order.reason) == ("cancelled", "out_of_stock")
        assert differences() == []

    def test_or_rather_elsewhere_and_chooses_where(self, world, shop, two_stores, mailbox):
        near, far, a, _ = two_stores
        order = picking(world, shop, {"A": 3, "B": 1}, if_short="move")
        take(order.id, short_picks.short_pick, a.id, 1, actor=STAFF)
        world.work()

        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["status"], shown["store"]["ref"], shown["offer"]["why"]) == ("placed", "near", "short_pick")
        assert [each["choice"] for each in shown["offer"]["options"]] == ["move", "wait", "cancel"]
        assert "please choose" in mailbox.subjects()[-1]
        assert (world.level(near, a).reserved, world.level(far, a).reserved) == (0, 0)

        answer = shop.post(f"/v1/orders/{order.id}/choice", {"choice": "move"})
        assert (answer.status_code, answer.json["store"]["ref"], answer.json["offer"]) == (200, "far", None)
        world.work()
        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["status"], shown["total"]["amount"]) == ("reserved", 310), "all of it, at the price agreed"
        assert shown["payment"]["status"] == "authorised", "and the gateway was not asked again"
        assert differences() == []

    def test_of_an_order_of_which_nothing_is_left_something_else_is_offered(self, world, shop, two_stores):
        order = picking(world, shop, {"A": 2})
        take(order.id, short_picks.short_pick, two_stores[2].id, 2, actor=STAFF)

        assert world.order(order.id).offer["options"].keys() == {"move", "wait"}

    def test_and_where_there_is_nothing_to_offer_it_is_cancelled(self, world, shop):
        store, product = world.store("1"), world.product("A")
        world.stock(store, product, 2)
        order = picking(world, shop, {"A": 2})
        take(order.id, short_picks.short_pick, product.id, 2, actor=STAFF)
        world.work()

        shown = shop.get(f"/v1/orders/{order.id}").json
        assert (shown["status"], shown["reason"], shown["payment"]["status"]) == ("cancelled", "out_of_stock", "voided")


class TestChoice:
    @pytest.fixture
    def asked(self, world, shop, two_stores):
        order = picking(world, shop, {"A": 2})
        take(order.id, short_picks.short_pick, two_stores[2].id, 2, actor=STAFF)
        return order

    def test_to_wait_is_to_be_sent_what_is_missing(self, world, shop, asked):
        shop.post(f"/v1/orders/{asked.id}/choice", {"choice": "wait"})
        world.work()

        order = world.order(asked.id)
        assert (order.status, order.store.ref) == ("in_transit", "near")

    def test_to_cancel(self, world, shop, asked):
        answer = shop.post(f"/v1/orders/{asked.id}/choice", {"choice": "cancel"})

        assert (answer.json["status"], answer.json["reason"]) == ("cancelled", "customer")

    def test_the_second_answer_comes_too_late(self, world, shop, asked):
        shop.post(f"/v1/orders/{asked.id}/choice", {"choice": "move"})
        answer = shop.post(f"/v1/orders/{asked.id}/choice", {"choice": "wait"})

        assert (answer.status_code, answer.json["code"]) == (409, "action_not_allowed")

    def test_who_does_not_answer_is_not_kept_waiting_for_ever(self, world, asked):
        assert sweeping.end_offers(utcnow()) == 0
        assert sweeping.end_offers(utcnow() + timedelta(hours=25)) == 1

        order = world.order(asked.id)
        assert (order.status, order.reason, order.offer) == ("cancelled", "out_of_stock", None)


class TestSoldAtTheTill:
    def test_the_youngest_that_no_longer_fits_is_withdrawn(self, world, shop, two_stores, mailbox):
        near, _, a, _ = two_stores
        pos = world.client("pos")
        orders = [world.place(shop, {"A": 2}) for _ in range(2)]
        world.work()
        sale = {
            "id": "s1",
            "at": utcnow().isoformat(),
            "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 100, "currency": "USD"}}],
        }
        answer = pos.post("/v1/pos/sales", {"store_ref": "near", "register": "1", "sales": [sale]})
        assert answer.status_code == 200, answer.text
        world.work()

        first, second = (shop.get(f"/v1/orders/{order.id}").json for order in orders)
        assert (first["status"], second["status"], second["offer"]["why"]) == ("reserved", "placed", "sold_at_till")
        level = world.level(near, a)
        assert (level.on_hand, level.reserved) == (3, 2)
        assert differences() == []


class TestCapacity:
    def test_an_hour_takes_no_more_orders_than_it_holds(self, world, shop, two_stores):
        near = world.store("a-small", hourly_capacity=2)
        world.stock(near, two_stores[2], 100)
        orders = [world.place(shop, {"A": 1}) for _ in range(6)]
        world.work()

        shown = [shop.get(f"/v1/orders/{order.id}").json for order in orders]
        taken = [taken for (taken,) in db.session.query(CapacityHour.taken)]  # of two hours, if a full one passes
        assert [order["store"]["ref"] for order in shown].count("a-small") == sum(taken)
        assert max(taken) == 2
        assert {order["status"] for order in shown} == {"reserved"}
        elsewhere = next(order for order in shown if order["store"]["ref"] != "a-small")
        assert "at_capacity" in [each["verdict"] for each in elsewhere["candidates"]]

    def test_a_cancelled_order_gives_its_place_back(self, world, shop):
        store, product = world.store("1", hourly_capacity=1), world.product("A")
        world.stock(store, product, 5)
        order = world.place(shop, {"A": 1})
        world.work()
        assert shop.order(world.order_body({"A": 1})).json["candidates"][0]["verdict"] == "at_capacity"

        shop.post(f"/v1/orders/{order.id}/cancel")
        assert shop.order(world.order_body({"A": 1})).status_code == 201

    def test_the_queue_is_in_the_promise(self, world, shop):
        store, product = world.store("1", hourly_capacity=4, prep_minutes=10), world.product("A")
        world.stock(store, product, 5)
        promises = []
        for _ in range(3):
            order = world.place(shop, {"A": 1})
            world.work()
            promises.append(order.ready_by)

        assert timedelta(minutes=14) <= promises[1] - promises[0] <= timedelta(minutes=17)


class TestClosedStore:
    def test_its_orders_are_offered_elsewhere_and_what_it_was_to_send_comes_from_others(self, world, shop, two_stores):
        near, far, _, _ = two_stores
        admin = world.client("admin")
        here, begun = (world.place(shop, {"A": 1}) for _ in range(2))
        kiosk = world.store("kiosk", kind="partner", lat=36.38)
        sent = world.place(shop, {"A": 1}, {"store_ref": "kiosk"})
        world.work()
        take(begun.id, service.start_picking, actor=STAFF)
        assert world.order(sent.id).sourcing[0]["store_id"] == near.id

        assert admin.post("/v1/stores/near/pause?move_orders=true").status_code == 200
        world.work()

        assert world.order(here.id).offer["options"].keys() == {"move"}
        assert world.order(begun.id).status == "picking"
        replanned = world.order(sent.id)
        assert (replanned.status, replanned.store_id, replanned.sourcing[0]["store_id"]) == (
            "in_transit",
            kiosk.id,
            far.id,
        )
        assert differences() == []

    def test_without_the_word_they_stay(self, world, shop, two_stores):
        order = world.place(shop, {"A": 1})
        world.work()
        world.client("admin").post("/v1/stores/near/pause")
        world.work()

        assert world.order(order.id).status == "reserved"

    def test_an_order_that_is_not_decided_yet_goes_elsewhere_silently(self, world, shop, two_stores):
        order = world.place(shop, {"A": 1})
        world.client("admin").post("/v1/stores/near/pause")
        world.work()

        order = world.order(order.id)
        assert (order.status, order.store_id, order.offer) == ("reserved", two_stores[1].id, None)
        assert [each["verdict"] for each in order.candidates] == ["paused", "chosen"]
