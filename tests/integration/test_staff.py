"""The counter without a browser: who may sign in, whose orders they see, and what a code opens."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import delete, func, select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.staff import service, sign_in
from pickup.staff.lockout import is_locked
from pickup.staff.models import SignInFailure, StaffMember, UnknownCode
from tests.tablet import BROWSER, Tablet

WRONG = "QQQ-QQQ-QQQ"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.stock(made, world.product("A", name="Milk"), 50)
    world.stock(made, world.product("WINE", name="Cabernet", minimum_age=21), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
        service.create_member(store_ref="1", name="Max", role="manager", pin="998877")
    return made


@pytest.fixture
def tablet(app, store):
    made = Tablet(app)
    made.sign_in()
    return made


@pytest.fixture
def manager(app, store):
    made = Tablet(app)
    made.sign_in(pin="998877")
    return made


@pytest.fixture
def reserved(world, shop, store):
    order = world.place(shop, {"A": 2})
    world.work()
    return order


@pytest.fixture
def make_ready(world, shop, store):
    def make(items=None):
        order = world.place(shop, items or {"A": 2})
        world.work()
        ana = db.session.scalars(select(StaffMember).where(StaffMember.name == "Ana")).one()
        with unit_of_work():
            service.start_picking(ana, order.id, now=utcnow())
            service.mark_ready(ana, order.id, now=utcnow())
        return order

    return make


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


# People


def run(app, *arguments):
    return app.test_cli_runner().invoke(args=["staff", *arguments])


def create(app, name="Bo", pin="2222", store="1", role="associate"):
    return run(app, "create", "--store", store, "--name", name, "--role", role, "--pin", pin)


def test_create_and_list(app, store):
    assert create(app, name="Bo").exit_code == 0
    assert run(app, "list", "--store", "1").output == "Ana\tassociate\nBo\tassociate\nMax\tmanager\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"store": "9"}, "there is no store '9'"),
        ({"name": "Ana"}, "somebody named 'Ana'"),
        ({"pin": "1234"}, "has this PIN already"),
        ({"pin": "123"}, "must be 4 to 8 digits"),
        ({"pin": "123456789"}, "must be 4 to 8 digits"),
        ({"pin": "١٢٣٤"}, "must be 4 to 8 digits"),
        ({"name": " "}, "must be 1 to 60 printable characters"),
        ({"role": "boss"}, "'boss' is not one of"),
    ],
)
def test_create_refuses(app, store, options, reason):
    result = create(app, **options)
    assert result.exit_code != 0
    assert reason in result.output
    assert count(StaffMember) == 2


def test_another_store_may_have_the_same_name_and_pin(app, world, store):
    world.store("2")
    assert create(app, store="2", name="Ana", pin="1234").exit_code == 0


def test_pins_are_stored_as_argon2id(store):
    assert all(pin_hash.startswith("$argon2id$") for pin_hash in db.session.scalars(select(StaffMember.pin_hash)))


# Signing in


def test_sign_in_and_out(app, store):
    tablet = Tablet(app)
    assert tablet.get("/staff").location == tablet.get("/staff/").location == "/staff/sign-in"
    answer = tablet.sign_in()
    assert answer.location == "/staff"
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("pickup="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Rogers" in tablet.get("/staff").text
    assert tablet.post("/staff/sign-out").location == "/staff/sign-in"
    assert tablet.get("/staff").location == "/staff/sign-in"
    assert 'value="1"' in tablet.get("/staff/sign-in").text  # the tablet remembers its store


@pytest.mark.parametrize(
    ("ref", "pin"), [("1", "0000"), ("9", "1234"), ("", ""), ("1\x00", "1234"), ("1", "1234\x00"), ("1" * 500, "1")]
)
def test_unknown_store_and_wrong_pin_are_answered_alike(app, store, ref, pin):
    tablet = Tablet(app)
    answer = tablet.sign_in(ref, pin)
    assert answer.status_code == 403
    assert "Store and PIN do not belong together." in answer.text
    assert tablet.get("/staff").location == "/staff/sign-in"


def test_a_pin_opens_no_other_store(app, world, store):
    world.store("2")
    assert Tablet(app).sign_in("2", "1234").status_code == 403


def test_five_wrong_pins_lock_the_store_for_that_address(app, store):
    tablet = Tablet(app)
    assert [tablet.sign_in(pin="0000").status_code for _ in range(6)] == [403] * 5 + [429]
    assert tablet.sign_in(pin="1234").status_code == 429
    assert tablet.sign_in(pin="1234", address="10.0.0.9").status_code == 303
    with time_machine.travel(utcnow() + timedelta(minutes=31)):
        assert tablet.sign_in(pin="1234").status_code == 303


def test_guesses_at_the_same_moment_are_all_counted(app, store):
    def guess(number):
        return Tablet(app).sign_in(pin=f"{number:04}").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(guess, range(12)))
    assert statuses == [403] * 5 + [429] * 7
    assert count(SignInFailure) == 5


def test_an_ipv6_network_counts_as_one_address():
    assert sign_in.network_of("2001:db8::1") == sign_in.network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert sign_in.network_of("10.0.0.9") == "10.0.0.9"


@pytest.mark.parametrize(
    ("minutes_ago", "locked"),
    [
        ([], False),
        ([1, 2, 3, 4], False),
        ([1, 2, 3, 4, 5], True),
        ([29, 29, 29, 29, 29], True),
        ([30, 30, 30, 30, 30], False),
        ([1, 2, 3, 4, 32], False),
        ([29, 58, 58, 58, 58], True),
        ([0, 31, 32, 33, 34], False),
    ],
)
def test_lockout(minutes_ago, locked):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    failures = [now - timedelta(minutes=minutes) for minutes in minutes_ago]
    assert is_locked(failures, timedelta(minutes=30), now=now) is locked


# The session


@pytest.mark.parametrize("change", ["removed", "name", "role", "pin_hash"])
def test_who_is_changed_or_removed_is_signed_out(tablet, change):
    ana = db.session.scalars(select(StaffMember).where(StaffMember.name == "Ana")).one()
    with unit_of_work():
        if change == "removed":
            db.session.execute(delete(StaffMember).where(StaffMember.id == ana.id))
        else:
            setattr(ana, change, "manager" if change == "role" else "else")
    assert tablet.get("/staff").location == "/staff/sign-in"


def test_a_session_ends_after_twelve_hours_however_busy(app, store):
    start = utcnow()
    with time_machine.travel(start):
        tablet = Tablet(app)
        tablet.sign_in()
    with time_machine.travel(start + timedelta(hours=11, minutes=59)):
        tablet.unlock()
        assert tablet.get("/staff").status_code == 200
        tablet.hand_over(WRONG)
    with time_machine.travel(start + timedelta(hours=12, minutes=1)):
        assert tablet.get("/staff").location == "/staff/sign-in"


def test_a_forged_form_changes_nothing(tablet, world, reserved):
    for token in ("", "forged"):
        answer = tablet.post(f"/staff/orders/{reserved.id}/start-picking", csrf_token=token)
        assert answer.status_code == 403
        assert "This page was open for too long" in answer.text
    assert world.order(reserved.id).status == "reserved"


def test_pages_are_sealed(tablet):
    headers = tablet.get("/staff").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


# The store's orders


def test_the_way_over_the_counter(tablet, world, reserved):
    assert f"Order {reserved.number}" in tablet.get("/staff").text
    answer = tablet.post(f"/staff/orders/{reserved.id}/start-picking")
    assert answer.location == f"/staff#order-{reserved.number}"
    assert tablet.post(f"/staff/orders/{reserved.id}/ready").location == "/staff"
    page = tablet.hand_over(reserved.pickup_code.lower().replace("-", " "))
    assert "Hand out now" in page
    assert "Ada Example" in page
    order = world.order(reserved.id)
    assert order.status == "collected"
    assert [(step.actor_kind, step.actor_name) for step in order.history[-3:]] == [("staff", "Ana")] * 3


def test_only_ones_own_store(app, world, reserved, make_ready):
    ready = make_ready()
    world.store("2")
    create(app, store="2", name="Eve", pin="5555")
    eve = Tablet(app)
    eve.sign_in("2", "5555")
    assert str(reserved.number) not in eve.get("/staff").text
    assert eve.get(f"/staff/orders/{reserved.id}").status_code == 404
    assert eve.post(f"/staff/orders/{reserved.id}/start-picking").status_code == 404
    assert eve.post(f"/staff/orders/{ready.id}/hand-over", code=ready.pickup_code).status_code == 404
    assert f"No order here has the code {ready.pickup_code}" in eve.hand_over(ready.pickup_code)
    assert "Hand out now" not in eve.get(f"/staff?handed_over={ready.id}").text
    assert (world.order(reserved.id).status, world.order(ready.id).status) == ("reserved", "ready")


@pytest.mark.parametrize(
    "path",
    ["/staff/orders/019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f", "/staff/orders/1", "/staff/nothing", "/staff/orders/"],
)
def test_what_is_not_there_is_a_page(tablet, path):
    answer = tablet.get(path)
    assert answer.status_code == 404
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"]


def test_a_second_tap_is_answered_calmly(tablet, world, reserved):
    path = f"/staff/orders/{reserved.id}/start-picking"
    tablet.post(path)
    tablet.get("/staff")
    answer = tablet.post(path)
    assert answer.status_code == 303
    words = tablet.get("/staff").text
    assert f"Order {reserved.number} is already being picked by Ana, since " in words
    assert len(world.order(reserved.id).history) == 4


def test_a_collected_order_says_when_and_by_whom(tablet, manager, make_ready):
    order = make_ready()
    manager.hand_over(order.pickup_code)
    page = tablet.hand_over(order.pickup_code)
    assert re.search(rf"Order {order.number} is already collected at \d\d:\d\d by Max\.", page)
    assert count(UnknownCode) == 0


def test_a_code_that_is_too_early_hands_nothing_over(tablet, world, reserved):
    assert f"Order {reserved.number} is not picked yet" in tablet.hand_over(reserved.pickup_code)
    assert world.order(reserved.id).status == "reserved"


# Codes


def test_five_unknown_codes_lock_the_person_to_a_manager(tablet, manager, world, make_ready):
    order = make_ready()
    for _ in range(5):
        assert f"No order here has the code {WRONG}" in tablet.hand_over(WRONG)
    assert "A manager has to sign in" in tablet.hand_over(order.pickup_code)
    assert world.order(order.id).status == "ready"
    assert "Hand out now" in manager.hand_over(order.pickup_code)


def test_the_lock_of_a_person_ends_after_ten_minutes(tablet, make_ready):
    order = make_ready()
    for _ in range(5):
        tablet.hand_over(WRONG)
    with time_machine.travel(utcnow() + timedelta(minutes=11)):
        tablet.unlock()
        assert "Hand out now" in tablet.hand_over(order.pickup_code)


def test_wrong_codes_on_an_order_count_on_the_order(tablet, manager, world, make_ready):
    order, path = (made := make_ready()), f"/staff/orders/{made.id}/hand-over"
    assert "4 tries left" in tablet.hand_over(WRONG, path)
    for _ in range(4):
        tablet.hand_over(WRONG, path)
    assert world.order(order.id).wrong_codes == 5
    assert "A manager has to hand it over" in tablet.hand_over(order.pickup_code, path)
    assert "A manager has to hand it over" in tablet.hand_over(order.pickup_code)
    assert world.order(order.id).status == "ready"
    assert "Hand out now" in manager.hand_over(order.pickup_code, path)


@pytest.mark.parametrize("nothing", ["", "  ", "---", "\x00"])
def test_no_code_is_not_a_wrong_code(tablet, make_ready, world, nothing):
    order = make_ready()
    assert "Type the code" in tablet.hand_over(nothing)
    assert "Type the code" in tablet.hand_over(nothing, f"/staff/orders/{order.id}/hand-over")
    assert (count(UnknownCode), world.order(order.id).wrong_codes) == (0, 0)


@pytest.mark.parametrize("on_board", [True, False])
def test_the_age_is_asked_first(tablet, world, make_ready, on_board):
    order = make_ready({"A": 1, "WINE": 1})
    world.work()
    path = "/staff/hand-over" if on_board else f"/staff/orders/{order.id}/hand-over"
    question = tablet.hand_over(order.pickup_code, path)
    assert "21 or older?" in question
    assert "Age checked" in question
    assert world.order(order.id).status == "ready"
    assert count(OutboxTask) == 0
    assert "Hand out now" in tablet.hand_over(order.pickup_code, path, age_checked="yes")
    assert world.order(order.id).status == "collected"


# Refusals outside of the counter


def test_browsers_get_pages_and_programs_get_problems(app, database):
    client = app.test_client()
    assert client.get("/nothing", headers=BROWSER).content_type.startswith("text/html")
    assert client.get("/nothing").content_type == "application/problem+json"
    assert client.get("/v1/nothing", headers=BROWSER).content_type == "application/problem+json"


def test_without_a_database_a_page_asks_for_patience(services):
    from pickup.app import create_app

    app = create_app(replace(services, database_url="postgresql://127.0.0.1:1/none"))
    answer = app.test_client().get("/p/a-token-that-nobody-has", headers=BROWSER)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "One moment, please" in answer.text


def test_the_start_page_says_where_everything_is(app, database):
    text = app.test_client().get("/", headers=BROWSER).text
    for path in ("/staff", "/docs", "/v1/openapi.json", "/healthz", "/readyz", "/metrics"):
        assert f'href="{path}"' in text
