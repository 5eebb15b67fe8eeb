"""No order is ever lost: everything that `make run` starts is killed, again and again, while orders flow.

What must hold afterwards: every order that the shop got is there once and has come to one end; what any of its messages
had to do was done once; the shop heard of it all by webhook; the books agree; and nothing is left running in the end.

`CHAOS_POINTS` says at how many points the relay, the workers, the web processes and PostgreSQL are killed, each.
"""

import csv
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import redis

from pickup.webhooks.event_types import PUBLIC
from tests.chaos.blows import ORDERS_A_BLOW, SEED, VICTIMS, Blow, schedule, strike
from tests.chaos.good_shop import STORES, GoodShop, wanted
from tests.chaos.good_staff import GoodStaff
from tests.chaos.small_chain import PLENTY, small_chain
from tests.mailbox import Mailbox
from tests.receiver import Receiver, receiving
from tests.system import System, until
from worker.handlers import QUEUES

POINTS = int(os.environ.get("CHAOS_POINTS", "3"))
SCHEDULE = schedule(POINTS)
# The orders of the schedule, and some for a worker that is halted.
ORDERS = ORDERS_A_BLOW * len(SCHEDULE) + 20
ENDS = {"called off": "cancelled"}
# What need not be said any more, where something newer has happened before it was said.
OVERTAKEN = {"choice", "confirmed", "moved", "ready"}
# RQ moves a job there when a worker takes it.
TAKEN = "rq:queue:reservations:intermediate"
BACK_SECONDS = 120.0
SETTLED_SECONDS = 120.0

pytestmark = pytest.mark.timeout(360 + 90 * POINTS)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """A mail server that keeps every copy of every mail."""
    kept = Mailbox()
    yield kept
    kept.stop()


@pytest.fixture(scope="module")
def system(tmp_path_factory, mailbox) -> Iterator[System]:
    """The real thing, with a small chain in it."""
    folder = tmp_path_factory.mktemp("chaos")
    started = System(folder / "home", environment={"PICKUP_SMTP_URL": mailbox.start()})
    started.home.mkdir()
    started.start()
    try:
        for kind, rows in small_chain(ORDERS).items():
            path = folder / f"{kind}.csv"
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(rows)
            done = started.flask("import", kind, str(path))
            assert done.returncode == 0, done.stderr
        yield started
    finally:
        if started.is_running:
            started.stop()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Receiver]:
    """Where the shop has sent what happens."""
    with receiving() as hears:
        yield hears


@pytest.fixture(scope="module")
def shop(system, endpoint) -> GoodShop:
    key = system.flask("client", "create", "a good shop", "--scope", "shop").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert system.call("POST", "/v1/webhook-endpoints", {"url": endpoint.url}, headers).status == 201
    return GoodShop(system, key)


@pytest.fixture(scope="module")
def staff(system) -> Iterator[GoodStaff]:
    people = GoodStaff(system.settings)
    people.start()
    yield people
    people.stop()


def strike_while_orders_flow(blow: Blow, system, shop, mailbox):
    """Send some orders; when that has become of one of them which the blow waits for, strike."""
    baskets = [shop.send() for _ in range(blow.after_orders)]
    if blow.moment != "sent":
        until(lambda: baskets[-1].answer, within=BACK_SECONDS, what=f"an answer before {blow.what}")
    if blow.moment == "confirmed" and baskets[-1].life != "called off":
        until(lambda: mails_to(mailbox, baskets[-1]), within=BACK_SECONDS, what=f"a mail before {blow.what}")

    until(lambda: strike(blow.what, system, mailbox), within=BACK_SECONDS, what=f"{blow.what} at work")

    for _ in range(blow.after_orders, ORDERS_A_BLOW):
        shop.send()


def errors_of(system):
    return "\n".join(line for line in system.log().splitlines() if '"level": "error"' in line)


def mails_to(mailbox, basket):
    return [str(mail["Subject"]) for mail in list(mailbox.mails) if mail["To"] == basket.email]


def test_every_process_may_be_killed_at_any_point(system, shop, staff, mailbox):
    for blow in SCHEDULE:
        strike_while_orders_flow(blow, system, shop, mailbox)
    shop.wait()

    assert {basket.answer.status for basket in shop.baskets} == {201}
    assert shop.answers.keys() <= {0, 200, 201, 409, 503}, f"and no answer was a fault of ours: {errors_of(system)}"
    assert {basket.calling_off.json["status"] for basket in called_off(shop)} == {"cancelled"}


def test_what_a_halted_worker_held_is_done_by_another_and_once(system, shop, quiet):
    """It is halted with a job in its hands, begins after the job's lease, and finds nothing to do."""
    with system.queue() as queue:
        until(lambda: waiting_workers(queue) == len(QUEUES), within=BACK_SECONDS, what="workers without work")
        queue.delete(TAKEN)  # by those who were killed
        with halted_worker_of_reservations(system):
            # Redis gives the job to whoever waits for one, halted or not.
            baskets = send_and_wait_for_answers(shop, 6)
            until(lambda: queue.llen(TAKEN), within=BACK_SECONDS, what="a job in the hands of the halted worker")
            with system.one_more("worker.work reservations"):
                until(lambda: are_decided(system, baskets), within=SETTLED_SECONDS, what="reservations by another")
        until(lambda: waiting_workers(queue) == len(QUEUES), within=BACK_SECONDS, what="the end of the late job")


def test_what_a_worker_was_halted_in_the_midst_of_is_done_by_another_and_once(system, shop, quiet):
    """It is halted in a transaction, which the database ends (as it does after a minute), and goes on too late."""
    with system.connected() as other, ExitStack() as stack:
        with other.transaction():
            other.execute("SELECT FROM stock_levels FOR UPDATE")
            baskets = send_and_wait_for_answers(shop, 6)
            until(lambda: waiting_for(system, other), within=BACK_SECONDS, what="a reservation that waits for a lock")
            stack.enter_context(halted_worker_of_reservations(system))
            sessions = waiting_for(system, other)
        for session in sessions:
            other.execute("SELECT pg_terminate_backend(%s)", session)
        with system.one_more("worker.work reservations"):
            until(lambda: are_decided(system, baskets), within=SETTLED_SECONDS, what="reservations by another")

    assert sessions, "it was halted in a transaction"
    baskets = send_and_wait_for_answers(shop, 6)
    until(lambda: are_decided(system, baskets), within=SETTLED_SECONDS, what="reservations by the first again")


@pytest.fixture
def quiet(system, staff) -> Iterator[None]:
    """Nothing is left to do from before, and nobody works on orders that are reserved."""
    until(lambda: nothing_is_left_to_do(system), within=SETTLED_SECONDS, what="an empty outbox")
    staff.pause()
    yield
    staff.go_on()


@contextmanager
def halted_worker_of_reservations(system) -> Iterator[None]:
    (worker,) = VICTIMS["the worker of reservations"](system)
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


def send_and_wait_for_answers(shop, count):
    baskets = [shop.send() for _ in range(count)]
    shop.wait()
    return baskets


def waiting_workers(queue: redis.Redis) -> int:
    return int(queue.info("clients")["blocked_clients"])


def are_decided(system, baskets):
    rows = system.select("SELECT id FROM orders WHERE status = 'placed'")
    return not {basket.id for basket in baskets} & {str(order_id) for (order_id,) in rows}


def waiting_for(system, connection):
    """The sessions that wait for a lock of that connection."""
    holder = connection.info.backend_pid
    return system.select(f"SELECT pid FROM pg_stat_activity WHERE {holder} = ANY (pg_blocking_pids(pid))")


def nothing_is_left_to_do(system):
    return system.select("SELECT count(*) FROM outbox_tasks") == [(0,)]


def called_off(shop):
    return [basket for basket in shop.baskets if basket.life == "called off"]


def end_of(basket):
    return ENDS.get(basket.life, "collected")


def test_every_order_comes_to_its_one_end(system, shop, staff):
    expected = {basket.id: end_of(basket) for basket in shop.baskets}

    def all_have_ended():
        return {order["id"]: order["status"] for order in shop.orders()} == expected

    until(all_have_ended, within=SETTLED_SECONDS, what="an end of every order")
    until(lambda: nothing_is_left_to_do(system), within=SETTLED_SECONDS, what="an empty outbox")
    assert staff.faults == []
    ends = system.select("SELECT order_id, to_status FROM order_history WHERE to_status IN ('collected', 'cancelled')")
    assert sorted((str(order_id), status) for order_id, status in ends) == sorted(expected.items())
    after = "SELECT count(*) FROM order_history WHERE from_status IN ('collected', 'cancelled', 'expired')"
    assert system.select(after) == [(0,)], "and nothing happened to it afterwards"


def test_the_stories_that_were_to_be_told_happened(system, shop):
    """Otherwise there would be less proven here than it says."""
    steps = Counter(action for (action,) in system.select("SELECT action FROM order_history"))
    lives = Counter(basket.life for basket in shop.baskets)

    assert steps["send_for"] >= lives["sent for"]
    assert steps["receive"] >= lives["sent for"]
    assert steps["short_pick"] == lives["found in part"] + lives["found elsewhere"]
    assert steps["withdraw"] == steps["reroute"] == lives["found elsewhere"]


def test_whoever_asks_again_gets_the_answer_they_got(shop):
    assert [shop.order(basket) for basket in shop.baskets] == [basket.answer for basket in shop.baskets]


def test_every_event_happened_once(system, shop):
    of_each_order = Counter(
        (str(order_id), kind) for order_id, kind in system.select("SELECT subject_id, type FROM events")
    )

    for basket in shop.baskets:
        assert of_each_order[basket.id, "order.placed"] == 1
        assert of_each_order[basket.id, f"order.{end_of(basket)}"] == 1
        if basket.life != "called off":
            promises = 2 if basket.life in ("found elsewhere", "sent for") else 1
            assert of_each_order[basket.id, "order.reserved"] == promises, basket
            assert of_each_order[basket.id, "order.ready"] == 1


def test_the_shop_heard_of_every_event_once_and_in_its_order(system, endpoint):
    """Once, for whoever goes by `webhook-id`. A killed sender costs a minute."""
    waiting = "SELECT count(*) FROM webhook_deliveries WHERE done_at IS NULL"
    until(lambda: system.select(waiting) == [(0,)], within=SETTLED_SECONDS, what="the last webhook")
    public = ", ".join(f"'{each}'" for each in PUBLIC)
    events = system.select(
        f"SELECT id, subject_id FROM events WHERE type IN ({public}) AND subject_id IN (SELECT id FROM orders)"
    )
    order_of = {event_id: str(order_id) for event_id, order_id in events}
    heard: dict[str, list[int]] = {}
    for event_id in dict.fromkeys(endpoint.taken):
        if event_id in order_of:
            heard.setdefault(order_of[event_id], []).append(event_id)

    happened: dict[str, list[int]] = {}
    for event_id in sorted(order_of):
        happened.setdefault(order_of[event_id], []).append(event_id)
    assert heard == happened


def test_every_order_s_goods_were_reserved_once(system, shop):
    rows = system.select(
        "SELECT order_id, sku, sum(reserved_change)::int FROM stock_movements JOIN products ON products.id = product_id"
        " WHERE kind = 'reservation' GROUP BY order_id, sku"
    )
    reserved = {(str(order_id), sku): units for order_id, sku, units in rows}

    for basket in shop.baskets:
        times = {"found elsewhere": {2}, "called off": {0, 1}}.get(basket.life, {1})
        for sku, units in wanted(basket.number).items():
            assert reserved.get((basket.id, sku), 0) in {units * each for each in times}, (basket, sku)


def test_what_was_collected_has_left_the_shelves_and_nothing_else(system, shop):
    collected = Counter()
    for basket in shop.baskets:
        if end_of(basket) == "collected":
            collected.update(wanted(basket.number))
    rows = system.select(
        "SELECT sku, sum(on_hand)::int, sum(reserved)::int FROM stock_levels JOIN products ON products.id = product_id"
        " GROUP BY sku"
    )
    left = {sku: on_hand for sku, on_hand, _ in rows if not sku.startswith("RARE")}

    assert left == {sku: PLENTY * (1 if sku.startswith("ONLY") else STORES) - collected[sku] for sku in left}
    assert {reserved for _, _, reserved in rows} == {0}


def test_every_payment_was_settled_once(system, shop):
    charges = dict(system.select("SELECT status, count(*) FROM sandbox_charges GROUP BY status"))
    twice = system.select("SELECT payment_id, kind FROM payment_entries GROUP BY payment_id, kind HAVING count(*) > 1")

    assert charges == {"captured": len(shop.baskets) - len(called_off(shop)), "voided": len(called_off(shop))}
    assert twice == []


def test_every_customer_was_told_everything_once(system, shop, mailbox):
    copies: dict[str, set[bytes]] = {}
    for mail in mailbox.mails:
        copies.setdefault(str(mail["Message-ID"]), set()).add(mail.as_bytes())
    written = {str(message_id): kind for message_id, kind in system.select("SELECT id, kind FROM messages")}
    unsent = {kind for (kind,) in system.select("SELECT kind FROM messages WHERE sent_at IS NULL")}
    arrived = {identifier[1:].partition("@")[0] for identifier in copies}

    assert {len(contents) for contents in copies.values()} == {1}, "a mail that comes twice is the same mail"
    assert arrived <= written.keys()
    assert {written[each] for each in written.keys() - arrived} <= OVERTAKEN
    assert unsent <= OVERTAKEN


def test_and_nobody_was_told_anything_else(shop, mailbox):
    told: dict[str, Counter[str]] = {basket.email: Counter() for basket in shop.baskets}
    for _, recipient, subject in {(mail["Message-ID"], mail["To"], mail["Subject"]) for mail in mailbox.mails}:
        told[str(recipient)][kind_of(str(subject))] += 1

    for basket in shop.baskets:
        about = told[basket.email]
        if basket.life == "called off":
            assert (about["cancelled"], about["collected"]) == (1, 0), basket
            assert max(about.values()) == 1, basket
        else:
            promises = 2 if basket.life == "found elsewhere" else 1
            assert about["please choose"] <= promises - 1, basket
            assert about["ready by"] <= promises, basket
            assert (about["is ready"] <= 1, about["collected"], about["cancelled"]) == (True, 1, 0), basket
    everything = sum(told.values(), Counter())
    assert everything["ready by"] > len(told) / 2, "most were told before there was something newer to tell"


def kind_of(subject):
    return next(word for word in ("please choose", "ready by", "is ready", "collected", "cancelled") if word in subject)


def test_the_books_agree(system):
    done = system.flask("stock", "reconcile")

    assert (done.returncode, done.stderr) == (0, "")


def test_in_the_end_nothing_is_left_running(system, shop, staff, mailbox, endpoint, record_property):
    figures = {
        "seed": SEED,
        "blows": dict(Counter(blow.what for blow in SCHEDULE)),
        "orders": len(shop.baskets),
        "answers": dict(shop.answers),
        "webhooks": len(set(endpoint.taken)),
        "webhooks taken again": len(endpoint.taken) - len(set(endpoint.taken)),
        "mails": len({mail["Message-ID"] for mail in mailbox.mails}),
        "mails sent again": len(mailbox.mails) - len({mail["Message-ID"] for mail in mailbox.mails}),
        "slowest order, seconds": system.select("SELECT max(changed_at - placed_at) FROM orders")[0][0].total_seconds(),
    }
    print(figures)
    staff.stop()
    assert system.leftovers(), "the search finds what runs"

    assert system.stop() == 0
    assert system.leftovers() == []
