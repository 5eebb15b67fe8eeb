"""A round as the tablet shows it: its bags, and what to fetch, department by department."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.orders.models import Order, OrderLine
from pickup.staff.presenting import STATUS_WORDS, urgency

ELSEWHERE = later("Other goods")


@dataclass(frozen=True, slots=True)
class Bag:
    """One order of the round."""

    letter: str
    """Empty where there is only one."""
    order_id: uuid.UUID
    number: int
    customer: str
    promise: str
    urgency: str
    is_late: bool
    is_open: bool
    """Whether it is still being picked, here."""
    status_words: str
    place: str
    counted: int
    units: int


@dataclass(frozen=True, slots=True)
class Need:
    """So many of a product for one bag."""

    bag: Bag
    counted: int
    units: int
    short: int


@dataclass(frozen=True, slots=True)
class Item:
    """A product, with all bags that need it."""

    product_id: int
    name: str
    sku: str
    gtin: str
    minimum_age: int | None
    needs: list[Need]

    @property
    def counted(self) -> int:
        """Units in all bags."""
        return sum(need.counted for need in self.needs)

    @property
    def units(self) -> int:
        """Units that all bags need."""
        return sum(need.units for need in self.needs)


@dataclass(frozen=True, slots=True)
class Department:
    """What stands together in the store."""

    name: str
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Round:
    """What somebody with a trolley has to know."""

    id: uuid.UUID
    bags: list[Bag]
    departments: list[Department]

    @property
    def open_bags(self) -> list[Bag]:
        """Those that are still being picked."""
        return [bag for bag in self.bags if bag.is_open]

    @property
    def counted(self) -> int:
        """Units that lie in the open bags."""
        return sum(bag.counted for bag in self.open_bags)

    @property
    def units(self) -> int:
        """Units that belong into them."""
        return sum(bag.units for bag in self.open_bags)


def present_round(wave_id: uuid.UUID, orders: Sequence[Order], store_id: int, *, now: datetime) -> Round:
    """A round with all its orders, by number: a bag keeps its letter, whatever becomes of the others."""
    letters = iter(ascii_uppercase if len(orders) > 1 else "")
    bags = {order.id: _present_bag(order, next(letters, ""), store_id, now) for order in orders}
    lines = [(bags[order.id], line) for order in orders for line in order.lines if bags[order.id].is_open]
    names = sorted({line.product.department for _, line in lines}, key=lambda name: (not name, name))
    departments = [
        Department(name or (_(ELSEWHERE) if len(names) > 1 else ""), _present_items(lines, name)) for name in names
    ]
    return Round(wave_id, list(bags.values()), departments)


def _present_bag(order: Order, letter: str, store_id: int, now: datetime) -> Bag:
    return Bag(
        letter=letter,
        order_id=order.id,
        number=order.number,
        customer=order.customer_name,
        promise=clock(order.ready_by, order.store.timezone, now),
        urgency=urgency(order.ready_by - now),
        is_late=order.ready_by < now,
        is_open=order.status == "picking" and order.store_id == store_id,
        status_words=_(STATUS_WORDS[order.status]),
        place=order.staging_place or "",
        counted=sum(line.picked for line in order.lines),
        units=sum(line.charged_units for line in order.lines),
    )


def _present_items(lines: Sequence[tuple[Bag, OrderLine]], department: str) -> list[Item]:
    """The products of a department by name, each once."""
    products = {line.product_id: line.product for _, line in lines if line.product.department == department}
    return [
        Item(
            product_id=product.id,
            name=product.name,
            sku=product.sku,
            gtin=product.gtin,
            minimum_age=product.minimum_age,
            needs=[
                Need(bag, line.picked, line.charged_units, line.short)
                for bag, line in lines
                if line.product_id == product.id
            ],
        )
        for product in sorted(products.values(), key=lambda product: (product.name, product.sku))
    ]
