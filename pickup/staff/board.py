"""The board: what a store has to do, in the order in which it is worth looking at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pickup.core.languages import _
from pickup.inventory.models import Transfer
from pickup.orders.models import Order
from pickup.orders.money_problems import MoneyProblem
from pickup.staff.money_cards import MoneyCard, present_money
from pickup.staff.offline_cards import ConflictCard
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
    holds: Literal["orders", "transfers", "bags"] = "orders"


@dataclass(frozen=True, slots=True)
class Board:
    """What a store has to do. Every order stands in one place: a customer who waits at the counter goes before all."""

    here: list[Card]
    columns: list[list[Section]]
    money: Sequence[MoneyCard] = ()
    """What a manager has to look at; for others it is empty."""
    conflicts: Sequence[ConflictCard] = ()
    """What was done without a network and could not be taken any more."""

    @property
    def sections(self) -> list[Section]:
        """All of them, in the order of the page."""
        return [section for column in self.columns for section in column]


@dataclass(frozen=True, slots=True)
class Goods:
    """What a store is to send and to receive, and the orders that it is for, by id."""

    to_send: Sequence[Transfer] = ()
    to_receive: Sequence[Transfer] = ()
    owners: Mapping[UUID, Order] = field(default_factory=dict)


def present_board(
    store: StoreEntry,
    orders: Sequence[Order],
    goods: Goods | None = None,
    *,
    to_put_back: Sequence[Order] = (),
    problems: Sequence[MoneyProblem] = (),
    conflicts: Sequence[ConflictCard] = (),
    now: datetime,
) -> Board:
    """Sort what a store has to do, oldest promise first.

    Args:
        orders: open at the store.
        to_put_back: over, with a bag that still stands there.
        problems: with the money of its orders, as far as whoever looks has to know of them.
    """
    cards = [present_card(order, now=now) for order in orders]
    here = [card for card in cards if card.arrived]
    columns = _columns(store, [card for card in cards if not card.arrived], _goods_sections(store, goods, now))
    bags = [present_card(order, now=now) for order in to_put_back]
    columns[-1].append(Section("put-back", _("To put back"), "", bags, "bags"))
    shown = [[section for section in column if section.cards or section.empty] for column in columns]
    money = [present_money(each, now=now) for each in problems]
    return Board(here, [column for column in shown if column], money, conflicts)


def _columns(store: StoreEntry, cards: Sequence[Card], goods: list[Section]) -> list[list[Section]]:
    def section(key: str, title: str, empty: str, status: str) -> Section:
        words = empty if has_counter(store) else ""
        return Section(key, title, words, [card for card in cards if card.status == status])

    return [
        [section("to-pick", _("To pick"), _("Nothing to pick. New orders appear here."), "reserved")],
        [section("picking", _("Picking"), _("Nobody is picking."), "picking"), *goods],
        [section("ready", _("Ready"), _("Nothing waits to be collected."), "ready")],
    ]


def _goods_sections(store: StoreEntry, goods: Goods | None, now: datetime) -> list[Section]:
    goods = goods or Goods()
    leaving = [present_departure(each, goods.owners[each.order_id], now=now) for each in goods.to_send]
    coming = [present_arrival(each, goods.owners[each.order_id], now=now) for each in goods.to_receive]
    return [
        Section("to-send", _("To send"), "" if has_counter(store) else _("Nothing to send."), leaving, "transfers"),
        Section("coming", _("On its way here"), "", coming, "transfers"),
    ]


def has_counter(store: StoreEntry) -> bool:
    """Whether customers come here; to a warehouse nobody does."""
    return store.kind != "warehouse"
