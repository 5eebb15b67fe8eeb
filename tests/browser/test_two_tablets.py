"""Two tablets, one order, one code, at the same instant: exactly one handover.

`PICKUP_TEST_ROUNDS=100` tries it harder.
"""

import os

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.inventory.models import StockMovement
from pickup.orders.models import OrderHistory
from pickup.staff import service
from pickup.staff.models import AuditEntry, StaffMember

ROUNDS = int(os.environ.get("PICKUP_TEST_ROUNDS", "12"))
PINS = ("1234", "5678")


@pytest.fixture
def orders(world, shop):
    store = world.store("1", name="Rogers")
    world.stock(store, world.product("A", name="Milk"), 2 * ROUNDS)
    with unit_of_work():
        for name, pin in zip(("Ana", "Bo"), PINS, strict=True):
            service.create_member(store_ref="1", name=name, role="associate", pin=pin)
    placed = [world.place(shop, {"A": 1}) for _ in range(ROUNDS)]
    world.work()
    ana = db.session.scalars(select(StaffMember).where(StaffMember.name == "Ana")).one()
    for order in placed:
        with unit_of_work():
            service.start_picking(ana, order.id, now=utcnow())
            service.mark_ready(ana, order.id, now=utcnow())
    return placed


@pytest.mark.timeout(600)
def test_exactly_one_hands_it_over(open_page, world, orders):
    tablets = [open_page(), open_page(viewport={"width": 390, "height": 844})]
    for tablet, pin in zip(tablets, PINS, strict=True):
        tablet.goto("/staff")
        tablet.get_by_label("Store").fill("1")
        tablet.get_by_label("PIN").fill(pin)
        tablet.get_by_role("button", name="Sign in").click()
    for order in orders:
        for tablet in tablets:
            tablet.get_by_label("Pickup code").fill(order.pickup_code)
        for tablet in tablets:
            # It only begins to be sent: the other one does not wait for the answer.
            tablet.evaluate("document.querySelector('.code-form').requestSubmit()")
        gave, came_late = 0, 0
        for tablet in tablets:
            handed = tablet.get_by_role("heading", name="Hand out now")
            late = tablet.get_by_text(f"Order {order.number} is already collected").first
            expect(handed.or_(late).first).to_be_visible()
            gave, came_late = gave + handed.is_visible(), came_late + (not handed.is_visible())
            tablet.goto("/staff")
        assert (gave, came_late) == (1, 1)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).where(OrderHistory.action == "hand_over")) == ROUNDS
    assert db.session.scalar(select(func.count()).where(AuditEntry.action == "hand_over")) == ROUNDS
    gone = select(func.sum(StockMovement.on_hand_change)).where(StockMovement.order_id.is_not(None))
    assert db.session.scalar(gone) == -ROUNDS
