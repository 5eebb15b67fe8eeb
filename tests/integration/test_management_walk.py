"""Every page for management at once: what a manager must not see and must not do, and the file of every list."""

import csv
import io
import re
from datetime import timedelta

import pytest

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import ApiClient, OutboxTask
from pickup.inventory.models import StockMovement
from pickup.orders.models import Order
from pickup.staff import audit
from pickup.staff.models import Device, StaffMember
from pickup.stores.models import SpecialDay, Store
from pickup.tills.models import TillRegister
from pickup.webhooks.models import WebhookDelivery, WebhookEndpoint
from pickup.webhooks.publishing import publish
from tests.integration.managers import HEAD_OFFICE, MANAGER, OTHER_MANAGER, page, signed_in, two_stores, words_of
from tests.integration.test_price_pages import sell

# What stands nowhere but in the rows of the other store: names, and figures as a page and as a file write them.
PLANTED = ("Zelda", "zelda@", "Zinnia", "zink-tablet", "zreg", "zeppelin", "zorn", "4,711", "4711", "66.66", "88.88")
CHARGED, AHEAD = 6666, 8888
# Pages that are no list: they have no file.
NO_LISTS = {"/admin/staff/new"}


@pytest.fixture
def chain(world, shop):
    """Two stores; the other one has something on every page."""
    here, there = two_stores(world)
    with unit_of_work():
        db.session.merge(there).price_zone = "zorn"
    milk = world.product("MILK", name="Whole milk")
    world.price(milk, AHEAD, zone="zorn", valid_from=utcnow() + timedelta(days=2))
    world.stock(here, milk, 20)
    world.stock(there, milk, 4711)
    now = utcnow()
    assert shop.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/"}).status_code == 201
    customer = {"name": "Zelda Zimmer", "email": "zelda@example.com"}
    mine, theirs = world.place(shop, {"MILK": 2}), world.place(shop, {"MILK": 2}, {"store_ref": "2"}, customer=customer)
    for store, register in ((here, "1"), (there, "zreg")):
        sell(store, milk, CHARGED if store is there else 399, ledger=359, register=register)
        sell(store, milk, CHARGED if store is there else 399, ledger=359, register=register, days_ago=2)
        with unit_of_work():
            place = {"store_id": store.id, "register": register, "last_seen": now}
            db.session.add(TillRegister(**place))
            name = "zink-tablet" if store is there else "Counter"
            enrolled = {"enrolled_at": now, "enrolled_by": "Max", "seen_at": now}
            db.session.add(Device(store_id=store.id, name=name, token_digest=name.encode(), **enrolled))
            db.session.add(SpecialDay(store_id=store.id, day=now.date() + timedelta(days=3), hours="off"))
    with unit_of_work():
        # Goods of ours for an order of theirs, and what they did in their own store.
        moved = {"store_id": here.id, "product_id": milk.id, "kind": "transfer_out", "on_hand_change": -1}
        db.session.add_all(StockMovement(**moved, order_id=order.id) for order in (mine, theirs))
        joe = db.session.query(StaffMember).filter_by(name="Joe").one()
        joe.name = "Zinnia"
        audit.record(joe, "zeppelin", now=now, order_id=theirs.id, note="zorn")
        outbox.emit("order.ready", {mine.id: {}, theirs.id: {}}, at=now)
    with unit_of_work():
        ids = [id_ for (id_,) in db.session.query(OutboxTask.id)]
        outbox.postpone(ids, error="550 zelda@example.com zeppelin", now=now)
        db.session.query(OutboxTask).filter_by(subject_id=mine.id).update({"last_error": "550 no"})
        publish(now)
    return mine, theirs


def rules(app, method):
    """Every address of /admin that answers a method, as a pattern."""
    found = [
        str(rule)
        for rule in app.url_map.iter_rules()
        if re.match(r"/admin(/|$)", str(rule)) and method in rule.methods and not rule.endpoint.endswith("static")
    ]
    assert len(found) > 5
    return sorted(found)


def fill(rule, values):
    """An address, with ids in it. A new kind of id has to be added to these tests."""
    return re.sub(r"<(?:[^<>]+:)?(\w+)>", lambda match: str(values[match[1]]), rule)


def ids_of(order, store_ref):
    db.session.rollback()
    store = db.session.query(Store).filter_by(ref=store_ref).one()
    members = db.session.query(StaffMember).filter_by(store_id=store.id, role="manager").one()
    device = db.session.query(Device).filter_by(store_id=store.id).one()
    task = db.session.query(OutboxTask).filter_by(subject_id=order.id).first()
    day = db.session.query(SpecialDay).filter_by(store_id=store.id).one().day
    return {
        "order_id": order.id,
        "ref": store_ref,
        "member_id": members.id,
        "device_id": device.id,
        "task_id": task.id,
        "date": day.isoformat(),
        "sku": "MILK",
        "client_id": db.session.query(ApiClient.id).first()[0],
        "endpoint_id": db.session.query(WebhookEndpoint.id).first()[0],
        "delivery_id": db.session.query(WebhookDelivery.id).first()[0],
    }


def is_there(text, words):
    return re.search(rf"(?<![\d.]){re.escape(words)}(?!\d)" if words[0].isdigit() else re.escape(words), text, re.I)


def planted(text):
    return [words for words in PLANTED if is_there(words_of(text), words)]


def test_what_is_planted_is_seen_by_head_office(app, chain):
    head_office = signed_in(app, HEAD_OFFICE)
    seen = set()
    for rule in rules(app, "GET"):
        path = fill(rule, ids_of(chain[1], "2"))
        for query in ("", "?store=2&zone=zorn", "?format=csv", "?format=csv&table=registers"):
            seen |= set(planted(page(head_office, path + query)))

    assert seen == set(PLANTED), "the walk of the manager looks for what can be seen at all"


def test_a_manager_finds_nothing_of_another_store_on_any_page(app, chain):
    manager = signed_in(app, MANAGER)
    mine, theirs = ids_of(chain[0], "1"), ids_of(chain[1], "2")
    for rule in rules(app, "GET"):
        for values in (mine, theirs):
            path = fill(rule, values)
            for query in (
                "",
                "?store=2",
                "?store=2&zone=zorn&left=1",
                f"?order={chain[1].number}&q=zelda",
                "?person=zinnia&days=28",
                "?format=csv",
                "?format=csv&store=2&table=registers",
            ):
                answer = manager.get(path + query, buffered=True)
                found = planted(answer.text.replace(query.partition("?")[2], ""))
                # What was typed is in its field again.
                typed = {"zelda", "zinnia", "zorn"} & set(re.findall(r"\w+", query))
                assert not {words for words in found if words.lower() not in typed}, path + query
                if values is theirs and re.search("<(?!path:sku)", rule):
                    assert answer.status_code in (403, 404), path


def test_a_manager_changes_nothing_of_another_store(app, chain):
    manager = signed_in(app, MANAGER)
    page(manager, "/admin/staff/new")
    theirs = ids_of(chain[1], "2")
    before = state_of("2")
    for rule in rules(app, "POST"):
        form = {"store": "2", "name": "Eve", "role": "associate", "pin": "24680", "kind": "notify_customer"}
        form |= {"day": theirs["date"], "hours": "24/7", "scope": "admin"}
        answer = manager.post(fill(rule, theirs), **form)
        if "<" in rule:
            assert answer.status_code in (403, 404), rule
        else:
            # Without an id it is about their own store, or for head office.
            assert answer.status_code in (303, 403), rule

    assert state_of("2") == before


def state_of(ref):
    """All that a page could have changed in a store."""
    db.session.rollback()
    db.session.expire_all()
    store = db.session.query(Store).filter_by(ref=ref).one()
    own = {"store_id": store.id}
    return (
        {column.name: getattr(store, column.name) for column in Store.__table__.columns},
        sorted((each.name, each.pin_hash, each.left_at) for each in db.session.query(StaffMember).filter_by(**own)),
        [(each.name, each.revoked_at) for each in db.session.query(Device).filter_by(**own)],
        [(each.day, each.hours) for each in db.session.query(SpecialDay).filter_by(**own)],
        sorted(
            (each.id, each.due_at)
            for each in db.session.query(OutboxTask)
            .join(Order, Order.id == OutboxTask.subject_id)
            .filter(Order.store_id == store.id)
        ),
    )


def test_an_order_is_a_link_where_it_may_be_seen(app, chain):
    mine, theirs = (f'href="/admin/orders/{order.id}"' for order in chain)
    manager, head_office = signed_in(app, MANAGER), signed_in(app, HEAD_OFFICE)

    assert mine in page(manager, "/admin/tasks")
    assert mine in page(manager, "/admin/stock/MILK")
    assert theirs not in page(manager, "/admin/stock/MILK")
    assert str(chain[1].number) in words_of(page(manager, "/admin/stock/MILK"))
    assert theirs in page(head_office, "/admin/stock/MILK")
    assert theirs in page(signed_in(app, OTHER_MANAGER, "2"), "/admin/audit")


def test_no_page_repeats_the_keys_of_an_order(app, chain):
    order = chain[0]
    keys = (order.pickup_code, order.page_token)
    assert all(keys)
    with unit_of_work():
        quoted = f"{'x' * 297} 554 Your code is {order.pickup_code}, see /o/{order.page_token}"
        db.session.query(OutboxTask).filter_by(subject_id=order.id).update({"last_error": quoted})
        task = db.session.query(OutboxTask).filter_by(subject_id=order.id).first()
        task.last_error = quoted[290:]
    manager = signed_in(app, MANAGER)

    for path in ("/admin/tasks", "/admin/tasks?format=csv", f"/admin/orders/{order.id}", "/admin/audit"):
        html = page(manager, path)
        assert not [key for key in keys if key in html], path
    assert "Your code is …" in page(manager, "/admin/tasks")


def test_every_list_is_a_file_too(app, chain):
    head_office = signed_in(app, HEAD_OFFICE)
    lists = [rule for rule in rules(app, "GET") if "<" not in rule and rule not in NO_LISTS]
    lists += ["/admin/stock/MILK", "/admin/prices/MILK"]
    for path in lists:
        links = re.findall(r'href="([^"]*format=csv[^"]*)"', page(head_office, path))
        assert links, path
        for link in links:
            answer = head_office.get(link.replace("&amp;", "&"), buffered=True)
            assert answer.mimetype == "text/csv", link
            header, *rows = csv.reader(io.StringIO(answer.text), strict=True)
            assert len(header) > 2, link
            assert all(re.fullmatch(r"[a-z_\d]+", name) for name in header), link
            assert all(len(row) == len(header) for row in rows), link
            assert rows, f"{link}: there is something of everything in this test"


def test_the_navigation_says_where_one_is(app, chain):
    manager, head_office = signed_in(app, MANAGER), signed_in(app, HEAD_OFFICE)

    def current(path, tablet=head_office):
        bar = page(tablet, path).partition('<nav class="pages"')[2].partition("</nav>")[0]
        return re.findall(r'aria-current="(\w+)">([^<]+)', bar)

    assert current("/admin") == [("page", "Dashboard")]
    assert current(f"/admin/orders/{chain[0].id}") == [("true", "Orders")]
    assert current("/admin/parity") == [("true", "Prices"), ("page", "Parity")]
    assert current("/admin/prices/MILK") == [("true", "Prices"), ("true", "Prices")]
    assert current("/admin/staff/devices") == [("true", "People"), ("page", "Tablets")]
    assert current("/admin/clients") == [("true", "System"), ("page", "Clients")]
    assert current("/admin/tasks", manager) == [("page", "Failed work")], "a group of one page is called like it"
    assert "/admin/clients" not in page(manager, "/admin")
