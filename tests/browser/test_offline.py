"""The tablet without a network: cut in the browser, the server stopped, and both."""

import threading

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from werkzeug.serving import make_server

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries as orders
from pickup.orders import service as order_service
from pickup.staff import service
from pickup.staff.models import AuditEntry, OfflineAction, StaffMember
from tests.browser.accessibility import assert_accessible

SIZES = [(768, 1024), (1024, 768), (390, 844)]
ANA, MAX = "1234", "998877"


# The worker stands in for the server from now on; it is there only once all that it needs is.
CONTROLLED = """async () => {
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    await new Promise((go) => navigator.serviceWorker.addEventListener("controllerchange", go, { once: true }));
  }
}"""
# What it takes to know the PIN again is reckoned while somebody types.
KNOCKED = """async () => {
  const { kept } = await import("/staff/static/notebook.js");
  while (!(await kept("knock"))) await new Promise((go) => setTimeout(go, 20));
}"""
FORGOTTEN = """async () => {
  const { kept } = await import("/staff/static/notebook.js");
  while (await kept("luggage")) await new Promise((go) => setTimeout(go, 20));
}"""


class Server:
    """One that can be stopped, and started again at the same address."""

    def __init__(self, app):
        self.app = app
        self.port = 0
        self.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.running = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.port = self.running.server_port
        self.thread = threading.Thread(target=self.running.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.running.shutdown()
        self.running.server_close()
        self.thread.join()


@pytest.fixture
def server(database):
    made = Server(database)
    yield made
    made.stop()


@pytest.fixture
def live_server(server):
    return server.address


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.stock(made, world.product("A", name="Milk", department="Dairy"), 50)
    world.stock(made, world.product("WINE", name="Cabernet", minimum_age=21), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ANA)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MAX)
    return made


@pytest.fixture
def place(world, shop, store):
    def make(status="reserved", items=None):
        order = world.place(shop, items or {"A": 2})
        world.work()
        ana = db.session.scalars(select(StaffMember).where(StaffMember.name == "Ana")).one()
        with unit_of_work():
            if status in ("picking", "ready"):
                service.start_picking(ana, order.id, now=utcnow())
            if status == "ready":
                service.mark_ready(ana, order.id, now=utcnow())
        return order

    return make


def sign_in(page, pin=ANA):
    """Sign in, and wait until the tablet has taken along what it needs."""
    page.goto("/staff")
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(pin)
    page.evaluate(KNOCKED)
    with page.expect_response("**/staff/offline/orders") as packed:
        page.get_by_role("button", name="Sign in").click()
    packed.value.finished()
    page.evaluate(CONTROLLED)
    return page


def go_offline(page):
    page.context.set_offline(True)
    page.goto("/staff")
    expect(page.get_by_text("No network.", exact=True)).to_be_visible()


def go_online(page):
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=60_000)


@pytest.fixture
def page(open_page):
    return open_page(service_workers="allow")


def card(page, order):
    return page.get_by_role("article", name=f"Order {order.number}")


def outcomes():
    db.session.rollback()
    return [
        (row.action, row.outcome, row.detail)
        for row in db.session.scalars(select(OfflineAction).order_by(OfflineAction.received_at, OfflineAction.at))
    ]


def cut_browser(page, server):
    page.context.set_offline(True)


def stop_server(page, server):
    server.stop()


def both(page, server):
    server.stop()
    page.context.set_offline(True)


CUTS = [cut_browser, stop_server, both]


@pytest.mark.parametrize("cut", CUTS)
def test_pick_ready_and_hand_over_without_a_network(page, server, world, place, cut):
    order = place()
    sign_in(page)
    cut(page, server)
    page.goto("/staff")
    expect(card(page, order)).to_contain_text("Milk")
    card(page, order).get_by_role("button", name="Start picking").click()
    card(page, order).get_by_role("button", name="Ready").click()
    expect(page.get_by_text("2 steps are not sent yet:")).to_be_visible()
    page.reload()  # the tablet may be put away and taken up again
    expect(page.get_by_text("2 steps are not sent yet:")).to_be_visible()
    page.get_by_label("Pickup code").fill(order.pickup_code.lower().replace("-", " "))
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "reserved"
    page.get_by_role("button", name="Done").click()

    if cut is not cut_browser:
        server.start()
    go_online(page)

    assert world.order(order.id).status == "collected"
    assert outcomes() == [("start_picking", "done", ""), ("mark_ready", "done", ""), ("hand_over", "done", "")]
    expect(page.get_by_text("not sent yet")).to_be_hidden()


def test_the_board_gives_way_by_itself_and_comes_back(page, place):
    order = place()
    sign_in(page)
    page.context.set_offline(True)
    expect(page.get_by_text("No network.", exact=True)).to_be_visible(timeout=60_000)
    expect(card(page, order)).to_be_visible()
    go_online(page)
    assert page.url.endswith("/staff")


def test_a_step_whose_answer_was_lost_is_not_taken_twice(page, server, world, place):
    """The server has taken it, and the network went before the tablet heard of it."""
    order = place()
    sign_in(page)
    go_offline(page)
    with unit_of_work():
        ana = db.session.scalars(select(StaffMember).where(StaffMember.name == "Ana")).one()
        service.start_picking(ana, order.id, now=utcnow())
    card(page, order).get_by_role("button", name="Start picking").click()
    go_online(page)
    assert outcomes() == [("start_picking", "already", "")]
    assert [step.action for step in world.order(order.id).history].count("start_picking") == 1


def test_a_wrong_code_is_refused_on_the_tablet_and_five_end_it(page, place):
    order = place("ready")
    sign_in(page)
    go_offline(page)
    for _ in range(5):
        page.get_by_label("Pickup code").fill("QQQ-QQQ-QQQ")
        page.get_by_role("button", name="Hand over").click()
        expect(page.get_by_text("No order on this tablet has that code")).to_be_visible()
    page.reload()
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_text("Five wrong codes in ten minutes")).to_be_visible()
    expect(card(page, order)).to_be_visible()


def test_the_age_is_asked_without_a_network_too(page, world, place):
    order = place("ready", {"WINE": 1})
    sign_in(page)
    go_offline(page)
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name="21 or older?")).to_be_visible()
    page.get_by_role("button", name="Too young").click()
    expect(card(page, order)).to_be_visible()
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    page.get_by_role("button", name="Age checked").click()
    page.get_by_role("button", name="Done").click()
    go_online(page)
    assert world.order(order.id).status == "collected"
    trail = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "offline_hand_over")).one()
    assert trail.detail["age_checked"] is True


def test_what_was_cancelled_meanwhile_is_shown_until_a_manager_settles_it(open_page, world, place):
    order = place("ready")
    page = sign_in(open_page(service_workers="allow"))
    go_offline(page)
    with unit_of_work():
        order_service.cancel(
            orders.lock_order(order.id), actor=Actor("customer", "Kim"), reason="customer", now=utcnow()
        )
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    page.get_by_role("button", name="Done").click()
    go_online(page)
    assert outcomes() == [("hand_over", "conflict", "cancelled")]
    assert world.order(order.id).status == "cancelled"
    words = "Ana handed it over without a network, but it had been cancelled."
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text("A manager has to settle it.")).to_be_visible()

    manager = sign_in(open_page(service_workers="allow"), pin=MAX)
    expect(manager.get_by_text(words)).to_be_visible()
    manager.get_by_role("button", name="Settled").click()
    expect(manager.get_by_text("Noted as settled.")).to_be_visible()
    expect(manager.get_by_text(words)).to_be_hidden()
    expect(page.get_by_text(words)).to_be_hidden()


def test_two_tablets_without_a_network_hand_over_once(open_page, world, place):
    order = place("ready")
    tablets = [sign_in(open_page(service_workers="allow"), pin) for pin in (ANA, MAX)]
    for tablet in tablets:
        go_offline(tablet)
        tablet.get_by_label("Pickup code").fill(order.pickup_code)
        tablet.get_by_role("button", name="Hand over").click()
        tablet.get_by_role("button", name="Done").click()
    for tablet in tablets:
        go_online(tablet)
    assert outcomes() == [("hand_over", "done", ""), ("hand_over", "conflict", "collected")]
    assert [step.action for step in world.order(order.id).history].count("hand_over") == 1


def test_what_was_done_counts_as_theirs_who_did_it_also_after_they_went(page, world, place):
    order = place()
    sign_in(page)
    go_offline(page)
    card(page, order).get_by_role("button", name="Start picking").click()
    page.context.clear_cookies()  # the shift ends
    page.context.set_offline(False)
    page.get_by_role("link", name="Sign in to send them").click()
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(MAX)
    with page.expect_response("**/staff/offline/steps") as sent:
        page.get_by_role("button", name="Sign in").click()
    assert sent.value.json()["outcome"] == "done"
    assert world.order(order.id).history[-1].actor_name == "Ana"


def test_the_lock_holds_without_a_network(page, place):
    order = place()
    sign_in(page)
    go_offline(page)
    page.get_by_role("button", name="Lock").click()
    expect(card(page, order)).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    page.get_by_label("PIN").fill(MAX)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("That is not the PIN.")).to_be_visible()
    page.get_by_label("PIN").fill(ANA)
    page.get_by_role("button", name="Go on").click()
    expect(card(page, order)).to_be_visible()


def test_a_network_is_no_way_around_the_lock(page, place):
    place()
    sign_in(page)
    go_offline(page)
    page.get_by_role("button", name="Lock").click()
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="I am somebody else")).to_be_visible(timeout=60_000)
    page.get_by_label("PIN").fill(ANA)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_no_code_is_kept_on_the_tablet_and_nothing_after_signing_out(page, place):
    order = place("ready")
    sign_in(page)
    everything = """async () => {
      const { kept } = await import("/staff/static/notebook.js");
      return JSON.stringify([await kept("luggage"), await kept("door"), { ...localStorage }, { ...sessionStorage }]);
    }"""
    taken = page.evaluate(everything)
    assert str(order.number) in taken
    assert order.pickup_code not in taken
    assert order.pickup_code.replace("-", "") not in taken
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Store")).to_be_visible()
    page.evaluate(FORGOTTEN)
    assert str(order.number) not in page.evaluate(everything)


def test_the_app_can_be_installed(page, store):
    sign_in(page)
    manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((answer) => answer.json())")
    assert (manifest["start_url"], manifest["display"]) == ("/staff", "standalone")
    assert page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => new URL(scope).pathname)") == "/staff"


@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_use_it(open_page, place, size):
    orders_here = [place(), place("picking"), place("ready", {"WINE": 1})]
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}, service_workers="allow"))
    go_offline(page)
    expect(card(page, orders_here[0])).to_be_visible()
    assert_accessible(page)
    card(page, orders_here[0]).get_by_role("button", name="Start picking").click()
    page.get_by_label("Pickup code").fill("QQQ")
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_text("No order on this tablet has that code")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Pickup code").fill(orders_here[2].pickup_code)
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name="21 or older?")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Age checked").click()
    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Lock").click()
    assert_accessible(page)


def test_a_wrong_pin_at_the_lock_opens_nothing_later(page, place):
    order = place()
    sign_in(page)
    page.get_by_role("button", name="Lock").click()
    page.get_by_label("PIN").fill("0000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("That is not the PIN.")).to_be_visible()
    page.context.set_offline(True)
    page.goto("/staff")
    page.get_by_label("PIN").fill("0000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("That is not the PIN.")).to_be_visible()
    expect(card(page, order)).to_be_hidden()
    page.get_by_label("PIN").fill(ANA)
    page.get_by_role("button", name="Go on").click()
    expect(card(page, order)).to_be_visible()


def test_what_the_server_has_locked_is_locked_without_a_network(page, place):
    order = place()
    sign_in(page)
    page.evaluate("localStorage.clear()")  # as after a night in a drawer: nothing says that somebody is there
    page.context.set_offline(True)
    page.goto("/staff")
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    expect(card(page, order)).to_be_hidden()
