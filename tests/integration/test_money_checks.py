"""The books of the money compared: each kind of a difference is found, told once, and only where it stays one."""

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from pickup.core import outbox
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.types import Actor, Money, new_id
from pickup.orders import money_checks, queries, service
from pickup.payments import checking, reconciliation
from pickup.payments import service as payments
from pickup.payments.differences import TO_DO
from pickup.payments.gateway import Charge, GatewayUnreachable
from pickup.payments.models import MoneyCheck, Payment
from pickup.payments.queries import payment_of

ANA = Actor("staff", "Ana")
EIGHT_DAYS = timedelta(days=8)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr(reconciliation.time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 50)
    return made


@pytest.fixture
def open_order(world, shop, store):
    order = world.place(shop, {"A": 2})
    world.work()
    return world.order(order.id)


@pytest.fixture
def collected(world, open_order):
    with unit_of_work():
        order = queries.lock_order(open_order.id)
        service.start_picking(order, actor=ANA, now=utcnow())
        service.mark_ready(order, actor=ANA, now=utcnow())
        service.hand_over(order, order.pickup_code, actor=ANA, is_manager=False, now=utcnow())
    world.work()
    return world.order(open_order.id)


@pytest.fixture
def cancelled(world, open_order):
    with unit_of_work():
        service.cancel(queries.lock_order(open_order.id), actor=ANA, reason="staff", now=utcnow())
    world.work()
    return world.order(open_order.id)


def execute(sql, **values):
    with unit_of_work():
        db.session.execute(text(sql), values)


def found(ago=EIGHT_DAYS):
    now = utcnow()
    return list(money_checks.differences(now - ago, now=now))


def kinds(**values):
    return [difference.kind for difference in found(**values)]


def reconcile(database, *options):
    answer = database.test_cli_runner().invoke(args=["payments", "reconcile", *options])
    return answer.exit_code, answer.output.splitlines()


def age(payment_id, days):
    """As if the payment had been opened so long ago."""
    at = utcnow() - timedelta(days=days)
    older = uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | (payment_id.int & (1 << 80) - 1))
    for table, column in (("payments", "id"), ("payment_entries", "payment_id"), ("sandbox_charges", "key")):
        execute(f"UPDATE {table} SET {column} = :new WHERE {column} = :old", new=older, old=payment_id)
    execute(
        "UPDATE payments SET created_at = :at, gateway_reference = :reference WHERE id = :id",
        at=at,
        id=older,
        reference=f"sandbox_{older.hex}",
    )
    return older


def test_a_day_without_anything(database):
    assert reconcile(database) == (0, ["checked 0 payments, 0 differences"])


def test_books_that_agree(database, open_order, no_pause):
    assert reconcile(database) == (0, ["checked 1 payments, 0 differences"])
    assert no_pause == [], "nothing to look at twice"


LEDGER = {
    "a lost entry": "DELETE FROM payment_entries WHERE kind = 'capture'",
    "an entry too many": "INSERT INTO payment_entries (payment_id, kind, amount, at)"
    " SELECT id, 'refund', 1, now() FROM payments",
    "an entry changed": "UPDATE payment_entries SET amount = amount - 1 WHERE kind = 'capture'",
}


@pytest.mark.parametrize("sql", LEDGER.values(), ids=LEDGER)
def test_a_ledger_that_does_not_make_the_payment(collected, sql):
    execute(sql)

    assert kinds() == ["not_its_entries"]


ROWS = {
    "captured by one less": ("captured = captured - 1", ["not_its_entries", "gateway_is_ahead", "not_taken"]),
    "asked for one more": ("amount = amount + 1", ["status_does_not_fit"]),
    "never captured": ("status = 'authorised'", ["status_does_not_fit", "gateway_is_ahead"]),
    "refunded": ("status = 'refunded'", ["status_does_not_fit", "gateway_contradicts"]),
    "another currency": ("currency = 'EUR'", ["gateway_contradicts"]),
    "another reference": ("gateway_reference = 'x'", ["unknown_to_us"]),
}


@pytest.mark.parametrize(("change", "expected"), ROWS.values(), ids=ROWS)
def test_a_payment_changed_by_hand(collected, change, expected):
    execute("UPDATE orders SET changed_at = changed_at - interval '6 minutes'")
    execute(f"UPDATE payments SET {change}")

    assert kinds() == expected


def test_a_payment_whose_row_is_gone(database, collected):
    payment = payment_of(collected.id)
    execute("DELETE FROM payments")

    code, lines = reconcile(database)

    assert code == 1
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        [f"order none, payment {payment.id}", "not its entries"],
        [f"order none, payment {payment.id}", "unknown to us"],
        [f"order {collected.number}, payment none", "no payment"],
    ]
    assert lines[-1] == "checked 0 payments, 3 differences"


def test_what_a_line_says(collected):
    payment = payment_of(collected.id)
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment), new_id(), 100)

    (difference,) = found()

    assert str(difference) == (
        f"order {collected.number}, payment {payment.id}: gateway is ahead: "
        "ours says captured (authorised 7.18, captured 7.18 USD); "
        "sandbox says partially_refunded (authorised 7.18, captured 7.18, refunded 1.00 USD)"
        f" → {TO_DO['gateway_is_ahead']}"
    )


def test_what_is_mended_is_written_down_and_follows_its_way(database, world, collected):
    """Given back by hand: our books get the refund, and then it shows that this is not all paid any more."""
    payment = payment_of(collected.id)
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment), new_id(), 100)

    code, (first, last) = reconcile(database, "--mend")

    assert (code, last) == (0, "checked 1 payments, 0 differences")
    assert first.startswith(f"mended: order {collected.number}, payment {payment.id}: gateway is ahead")
    assert payment_of(collected.id).refunded == 100
    assert reconcile(database) == (0, ["checked 1 payments, 0 differences"])

    world.work()
    execute("UPDATE orders SET changed_at = changed_at - interval '6 minutes'")
    assert kinds() == ["not_taken"]
    assert payment_of(collected.id).problem == "not_paid"

    in_transaction(lambda: payments.write_off(payment.id, 100, "Ana: the milk was sour", now=utcnow()))
    assert kinds() == []


def test_what_the_gateway_never_heard_of_and_what_we_never_asked_for(collected):
    execute("DELETE FROM sandbox_charges")
    strange = Charge(new_id(), "tok_ok", Money(500, "USD"), utcnow())
    payments.GATEWAYS["sandbox"].authorise(strange)

    unknown_there, unknown_here = found()

    assert (unknown_there.kind, unknown_there.order_id) == ("unknown_to_gateway", collected.id)
    assert (unknown_here.kind, unknown_here.payment_id) == ("unknown_to_us", strange.key)
    assert "authorised 5.00 USD" in str(unknown_here)


def test_what_never_moved_any_money_is_nobody_elses_business(collected):
    for token in ("tok_declined", "tok_ok"):
        charge = Charge(new_id(), token, Money(500, "USD"), utcnow())
        gateway = payments.GATEWAYS["sandbox"]
        gateway.authorise(charge) if token == "tok_declined" else gateway.release(charge)

    assert kinds() == []


ORDERS = {
    "no worker took the money": ("collected", "6 minutes", "not_taken"),
    "no worker gave it back": ("cancelled", "0", "still_held"),
    "nobody took back the goods": ("expired", "0", "still_held"),
}


@pytest.mark.parametrize(("status", "ago", "kind"), ORDERS.values(), ids=ORDERS)
def test_an_order_has_ended_and_its_money_did_not_follow(database, world, open_order, status, ago, kind):
    """The task was lost; `--mend` makes another one."""
    reason = "'staff'" if status == "cancelled" else "NULL"
    execute(
        f"UPDATE orders SET status = :status, reason = {reason}, changed_at = now() - (:ago)::interval",
        status=status,
        ago=ago,
    )
    assert kinds() == [kind]

    code, lines = reconcile(database, "--mend")
    assert (code, lines[-1]) == (1, "checked 1 payments, 1 differences")
    assert kinds() == [], "a worker is about to settle it"

    world.work()
    assert kinds() == []
    payment = payment_of(open_order.id)
    assert (payment.captured, payment.voided) == ((718, 0) if status == "collected" else (0, 718))


def test_what_was_handed_over_just_now_may_take_a_moment(open_order):
    execute("UPDATE orders SET status = 'collected', changed_at = now() - interval '4 minutes'")

    assert kinds() == []


def test_kept_although_the_order_came_to_nothing(collected):
    execute("UPDATE orders SET status = 'cancelled', reason = 'staff'")

    assert kinds() == ["kept_too_much"]


def test_kept_although_it_came_back(collected):
    execute("UPDATE order_lines SET returned = 1")
    execute("UPDATE orders SET returned_amount = 359, changed_at = changed_at - interval '20 days'")
    execute(
        "INSERT INTO returns (id, order_id, at, actor_kind, actor_name, is_restocked, amount)"
        " SELECT gen_random_uuid(), id, now(), 'staff', 'Ana', true, 359 FROM orders"
    )

    (difference,) = found()

    assert difference.kind == "kept_too_much"
    assert "collected (due 3.59 USD); its payment has kept 7.18 USD" in str(difference)


def test_what_a_manager_has_settled_otherwise_is_settled(collected):
    """Taken back and paid in cash, because the gateway refused the way back."""
    execute("UPDATE order_lines SET returned = 1")
    execute("UPDATE orders SET returned_amount = 359")
    assert kinds() == ["kept_too_much"]

    payment = payment_of(collected.id)
    in_transaction(lambda: payments.write_off(payment.id, 359, "Ana (refund_refused): in cash", now=utcnow()))
    assert kinds() == []


def test_what_a_manager_has_let_lapse_is_settled(open_order):
    execute("UPDATE orders SET status = 'cancelled', reason = 'staff'")
    payment = payment_of(open_order.id)
    in_transaction(lambda: payments.write_off(payment.id, 0, "Ana (release_refused): it lapses", now=utcnow()))

    assert kinds() == []


def test_what_the_bank_has_not_decided_yet_is_no_difference(world, shop, store, monkeypatch):
    world.place(shop, {"A": 1}, token="tok_needs_action")

    def view(self, charge):
        raise GatewayUnreachable("nobody has decided yet")

    sandbox = type(payments.GATEWAYS["sandbox"])
    monkeypatch.setattr(sandbox, "charges", lambda *_: iter(()))
    monkeypatch.setattr(sandbox, "view", view)
    assert kinds() == []

    execute("UPDATE payments SET status = 'authorised', authorised = amount")
    with pytest.raises(GatewayUnreachable):
        kinds()


LINES = {
    "a line that costs less": "UPDATE order_lines SET unit_amount = unit_amount - 1",
    "a line that was not found": "UPDATE order_lines SET short = 1",
    "a line too few": "DELETE FROM order_lines",
    "another total": "UPDATE orders SET total_amount = 719",
    "a total that is lower since the handover": "UPDATE orders SET total_amount = 618",
    "a line that is cheaper since the handover": "UPDATE order_lines SET reduced_to = 300",
    "a reduction that no line has": "UPDATE orders SET reduced_amount = 100",
    "a return that no line has": "UPDATE orders SET returned_amount = 359",
    "a line that came back and is not paid back": "UPDATE order_lines SET returned = 1",
}


@pytest.mark.parametrize("state", ["open_order", "collected", "cancelled"])
@pytest.mark.parametrize("sql", LINES.values(), ids=LINES)
def test_an_order_that_its_lines_do_not_make(request, state, sql):
    request.getfixturevalue(state)
    execute(sql)

    assert kinds() == ["not_its_lines"]


def test_what_the_lines_make_is_told(collected):
    execute("UPDATE order_lines SET reduced_to = 300")
    execute("UPDATE orders SET reduced_amount = 118")

    (difference,) = found()

    assert "the order is collected (total 7.18, reduced 1.18 USD); its lines make total 6.00, reduced 1.18 USD" in str(
        difference
    )


def test_an_open_order_without_a_hold(open_order):
    payment = payment_of(open_order.id)
    payments.GATEWAYS["sandbox"].release(payments.charge_of(payment))
    execute("UPDATE payments SET voided = authorised, status = 'voided'")
    execute(
        "INSERT INTO payment_entries (payment_id, kind, amount, at) VALUES (:id, 'void', 718, now())", id=payment.id
    )

    assert kinds() == ["not_covered"]


def test_an_order_that_is_paid_and_waits_for_payment(open_order):
    execute("UPDATE orders SET status = 'awaiting_payment'")

    assert kinds() == ["not_placed"]


def test_an_order_that_ended_and_nobody_knows_of_its_money(database, world, shop, store):
    order = world.place(shop, {"A": 1}, token="tok_needs_action")
    execute("UPDATE orders SET status = 'cancelled', reason = 'payment_failed'")
    assert kinds() == ["outcome_unknown"]

    assert reconcile(database, "--mend")[0] == 1
    world.work()
    assert (kinds(), payment_of(order.id).status) == ([], "voided")


def test_a_hold_that_was_renewed_is_not_kept_beside_the_new_one(open_order):
    execute("UPDATE payments SET is_current = false")
    execute(
        """
        INSERT INTO payments (id, order_id, method, token, status, amount, currency, created_at)
        SELECT :id, order_id, method, token, 'pending', amount, currency, created_at FROM payments
    """,
        id=new_id(),
    )

    assert kinds() == ["still_held"]


def test_a_pending_payment_is_in_somebodys_hands_for_a_minute(open_order):
    execute("DELETE FROM payment_entries")
    execute("UPDATE payments SET status = 'pending', authorised = 0, gateway_reference = NULL")
    execute("UPDATE orders SET status = 'awaiting_payment'")
    assert kinds() == []

    execute("UPDATE payments SET created_at = created_at - interval '2 minutes'")
    assert kinds() == ["gateway_is_ahead"]


def test_what_a_worker_is_about_to_settle_is_no_difference_but_what_it_gave_up_is(collected):
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment_of(collected.id)), new_id(), 100)
    with unit_of_work():
        outbox.emit("payment.unsettled", {collected.id: {}}, at=utcnow())
    assert kinds() == []

    execute("UPDATE outbox_tasks SET dead_at = now()")
    assert kinds() == ["gateway_is_ahead"]


def test_a_mail_that_is_not_sent_yet_hides_nothing(collected):
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment_of(collected.id)), new_id(), 100)
    with unit_of_work():
        outbox.emit("order.reserved", {collected.id: {}}, at=utcnow())

    assert kinds() == ["gateway_is_ahead"]


def test_what_is_right_at_the_second_look_is_no_difference(collected, monkeypatch):
    """The gateway moved while we read, and what it said was written down a moment later."""
    payment = payment_of(collected.id)
    view = payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment), new_id(), 100)

    def write_down(_):
        with unit_of_work():
            reconciliation.service.record(payment.id, view, now=utcnow())

    monkeypatch.setattr(reconciliation.time, "sleep", write_down)

    assert kinds() == []


def test_old_and_over_is_looked_at_only_on_demand_and_old_and_open_always(database, collected):
    payment_id = age(payment_of(collected.id).id, days=30)
    execute("UPDATE orders SET changed_at = now() - interval '30 days'")
    payments.GATEWAYS["sandbox"].refund(payments.charge_of(payment_of(collected.id)), new_id(), 100)
    assert kinds() == []
    assert kinds(ago=timedelta(days=31)) == ["gateway_is_ahead"]
    assert reconcile(database, "--since", rfc3339(utcnow() - timedelta(days=31)))[0] == 1

    with unit_of_work():
        payments.put_before_manager(payment_id, "refund_refused", now=utcnow())
    assert kinds() == ["gateway_is_ahead"]


def test_the_command_wants_a_time(database):
    code, lines = reconcile(database, "--since", "2026-03-01")

    assert code == 2
    assert "offset" in lines[-1]
    assert reconcile(database, "--since", "0001-01-01T00:00:00Z")[0] == 0


@pytest.fixture
def no_gateway(monkeypatch):
    def charges(self, since, until):
        raise GatewayUnreachable("it does not answer")

    monkeypatch.setattr(type(payments.GATEWAYS["sandbox"]), "charges", charges)


def test_without_the_gateway_nothing_is_proven(database, open_order, no_gateway):
    code, lines = reconcile(database)

    assert code == 2
    assert "nothing is proven" in lines[-1]
    assert "differences" not in " ".join(lines)


def metrics(database):
    told = database.test_client().get("/metrics").text
    gauges = re.findall(r"^(pickup_payments?_(?!declined)\w+) (\S+)$", told, re.MULTILINE)
    return {name: float(value) for name, value in gauges}


class TestByTheClock:
    def test_what_it_finds_is_kept_and_shown(self, database, collected):
        assert "pickup_payment_differences" not in metrics(database)
        execute("DELETE FROM payment_entries WHERE kind = 'capture'")
        with unit_of_work():
            payments.put_before_manager(payment_of(collected.id).id, "not_paid", now=utcnow())
        now = utcnow()

        assert money_checks.check_money(now) == 1

        (check,) = db.session.query(MoneyCheck)
        assert (check.at, check.payments, check.differences) == (now, 1, 1)
        assert check.first[0]["line"].startswith(f"order {collected.number}, payment ")
        assert metrics(database) == {
            "pickup_payment_differences": 1,
            "pickup_payments_checked": 1,
            "pickup_payment_check_timestamp_seconds": now.timestamp(),
            "pickup_payments_with_problem": 1,
            "pickup_payments_pending": 0,
        }

    def test_once_a_day(self, collected):
        now = utcnow()
        for hours in (0, 1, 23, 24, 25):
            money_checks.check_money(now + timedelta(hours=hours))

        assert [check.at - now for check in db.session.query(MoneyCheck)] == [timedelta(0), timedelta(hours=24)]

    def test_one_at_a_time(self, collected):
        with checking.turn(utcnow()) as is_due:
            assert is_due
            assert money_checks.check_money(utcnow()) == 0
        assert db.session.query(MoneyCheck).count() == 0

        money_checks.check_money(utcnow())
        assert db.session.query(MoneyCheck).count() == 1

    def test_without_the_gateway_it_fails_and_says_nothing(self, database, collected, no_gateway):
        with pytest.raises(GatewayUnreachable):
            money_checks.check_money(utcnow())

        assert "pickup_payment_differences" not in metrics(database)

    def test_old_checks_go(self, collected):
        now = utcnow()
        for days in (0, 91):
            money_checks.check_money(now + timedelta(days=days))

        assert db.session.query(MoneyCheck).count() == 1


def test_nothing_is_left_behind_in_the_pool(database, open_order):
    found()
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT to_regclass('pg_temp.listed')")).scalar() is None
    assert db.session.query(Payment).count() == 1
