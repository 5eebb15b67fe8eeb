"""The board: what a store has to do, in the order in which it is worth looking at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pickup.inventory.models import Transfer
from pickup.orders.models import Order
from pickup.staff.presenting import Card, present_card
from pickup.staff.transfer_cards import TransferCard, present_arrival, present_departure
from pickup.stores.directory import StoreEntry


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of the board, with what is under it."""

    key: str
    title: str
    empty: str
    """What to say where there is nothing; without it the section is shown only if there is something."""
    cards: Sequence[Card] | Sequence[TransferCard]
    holds: Literal["orders", "transfers"] = "orders"


@dataclass(frozen=True, slots=True)
class Board:
    """What a store has to do. Every order stands in one place: a customer who waits at the counter goes before all."""

    here: list[Card]
    columns: list[list[Section]]

    @property
    def sections(self) -> list[Section]:
        """All of them, in the order of the page."""
        return [section for column in self.columns for section in column]


def present_board(
    store: StoreEntry,
    orders: Sequence[Order],
    to_send: Sequence[Transfer] = (),
    to_receive: Sequence[Transfer] = (),
    *,
    their_orders: Mapping[UUID, Order] | None = None,
    now: datetime,
) -> Board:
    """Sort what a store has to do, oldest promise first.

    Args:
        orders: open at the store.
        their_orders: the orders of the transfers.
    """
    owners = their_orders or {}
    cards = [present_card(order, now=now) for order in orders]
    leaving = [present_departure(each, owners[each.order_id], now=now) for each in to_send]
    coming = [present_arrival(each, owners[each.order_id], now=now) for each in to_receive]
    here = [card for card in cards if card.arrived]
    goods = [
        Section("to-send", "To send", "" if has_counter(store) else "Nothing to send.", leaving, "transfers"),
        Section("coming", "On its way here", "", coming, "transfers"),
    ]

    def waiting(status: str) -> list[Card]:
        return [card for card in cards if card.status == status and not card.arrived]

    def words(empty: str) -> str:
        return empty if has_counter(store) else ""

    columns = [
        [Section("to-pick", "To pick", words("Nothing to pick. New orders appear here."), waiting("reserved"))],
        [Section("picking", "Picking", words("Nobody is picking."), waiting("picking")), *goods],
        [Section("ready", "Ready", words("Nothing waits to be collected."), waiting("ready"))],
    ]
    shown = [[section for section in column if section.cards or section.empty] for column in columns]
    return Board(here, [column for column in shown if column])


def has_counter(store: StoreEntry) -> bool:
    """Whether customers come here; to a warehouse nobody does."""
    return store.kind != "warehouse"
