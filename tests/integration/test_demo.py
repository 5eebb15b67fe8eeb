"""The demo retailer shows what the product can do: goods that only the warehouse has reach the kiosk."""

from sqlalchemy import select

from pickup.core.db import db, unit_of_work
from pickup.dev import demo
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.staff.models import StaffMember
from pickup.stores.directory import fresh_directory
from tests.tablet import Tablet


def test_the_kiosk_is_sent_what_the_warehouse_alone_has(world, shop):
    with unit_of_work():
        note = demo.plant_demo()
    stores = fresh_directory().by_ref

    order = world.place(shop, {"8001": 1}, {"store_ref": demo.KIOSK[0]})
    world.work()

    (transfer,) = transfers_of([order.id])
    assert transfer.source_id == stores[demo.WAREHOUSE[0]].id
    assert world.order(order.id).status == "in_transit"
    assert {member.store_id for member in db.session.scalars(select(StaffMember))} == {
        each.id for each in stores.values()
    }
    assert demo.WAREHOUSE[0] in note
    assert demo.KIOSK[0] in note
    assert differences() == []


def test_head_office_sees_how_a_price_went(world, app):
    with unit_of_work():
        demo.plant_demo()
    tablet = Tablet(app)
    tablet.sign_in("101", "9753")

    html = tablet.get(f"/admin/prices/{demo.SOLD_SKU}").text

    assert "$9.49, not $8.99" in html
    assert "<strong>$8.99</strong>" in html
    assert "<strong>$9.29</strong>" in tablet.get(f"/admin/prices/{demo.SOLD_SKU}?zone=oklahoma").text
