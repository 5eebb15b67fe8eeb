"""What was paid for an order that was collected: to keep, or to print."""

from collections.abc import Sequence
from dataclasses import dataclass

from pickup.core.languages import later
from pickup.core.pages import local, money
from pickup.customer.collecting import first_name
from pickup.orders.models import Order, Return
from pickup.payments.models import Payment


@dataclass(frozen=True, slots=True)
class PaidLine:
    """So many of one product, and what was paid for them."""

    quantity: int
    name: str
    each: str
    before: str
    """What one was to cost, where the shelf had become cheaper."""
    total: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Goods that came back together, and what was paid for them."""

    date: str
    goods: str
    amount: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything that the receipt shows."""

    number: int
    ordered: str
    collected: str
    collector: str
    lines: list[PaidLine]
    total: str
    saved: str
    returns: list[TakenBack]
    paid: str
    """What the customer has paid after all that came back."""
    refunded: str
    """What has been sent back so far."""


DATE = later("d MMMM y, HH:mm")


def present_receipt(order: Order, payment: Payment, returns: Sequence[Return]) -> Receipt:
    """The receipt of a collected order that has its lines, products, history and store; dates by the store's clock."""
    zone, currency = order.store.timezone, order.currency
    collected_at = next(step.at for step in reversed(order.history) if step.to_status == "collected")
    names = {line.product_id: line.product.name for line in order.lines}
    return Receipt(
        number=order.number,
        ordered=local(order.placed_at, zone, DATE),
        collected=local(collected_at, zone, DATE),
        collector=first_name(order.collector_name or "") if order.collected_by_collector else "",
        lines=[
            PaidLine(
                quantity=line.charged_units,
                name=line.product.name,
                each=money(line.charged_amount, currency),
                before="" if line.reduced_to is None else money(line.unit_amount, currency),
                total=money(line.charged_amount * line.charged_units, currency),
            )
            for line in order.lines
            if line.charged_units
        ],
        total=money(order.total_amount, currency),
        saved=money(order.reduced_amount, currency) if order.reduced_amount else "",
        returns=[
            TakenBack(
                date=local(each.at, zone, DATE),
                goods=", ".join(f"{line.quantity} × {names[line.product_id]}" for line in each.lines),
                amount=money(each.amount, currency),
            )
            for each in returns
        ],
        paid=money(order.total_amount - order.returned_amount, currency),
        refunded=money(payment.refunded, currency) if payment.refunded else "",
    )
