"""What the clock says of orders, once each; goods that are kept longer, or put back."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.models import Event
from pickup.core.types import Actor
from pickup.orders import clockwork, extending, promising, queries, service, sweeping
from pickup.orders.models import Order, OrderHistory
from pickup.orders.promising import hold_until_at
from pickup.staff import service as staff
from pickup.staff.models import AuditEntry
from pickup.stores.directory import fresh_directory
from tests.concurrency.together import Rendezvous, at_once
from tests.tablet import Tablet

ANA = Actor("staff", "Ana")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A Monday; noon in Chicago is 18:00.
NOON = datetime(2026, 12, 7, 18, tzinfo=UTC)


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 100)
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="associate", pin="1111")
        staff.create_member(store_ref="1", name="Max", role="manager", pin="2222")
    return made


@pytest.fixture
def reserved(world, shop, store):
    def make():
        order = world.place(shop, {"A": 1})
        world.work()
        return world.order(order.id)

    return make


@pytest.fixture
def ready(world, reserved):
    return lambda: world.make_ready(reserved())


@pytest.fixture
def settings(database, monkeypatch):
    def change(**values):
        changed = replace(database.extensions["settings"], **values)
        monkeypatch.setitem(database.extensions, "settings", changed)

    return change


@pytest.fixture
def tablet(app, store):
    def signed_in(pin="1111"):
        made = Tablet(app)
        made.sign_in("1", pin)
        return made

    return signed_in


def opens(store, hours):
    from pickup.core import revisions
    from pickup.stores.models import Store

    with unit_of_work():
        db.session.execute(update(Store).where(Store.id == store.id).values(opening_hours=hours))
        revisions.bump("stores")


def put(order, **values):
    in_transaction(lambda: db.session.execute(update(Order).where(Order.id == order.id).values(**values)))


def said(event):
    db.session.rollback()
    return [(each.subject_id, each.at) for each in db.session.query(Event).filter_by(type=event).order_by(Event.id)]


def step(order, action, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        action(locked, now=utcnow(), **values)


class TestThePromise:
    def test_is_at_risk_where_nobody_has_begun(self, world, reserved, tablet):
        order, other = reserved(), reserved()
        put(other, status="picking")
        assert clockwork.see_risks(order.ready_by - 16 * MINUTE) == 0
        assert "Begin now" not in tablet().get("/staff").text

        assert clockwork.see_risks(order.ready_by - 15 * MINUTE) == 1
        assert clockwork.see_risks(order.ready_by - 14 * MINUTE) == 0

        assert world.order(order.id).at_risk_told_at == order.ready_by - 15 * MINUTE
        assert world.order(other.id).at_risk_told_at is None
        assert tablet().get("/staff").text.count("Begin now") == 1

    def test_is_measured_in_open_minutes(self, store, reserved):
        opens(store, "Mo-Su 09:00-17:00")
        order = reserved()
        put(order, ready_by=NOON + DAY - 3 * HOUR + 5 * MINUTE)  # five minutes after the store opens on Tuesday
        assert clockwork.see_risks(NOON + 5 * HOUR - 11 * MINUTE) == 0
        assert clockwork.see_risks(NOON + 5 * HOUR - 10 * MINUTE) == 1

    def test_can_be_left_alone(self, reserved, settings):
        order = reserved()
        settings(risk_minutes=0)
        assert clockwork.see_risks(order.ready_by) == 0

    def test_is_broken_once(self, world, reserved, ready):
        order, done = reserved(), ready()
        assert clockwork.see_overdue(order.ready_by) == 0
        late = max(order.ready_by, done.ready_by) + MINUTE
        assert [clockwork.see_overdue(late + n * HOUR) for n in range(3)] == [1, 0, 0]

        assert said("order.overdue") == [(order.id, late)]
        assert db.session.query(Event).filter_by(type="order.overdue").one().data == {
            "number": order.number,
            "status": "reserved",
            "store_id": order.store_id,
            "ready_by": order.ready_by.isoformat(),
        }
        assert world.order(order.id).overdue_told_at == late
        assert clockwork.see_risks(late) == 0, "it is worse than that already"

    def test_of_another_store_is_another_promise(self, world, shop, store):
        far = world.store("2", lat=36.6)
        world.stock(far, world.product("B"), 5)
        order = world.place(shop, {"B": 1}, {"store_ref": "2"})
        put(order, at_risk_told_at=NOON, overdue_told_at=NOON)
        world.offer(world.order(order.id))
        shop.post(f"/v1/orders/{order.id}/choice", {"choice": "move"})

        moved = world.order(order.id)
        assert (moved.at_risk_told_at, moved.overdue_told_at) == (None, None)


class TestMessages:
    def test_are_planned_when_it_is_ready(self, world, ready):
        order = ready()
        store = fresh_directory().by_id[order.store_id]
        (became_ready,) = [each.at for each in order.history if each.to_status == "ready"]
        assert (order.remind_at, order.warn_at) == promising.messages_at(store, became_ready, order.hold_until)
        assert became_ready + DAY <= order.remind_at < order.warn_at < order.hold_until

    def test_go_out_once(self, ready):
        order = ready()
        for job, at, event in (
            (clockwork.remind, order.remind_at, "order.reminded"),
            (clockwork.warn, order.warn_at, "order.expiring"),
        ):
            assert [job(at + late) for late in (-MINUTE, timedelta(), MINUTE)] == [0, 1, 0]
            assert said(event) == [(order.id, at)]

    def test_are_not_sent_of_an_order_that_is_gone(self, world, ready):
        order, other = ready(), ready()
        step(order, service.hand_over, typed_code=order.pickup_code, actor=ANA, is_manager=False)
        step(other, service.cancel, actor=ANA, reason="staff")
        for each in (order, other):
            assert (world.order(each.id).remind_at, world.order(each.id).warn_at) == (None, None)
        assert clockwork.remind(order.hold_until) == clockwork.warn(order.hold_until) == 0

    def test_wait_for_the_day_where_the_clock_stood_still(self, store, world, ready):
        opens(store, "Mo-Su 08:00-22:00")
        order = ready()
        put(order, remind_at=NOON, warn_at=NOON, hold_until=NOON + 3 * DAY)
        night = NOON + 9 * HOUR
        assert clockwork.remind(night) == clockwork.warn(night) == 1
        assert said("order.reminded") == said("order.expiring") == []
        late = world.order(order.id)
        assert late.remind_at == late.warn_at == NOON + 21 * HOUR  # nine in the morning

        put(order, warn_at=NOON, hold_until=NOON + 10 * HOUR)
        clockwork.warn(night)
        assert (world.order(order.id).warn_at, said("order.expiring")) == (None, [])

    def test_can_be_left_out(self, ready, settings):
        settings(remind_after_hours=0, warn_before_hours=0)
        order = ready()
        assert (order.remind_at, order.warn_at) == (None, None)


class TestSeveralClocks:
    def test_say_everything_once(self, app, ready):
        orders = [ready() for _ in range(6)]
        at = max(order.remind_at for order in orders)

        def look():
            with app.app_context():
                return clockwork.remind(at)

        assert sum(at_once([look] * 4)) == 6
        assert sorted(subject for subject, _ in said("order.reminded")) == sorted(order.id for order in orders)

    def test_say_it_twice_without_the_lock(self, app, ready, monkeypatch):
        """The control: who only looks, says what another is just saying."""
        order, both = ready(), Rendezvous(app)

        def take_unlocked(due, step):
            orders = both.after(lambda: db.session.scalars(due).all())()
            step(orders)
            return len(orders)

        monkeypatch.setattr("pickup.orders.due._take", take_unlocked)
        at = order.remind_at

        def look():
            with app.app_context():
                return clockwork.remind(at)

        at_once([look] * 2)
        assert [subject for subject, _ in said("order.reminded")] == [order.id] * 2

    def test_leave_what_another_has_in_hand(self, app, world, ready):
        order, other = ready(), ready()
        late = max(order.hold_until, other.hold_until) + MINUTE
        is_held, may_go = threading.Event(), threading.Event()

        def hold():
            with app.app_context(), unit_of_work():
                queries.lock_order(order.id)
                is_held.set()
                may_go.wait(30)

        somebody = threading.Thread(target=hold)
        somebody.start()
        is_held.wait(30)
        assert sweeping.expire_holds(late) == 1
        may_go.set()
        somebody.join()

        assert [world.order(each.id).status for each in (order, other)] == ["ready", "expired"]
        assert sweeping.expire_holds(late) == 1

    def test_leave_what_is_not_due_any_more(self, ready):
        order = ready()
        late = order.hold_until + MINUTE
        step(order, extending.extend_hold, actor=ANA)
        assert sweeping.expire_holds(late) == 0
        assert sweeping.expire_holds(late + extending.DAYS * DAY) == 1

    def test_one_that_cannot_be_done_holds_up_nobody(self, world, ready, monkeypatch):
        orders = [ready() for _ in range(3)]
        bad = min(orders, key=lambda order: order.hold_until)

        def advance(chosen, action, *, advance=sweeping.advance, **values):
            assert bad.id not in [order.id for order in chosen]
            advance(chosen, action, **values)

        late = max(order.hold_until for order in orders) + MINUTE
        with monkeypatch.context() as planted:
            planted.setattr(sweeping, "advance", advance)
            assert sweeping.expire_holds(late) == 2
        assert [world.order(order.id).status for order in orders].count("expired") == 2
        assert sweeping.expire_holds(late) == 1

    def test_more_than_a_batch_is_done_in_one_turn(self, ready, monkeypatch):
        monkeypatch.setattr("pickup.orders.due.AT_ONCE", 2)
        orders = [ready() for _ in range(5)]
        assert sweeping.expire_holds(max(order.hold_until for order in orders) + MINUTE) == 5


class TestHowLong:
    def test_goods_that_keep_for_a_day_are_kept_for_a_day(self, world, shop, store):
        world.stock(store, world.product("milk", hold_days=1), 5)
        items = [{"sku": sku, "quantity": 1} for sku in ("A", "milk")]
        quote = shop.post("/v1/quotes", {"items": items, "pickup": {"store_ref": "1"}}).json
        order = world.place(shop, {"A": 1, "milk": 1})
        assert order.hold_until == order.ready_by + DAY
        assert datetime.fromisoformat(quote["hold_until"]) - datetime.fromisoformat(quote["ready_by"]) == DAY

        made = world.make_ready(order)
        became_ready = next(each.at for each in made.history if each.to_status == "ready")
        assert made.hold_until == became_ready + DAY

    def test_what_keeps_longer_than_the_store_holds_it_is_held_as_long_as_that(self, world, shop, store):
        entry = fresh_directory().by_id[store.id]
        assert hold_until_at(entry, NOON, 30) == hold_until_at(entry, NOON, None) == NOON + 7 * DAY


class TestKeptLonger:
    def test_by_the_shop_once(self, world, shop, ready):
        order = ready()
        until, warning, reminder = order.hold_until, order.warn_at, order.remind_at
        assert "extend_hold" in shop.get(f"/v1/orders/{order.id}").json["allowed_actions"]
        answer = shop.post(f"/v1/orders/{order.id}/extend-hold", {"days": 2})
        assert answer.status_code == 200, answer.text
        assert "extend_hold" not in answer.json["allowed_actions"]

        kept = world.order(order.id)
        assert (kept.status, kept.hold_until, kept.hold_extensions) == ("ready", until + 2 * DAY, 1)
        assert kept.warn_at > warning
        assert kept.remind_at == reminder
        assert [each.action for each in kept.history][-1] == "extend_hold"
        again = shop.post(f"/v1/orders/{order.id}/extend-hold", {})
        assert (again.status_code, again.json["code"]) == (409, "action_not_allowed")

    @pytest.mark.parametrize("days", [0, 8, "3", 1.5])
    def test_by_some_days_only(self, shop, ready, days):
        assert shop.post(f"/v1/orders/{ready().id}/extend-hold", {"days": days}).status_code == 422

    def test_not_before_it_is_ready_nor_afterwards(self, world, shop, reserved, ready):
        order, gone = reserved(), ready()
        sweeping.expire_holds(gone.hold_until + MINUTE)
        for each in (order, gone):
            assert shop.post(f"/v1/orders/{each.id}/extend-hold", {}).status_code == 409

    def test_to_the_closing_of_a_day_that_begins_within_it(self, store, world, ready):
        opens(store, "Mo-Su 08:00-22:00")
        order = ready()
        put(order, hold_until=NOON + 10 * HOUR)
        step(order, extending.extend_hold, actor=ANA, days=3)
        assert world.order(order.id).hold_until == NOON + 3 * DAY + 10 * HOUR

    def test_not_with_goods_that_do_not_keep(self, world, shop, store):
        world.stock(store, world.product("milk", hold_days=7), 5)
        order = world.make_ready(world.place(shop, {"A": 1, "milk": 1}))
        assert not extending.may_extend(order, is_manager=True)
        assert shop.post(f"/v1/orders/{order.id}/extend-hold", {}).status_code == 409

    def test_on_the_customers_page(self, app, world, ready):
        order, browser = ready(), Tablet(app)
        until = order.hold_until
        page = browser.get(f"/p/{order.page_token}").text
        assert "Keep it longer" in page
        for _ in range(2):
            assert browser.post(f"/p/{order.page_token}/keep-longer", expected="0").status_code == 303
        kept = world.order(order.id)
        assert (kept.hold_extensions, kept.hold_until) == (1, until + extending.DAYS * DAY)
        page = browser.get(f"/p/{order.page_token}").text
        assert "Kept longer for you." in page
        assert "Keep it longer" not in page

    def test_on_the_tablet_and_by_a_manager_at_any_time(self, world, ready, tablet):
        order, ana, max_ = ready(), tablet("1111"), tablet("2222")
        path = f"/staff/orders/{order.id}"
        assert "Keep it longer" in ana.get(path).text
        for _ in range(2):
            ana.post(f"{path}/extend-hold", expected="0")
        assert "Keep it longer" not in ana.get(path).text
        ana.post(f"{path}/extend-hold", expected="1")
        assert world.order(order.id).hold_extensions == 1

        assert "Keep it longer" in max_.get(path).text
        max_.post(f"{path}/extend-hold", expected="1")
        assert world.order(order.id).hold_extensions == 2
        rows = db.session.query(AuditEntry).filter_by(action="extend_hold", order_id=order.id)
        assert [row.member_name for row in rows.order_by(AuditEntry.id)] == ["Ana", "Max"]

    def test_by_nobody_but_a_manager_where_the_retailer_wants_that(self, app, world, shop, ready, settings):
        settings(hold_extensions_max=0)
        order = ready()
        assert shop.post(f"/v1/orders/{order.id}/extend-hold", {}).status_code == 409
        assert "Keep it longer" not in Tablet(app).get(f"/p/{order.page_token}").text
        assert extending.may_extend(world.order(order.id), is_manager=True)


class TestToPutBack:
    def test_a_bag_that_nobody_collected(self, world, ready, tablet):
        order, ana = ready(), tablet()
        put(order, staging_place="Shelf 7")
        assert "To put back" not in ana.get("/staff").text
        over = order.hold_until + MINUTE
        sweeping.expire_holds(over)
        board = ana.get("/staff").text
        assert all(words in board for words in ("To put back", "Shelf 7", str(order.number), "Put back"))
        assert world.order(order.id).put_back_since == over

        for _ in range(2):
            assert ana.post(f"/staff/orders/{order.id}/put-back").status_code == 303
        assert "To put back" not in ana.get("/staff").text
        assert world.order(order.id).put_back_since is None
        assert db.session.query(AuditEntry).filter_by(action="put_back", order_id=order.id).count() == 1
        assert world.level(order.store, order.lines[0].product).on_hand == 100

    @pytest.mark.parametrize(("status", "is_left"), [("reserved", False), ("picking", True), ("ready", True)])
    def test_a_bag_of_an_order_that_is_called_off(self, world, reserved, ready, status, is_left):
        order = ready() if status == "ready" else reserved()
        if status == "picking":
            step(order, service.start_picking, actor=ANA)
        step(order, partial(service.cancel, actor=ANA, reason="staff"))
        assert bool(world.order(order.id).put_back_since) is is_left

    def test_not_what_was_handed_over(self, world, ready):
        order = ready()
        step(order, service.hand_over, typed_code=order.pickup_code, actor=ANA, is_manager=False)
        assert world.order(order.id).put_back_since is None

    def test_is_a_matter_of_its_own_store(self, app, world, ready):
        order = ready()
        sweeping.expire_holds(order.hold_until + MINUTE)
        world.store("2", lat=37)
        with unit_of_work():
            staff.create_member(store_ref="2", name="Bo", role="manager", pin="3333")
        bo = Tablet(app)
        bo.sign_in("2", "3333")
        assert bo.post(f"/staff/orders/{order.id}/put-back").status_code == 404
        assert world.order(order.id).put_back_since is not None

    def test_has_no_step_in_the_history(self, world, ready, tablet):
        order = ready()
        sweeping.expire_holds(order.hold_until + MINUTE)
        tablet().post(f"/staff/orders/{order.id}/put-back")
        last = select(OrderHistory.action).where(OrderHistory.order_id == order.id).order_by(OrderHistory.id.desc())
        assert db.session.scalars(last.limit(1)).one() == "expire"
