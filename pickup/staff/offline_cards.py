"""What was done without a network and could not be taken any more, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pickup.core.pages import clock
from pickup.staff.models import OfflineAction

DONE_WORDS = {
    "start_picking": "{name} began to pick it",
    "mark_ready": "{name} set it ready",
    "hand_over": "{name} handed it over",
}
# What stood against it: the status of the order, or a word of `offline.replay`.
AGAINST_WORDS = {
    "elsewhere": "it had been moved to another store.",
    "wrong_code": "the code is not one of this order's any more.",
    "code_locked": "five wrong codes had been tried on it.",
    "awaiting_payment": "it is not paid.",
    "placed": "it had been taken off this store.",
    "in_transit": "its goods are still on their way here.",
    "reserved": "nobody had begun to pick it.",
    "picking": "somebody else was picking it.",
    "ready": "somebody else had set it ready.",
    "collected": "somebody else had handed it over.",
    "cancelled": "it had been cancelled.",
    "expired": "its time had run out.",
}
GOODS_GONE = "The goods are gone: see that they are paid, or come back."


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
    done = DONE_WORDS[row.action].format(name=row.member_name)
    return f"{done} without a network, but {AGAINST_WORDS[row.detail]}"


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
            hint=GOODS_GONE if row.action == "hand_over" else "",
            needs_manager=row.action == "hand_over",
        )
        for row, number in rows
    ]
