"""What was done without a network and could not be taken any more, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.staff.models import OfflineAction

DONE_WORDS = {
    "start_picking": later("%(name)s began to pick it without a network, but %(reason)s"),
    "mark_ready": later("%(name)s set it ready without a network, but %(reason)s"),
    "hand_over": later("%(name)s handed it over without a network, but %(reason)s"),
}
# What stood against it: the status of the order, or a word of `offline.replay`. A clause that ends the sentence above.
AGAINST_WORDS = {
    "elsewhere": later("it had been moved to another store."),
    "wrong_code": later("the code is not one of this order's any more."),
    "code_locked": later("five wrong codes had been tried on it."),
    "awaiting_payment": later("it is not paid."),
    "placed": later("it had been taken off this store."),
    "in_transit": later("its goods are still on their way here."),
    "reserved": later("nobody had begun to pick it."),
    "picking": later("somebody else was picking it."),
    "ready": later("somebody else had set it ready."),
    "collected": later("somebody else had handed it over."),
    "cancelled": later("it had been cancelled."),
    "expired": later("its time had run out."),
}
GOODS_GONE = later("The goods are gone: see that they are paid, or come back.")


@dataclass(frozen=True, slots=True)
class ConflictCard:
    """One of them on the board."""

    key: UUID
    order_id: UUID
    number: int
    at: datetime
    time: str
    words: str
    hint: str
    needs_manager: bool


def conflict_words(row: OfflineAction) -> str:
    """What was done, and what stood against it."""
    return _(DONE_WORDS[row.action], name=row.member_name, reason=_(AGAINST_WORDS[row.detail]))


def present_conflicts(rows: Iterable[tuple[OfflineAction, int]], timezone: str, *, now: datetime) -> list[ConflictCard]:
    """Conflicts with the numbers of their orders."""
    return [
        ConflictCard(
            key=row.key,
            order_id=row.order_id,
            number=number,
            at=row.at,
            time=clock(row.at, timezone, now),
            words=conflict_words(row),
            hint=_(GOODS_GONE) if row.action == "hand_over" else "",
            needs_manager=row.action == "hand_over",
        )
        for row, number in rows
    ]
