"""The order's life as one table.

The guard, the stock and money effects, the history, the event, the actions that the API offers and the diagram in
`docs/lifecycle.md` all read `TRANSITIONS`. Pure data: nothing here touches a database.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from pickup.core.types import ActorKind

Status = Literal[
    "awaiting_payment", "placed", "in_transit", "reserved", "picking", "ready", "collected", "cancelled", "expired"
]
Reason = Literal["customer", "staff", "out_of_stock", "payment_failed"]
IfShort = Literal["part", "move", "cancel"]
StockEffect = Literal["none", "reserve", "release", "consume"]
MoneyEffect = Literal["none", "authorise", "capture", "void_or_refund"]

STATUSES: tuple[Status, ...] = get_args(Status)
REASONS: tuple[Reason, ...] = get_args(Reason)
# What becomes of an order whose goods are not all found: handed over in part, collected elsewhere, or called off.
IF_SHORT: tuple[IfShort, ...] = get_args(IfShort)

INITIAL: Status = "awaiting_payment"
# A worker is about to decide: this is what `Prefer: wait` waits for. It does not wait for a customer who has to pay.
BEING_DECIDED: Status = "placed"
FINAL: frozenset[Status] = frozenset({"collected", "cancelled", "expired"})
# Goods are reserved for the order, wherever they lie; every way out releases or consumes them.
HOLDING_GOODS: frozenset[Status] = frozenset({"in_transit", "reserved", "picking", "ready"})
# Nobody has begun to pick it; work that somebody has begun is done, whatever becomes of the order.
NOT_BEGUN: frozenset[Status] = frozenset({"in_transit", "reserved"})
# Called off: what was taken off the shelf for it goes back there.
CALLED_OFF: frozenset[Status] = frozenset({"cancelled", "expired"})
# Somebody has begun to take its goods off the shelf, and put them into a bag.
BAGGED: tuple[Status, ...] = ("picking", "ready")
# The store still owes that it is ready.
PROMISED: frozenset[Status] = frozenset({"in_transit", "reserved", "picking"})
OPEN_AT_STORE: tuple[Status, ...] = ("reserved", "picking", "ready")


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: who may take an order from where to where, and what goes with it."""

    action: str
    sources: frozenset[Status]
    target: Status
    actors: frozenset[ActorKind]
    stock: StockEffect = "none"
    money: MoneyEffect = "none"
    event: str | None = None


def _row(
    action: str,
    sources: str,
    target: Status,
    actors: str,
    *,
    stock: StockEffect = "none",
    money: MoneyEffect = "none",
    event: str | None = None,
) -> tuple[str, Transition]:
    froms = frozenset(status for status in STATUSES if status in sources.split())
    who = frozenset(kind for kind in get_args(ActorKind) if kind in actors.split())
    return action, Transition(action, froms, target, who, stock, money, event)


TRANSITIONS: dict[str, Transition] = dict(
    (
        _row("pay", "awaiting_payment", "placed", "gateway", money="authorise", event="order.placed"),
        _row("reserve", "placed", "reserved", "worker", stock="reserve", event="order.reserved"),
        _row("send_for", "placed", "in_transit", "worker", stock="reserve", event="order.reserved"),
        _row("receive", "in_transit", "reserved", "staff", event="order.reserved"),
        _row("reroute", "placed", "placed", "worker customer shop", event="order.rerouted"),
        _row(
            "withdraw",
            "in_transit reserved picking",
            "placed",
            "worker staff system",
            stock="release",
            event="order.withdrawn",
        ),
        _row("start_picking", "reserved", "picking", "staff"),
        _row("short_pick", "picking", "picking", "staff"),
        _row("mark_ready", "picking", "ready", "staff", event="order.ready"),
        _row("extend_hold", "ready", "ready", "customer shop staff"),
        _row("hand_over", "ready", "collected", "staff", stock="consume", money="capture", event="order.collected"),
        _row(
            "cancel",
            "awaiting_payment placed in_transit reserved picking ready",
            "cancelled",
            "shop customer staff worker gateway system",
            stock="release",
            money="void_or_refund",
            event="order.cancelled",
        ),
        _row("expire", "ready", "expired", "system", stock="release", money="void_or_refund", event="order.expired"),
    )
)


def actions_from(status: str, actor: ActorKind) -> list[str]:
    """What an actor may do next with an order in this status, in the order of the table."""
    return [row.action for row in TRANSITIONS.values() if status in row.sources and actor in row.actors]
