"""The page about failed work: what is shown of it, to whom, and letting it be tried again."""

from datetime import timedelta

import pytest

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import new_id
from pickup.management.secrecy import mask_addresses
from pickup.management.task_presenting import KIND_WORDS, MESSAGE_WORDS
from pickup.orders.announcing import MESSAGES
from tests.integration.managers import (
    ASSOCIATE,
    HEAD_OFFICE,
    MANAGER,
    OTHER_MANAGER,
    file_of,
    next_of,
    page,
    rows_of,
    send,
    signed_in,
    trail,
    two_stores,
)
from worker.handlers import HANDLERS


@pytest.fixture
def stores(world):
    return two_stores(world)


@pytest.fixture
def order(world, shop, stores):
    world.stock(stores[0], world.product("A"), 5)
    return world.place(shop, {"A": 1})


@pytest.fixture
def manager(app, stores):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, stores):
    return signed_in(app, HEAD_OFFICE)


def failed(event_type, subject, handler, *, error="smtp said no", times=1, data=None):
    """A task that has failed some times; its id."""
    with unit_of_work():
        outbox.emit(event_type, {subject: data or {}}, at=utcnow())
    task_id = db.session.query(OutboxTask.id).filter_by(handler=handler, subject_id=subject).scalar()
    for _ in range(times):
        with unit_of_work():
            outbox.postpone([task_id], error=error, now=utcnow())
    return task_id


def give_up(task_id):
    with unit_of_work():
        task = db.session.get(OutboxTask, task_id, populate_existing=True)
        task.attempts, task.dead_at = outbox.ATTEMPTS_MAX, utcnow()


def task(task_id):
    db.session.rollback()
    return db.session.get(OutboxTask, task_id, populate_existing=True)


def test_every_handler_and_every_message_has_words():
    assert KIND_WORDS.keys() == HANDLERS.keys()
    assert MESSAGE_WORDS.keys() == set(MESSAGES.values())


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("550 <ada@example.com>: no such user", "550 <a…@example.com>: no such user"),
        ("ada@example.com, bob.b+x@mail.example.org", "a…@example.com, b…@mail.example.org"),
        ("nobody here", "nobody here"),
    ],
)
def test_of_a_mail_address_no_more_is_shown_than_has_to_be(words, masked):
    assert mask_addresses(words) == masked


def test_what_failed_is_shown_in_words(manager, order):
    failed("order.ready", order.id, "notify_customer", error="550 ada@example.com: no such user", times=2)

    html = page(manager, "/admin/tasks")

    (row,) = rows_of(html, "Failed work")
    assert "Tell the customer the order is ready, a…@example.com 550 a…@example.com: no such user" in row
    assert f"{order.number} Rogers 1 2 since" in row
    assert "ada@example.com" not in html
    assert rows_of(html, "Table of kinds") == ["Tell the customer 1 0 Try all again now : Tell the customer"]


def test_work_that_has_not_failed_is_not_shown(manager, order):
    assert "Nothing has failed that is not done by now." in page(manager, "/admin/tasks")
    assert db.session.query(OutboxTask).count() == 1


def test_a_manager_sees_what_concerns_their_store_and_head_office_all(app, manager, head_office, order, stores):
    of_order = failed("order.ready", order.id, "notify_customer")
    of_store = failed("stock.short", new_id(), "cover_shortages", data={"store_id": stores[1].id, "product_ids": [1]})
    other = signed_in(app, OTHER_MANAGER, "2")

    assert len(rows_of(page(head_office, "/admin/tasks"), "Failed work")) == 2
    assert len(rows_of(page(manager, "/admin/tasks"), "Failed work")) == 1
    (row,) = rows_of(page(other, "/admin/tasks"), "Failed work")
    assert "Find other goods" in row
    assert len(rows_of(page(head_office, "/admin/tasks?kind=cover_shortages"), "Failed work")) == 1
    page(signed_in(app, ASSOCIATE), "/admin/tasks", 403)
    assert manager.post(f"/admin/tasks/{of_store}/try-again").status_code == 404
    assert other.post(f"/admin/tasks/{of_order}/try-again").status_code == 404
    assert task(of_order).due_at > utcnow() - timedelta(hours=1)
    assert trail() == []


def test_one_is_tried_again_at_once_and_goes_on_where_it_was(manager, order, stores):
    one = failed("order.ready", order.id, "notify_customer", times=9)
    assert task(one).due_at > utcnow() + timedelta(minutes=2)
    page(manager, "/admin/tasks")

    html = send(manager, f"/admin/tasks/{one}/try-again")

    assert "It is tried again now." in html
    assert task(one).due_at <= utcnow()
    assert task(one).attempts == 9
    assert trail() == [("Max", "try_task_again", stores[0].id, {"kind": "notify_customer"})]


def test_what_was_given_up_gets_new_attempts(manager, order):
    one = failed("order.ready", order.id, "notify_customer")
    give_up(one)
    assert "given up" in rows_of(page(manager, "/admin/tasks"), "Failed work")[0]

    send(manager, f"/admin/tasks/{one}/try-again")

    assert (task(one).dead_at, task(one).attempts) == (None, 0)
    assert [leased.id for leased in outbox.lease(["notify_customer"], now=utcnow(), lease_seconds=9, limit=9)] == [one]


def test_what_a_worker_has_in_hand_is_left_alone(manager, order):
    one = failed("order.ready", order.id, "notify_customer", times=3)
    with unit_of_work():
        outbox.lease(["notify_customer"], now=utcnow() + timedelta(hours=1), lease_seconds=300, limit=9)
    due_at = task(one).due_at
    assert "at work" in rows_of(page(manager, "/admin/tasks"), "Failed work")[0]

    assert "A worker has it in hand" in send(manager, f"/admin/tasks/{one}/try-again")

    assert task(one).due_at == due_at


def test_all_of_a_kind_are_tried_again_within_the_store(manager, order, stores):
    mine = [failed(event, order.id, "notify_customer", times=8) for event in ("order.ready",)]
    with unit_of_work():
        outbox.emit("order.collected", {order.id: {}}, at=utcnow())
    mail, money = (
        db.session.query(OutboxTask.id)
        .filter_by(handler=handler, subject_id=order.id)
        .order_by(OutboxTask.id.desc())
        .first()[0]
        for handler in ("notify_customer", "settle_payment")
    )
    for each in (mail, money):
        for _ in range(8):
            with unit_of_work():
                outbox.postpone([each], error="no", now=utcnow())
    others = failed("order.ready", new_id(), "notify_customer", times=8)
    page(manager, "/admin/tasks")

    html = send(manager, "/admin/tasks/try-again", kind="notify_customer")

    assert "2 are tried again now: tell the customer." in html
    now = utcnow()
    assert [task(each).due_at <= now for each in (*mine, mail, money, others)] == [True, True, False, False]
    assert trail() == [("Max", "try_tasks_again", stores[0].id, {"kind": "notify_customer", "tasks": 2})]
    assert manager.post("/admin/tasks/try-again", kind="anything").status_code == 404


def test_what_is_done_meanwhile_is_not_found(manager, order):
    one = failed("order.ready", order.id, "notify_customer")
    page(manager, "/admin/tasks")
    with unit_of_work():
        outbox.complete(outbox.claim([one]))

    assert manager.post(f"/admin/tasks/{one}/try-again").status_code == 404


def test_the_list_comes_in_pages_and_whole_as_a_file(head_office, order):
    with unit_of_work():
        outbox.emit("order.ready", {new_id(): {} for _ in range(30)}, at=utcnow())
    ids = [id_ for (id_,) in db.session.query(OutboxTask.id).filter_by(handler="notify_customer")]
    with unit_of_work():
        outbox.postpone(ids, error="=cmd", now=utcnow())

    first = page(head_office, "/admin/tasks")
    second = page(head_office, next_of(first))
    rows = file_of(head_office, "/admin/tasks?format=csv")

    assert (len(rows_of(first, "Failed work")), len(rows_of(second, "Failed work"))) == (25, 5)
    assert [int(row["id"]) for row in rows] == sorted(ids)
    assert (rows[0]["kind"], rows[0]["failures"], rows[0]["error"]) == ("notify_customer", "1", "'=cmd")
