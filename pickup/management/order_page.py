"""Everything about one order, as plain values. The code and the address of its page are keys: they are not shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pickup.core.pages import local, money
from pickup.inventory import transfers
from pickup.management import orders_queries as queries
from pickup.management.order_list import REASON_WORDS, STATUS_LOOKS, status_words
from pickup.management.order_money import (
    PATTERN,
    MoneyRow,
    PaymentRow,
    present_ledger,
    present_payment,
    present_problem,
)
from pickup.management.secrecy import without_keys
from pickup.orders import queries as orders
from pickup.orders.models import Order, OrderHistory, OrderLine
from pickup.payments import queries as payments
from pickup.staff.models import AuditEntry
from pickup.staff.presenting import ACTION_WORDS, NOTE_WORDS, CameBack, present_returns
from pickup.staff.transfer_cards import TransferCard, present_arrival
from pickup.staff.why_here import Why, why_here

ACTORS = {
    "shop": "the shop",
    "customer": "the customer",
    "worker": "a worker",
    "gateway": "the gateway",
    "system": "the clock",
}
IF_SHORT_WORDS = {
    "part": "hand over the rest",
    "move": "offer another store",
    "cancel": "cancel the order",
}


class Fact(NamedTuple):
    """Something that is so."""

    name: str
    words: str


class LineRow(NamedTuple):
    """So many of one product."""

    name: str
    sku: str
    quantity: int
    picked: int
    short: int
    refused: int
    returned: int
    price: str
    reduced_to: str
    version: int
    total: str


class Happening(NamedTuple):
    """What somebody did, and when."""

    at: str
    what: str
    who: str
    where: str
    note: str


class MessageRow(NamedTuple):
    """A word to somebody."""

    at: str
    subject: str
    kind: str
    channel: str
    recipient: str
    sent: str
    failure: str


class TaskRow(NamedTuple):
    """What a worker has to do, and what stood against it."""

    handler: str
    due: str
    attempts: int
    is_dead: bool
    error: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    """The page."""

    number: int
    status: str
    look: str
    reason: str
    store_name: str
    store_ref: str
    timezone: str
    people: Sequence[Fact]
    times: Sequence[Fact]
    others: Sequence[Fact]
    lines: Sequence[LineRow]
    total: str
    reduced: str
    returned: str
    problem: str
    payments: Sequence[PaymentRow]
    ledger: Sequence[MoneyRow]
    returns: Sequence[CameBack]
    transfers: Sequence[TransferCard]
    why: Why
    history: Sequence[Happening]
    audit: Sequence[Happening]
    messages: Sequence[MessageRow]
    tasks: Sequence[TaskRow]


def present_order(order: Order, *, now: datetime) -> OrderPage:
    """An order with its lines, their products, its store and its history loaded."""
    zone, currency = order.store.timezone, order.currency
    paid = payments.all_payments_of([order.id])[order.id]
    return OrderPage(
        number=order.number,
        status=status_words(order),
        look=STATUS_LOOKS.get(order.status, ""),
        reason=REASON_WORDS.get(order.reason or "", ""),
        store_name=order.store.name,
        store_ref=order.store.ref,
        timezone=zone,
        people=list(_people(order)),
        times=list(_times(order)),
        others=list(_others(order)),
        lines=[_line(line, currency) for line in order.lines],
        total=money(order.total_amount, currency),
        reduced=money(order.reduced_amount, currency) if order.reduced_amount else "",
        returned=money(order.returned_amount, currency) if order.returned_amount else "",
        problem=present_problem(order, paid),
        payments=[present_payment(payment) for payment in paid],
        ledger=present_ledger(paid, zone),
        returns=present_returns(order, orders.returns_of(order), now=now),
        transfers=[present_arrival(each, order, now=now) for each in transfers.transfers_of([order.id])],
        why=why_here(order),
        history=[_step(step, zone) for step in order.history],
        audit=[_audited(entry, order) for entry in queries.audit_of(order.id)],
        messages=[
            MessageRow(
                local(message.created_at, zone, PATTERN),
                # What has no subject is short enough to be one.
                _without_keys(message.subject or message.text_body, order),
                message.kind,
                message.channel,
                "its tablets" if message.channel == "push" else message.recipient,
                local(message.sent_at, zone, PATTERN) if message.sent_at else "",
                _without_keys(message.failure or "", order),
            )
            for message in queries.messages_of(order.id)
        ],
        tasks=[
            TaskRow(
                task.handler,
                local(task.due_at, zone, PATTERN),
                task.attempts + task.deaths,
                task.dead_at is not None,
                _without_keys(task.last_error or "", order),
            )
            for task in queries.tasks_of(order.id)
        ],
    )


def _people(order: Order) -> Iterator[Fact]:
    yield Fact("Customer", order.customer_name)
    yield Fact("Mail", order.customer_email)
    yield from _fact("Phone", order.customer_phone)
    yield from _fact("Collected by" if order.collected_by_collector else "Named to collect", order.collector_name)
    yield from _fact("Their mail", order.collector_email)
    yield from _fact("Their phone", order.collector_phone)


def _times(order: Order) -> Iterator[Fact]:
    known = {
        "Placed": order.placed_at,
        "Promised by": order.ready_by,
        "Held until": order.hold_until,
        "Unpaid, kept until": order.held_until,
        "Choice open until": order.offer_until,
        "On the way": order.on_the_way_at,
        "Expected": order.expected_at,
        "At the store": order.arrived_at,
        "Last change": order.changed_at,
    }
    for name, at in known.items():
        if at:
            yield Fact(name, local(at, order.store.timezone, PATTERN))


def _others(order: Order) -> Iterator[Fact]:
    yield Fact("Placed through", queries.client_name(order.client_id))
    yield Fact("If something is missing", IF_SHORT_WORDS.get(order.if_short or "", "as the shop has set it"))
    yield from _fact("Picked by", queries.member_name(order.picker_id))
    yield from _fact("Wave", str(order.wave_id) if order.wave_id else "")
    yield from _fact("Stands at", order.staging_place)
    where = (f"bay {order.arrival_bay}" if order.arrival_bay else "", order.arrival_car, order.arrival_note)
    yield from _fact("Where they wait", ", ".join(words for words in where if words))
    yield from _fact("Wrong codes typed", str(order.wrong_codes) if order.wrong_codes else "")
    yield Fact("Id", str(order.id))


def _fact(name: str, words: str | None) -> Iterator[Fact]:
    """A fact, where there is one."""
    if words:
        yield Fact(name, words)


def _line(line: OrderLine, currency: str) -> LineRow:
    return LineRow(
        name=line.product.name,
        sku=line.product.sku,
        quantity=line.quantity,
        picked=line.picked,
        short=line.short,
        refused=line.refused,
        returned=line.returned,
        price=money(line.unit_amount, currency),
        reduced_to="" if line.reduced_to is None else money(line.reduced_to, currency),
        version=line.price_version,
        total=money(line.charged_amount * (line.quantity - line.short - line.refused), currency),
    )


def _step(step: OrderHistory, zone: str) -> Happening:
    return Happening(
        at=local(step.at, zone, PATTERN),
        what=ACTION_WORDS.get(step.action, _words(step.action)),
        who=step.actor_name if step.actor_kind == "staff" else ACTORS.get(step.actor_kind, step.actor_kind),
        where=_words(step.to_status),
        note=NOTE_WORDS.get(step.note or "", step.note or ""),
    )


def _audited(entry: AuditEntry, order: Order) -> Happening:
    return Happening(
        at=local(entry.at, order.store.timezone, PATTERN),
        what=_words(entry.action).capitalize(),
        who=entry.member_name,
        where=entry.device_name or "a browser",
        note=_detail(entry.detail, {line.product_id: line.product.sku for line in order.lines}),
    )


def _without_keys(words: str, order: Order) -> str:
    return without_keys(words, order.pickup_code, order.page_token, order.collector_code, order.collector_token)


def _detail(detail: dict[str, Any], skus: Mapping[int, str]) -> str:
    """What an audit entry says besides: `product: MILK, missing: 2`."""
    said = detail | {"product": skus[detail["product"]]} if detail.get("product") in skus else detail
    return ", ".join(
        f"{_words(name)}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in said.items()
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")
