"""Two books of the money that do not say the same: the kinds of it, and what a person does about each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pickup.core.types import Money

AMOUNTS = ("authorised", "captured", "voided", "refunded")
BOOKED = (*AMOUNTS, "written_off")

Kind = Literal[
    "not_its_entries",
    "status_does_not_fit",
    "gateway_is_ahead",
    "gateway_contradicts",
    "unknown_to_gateway",
    "unknown_to_us",
    # of orders: see `orders/money_checks.py`
    "not_its_lines",
    "no_payment",
    "outcome_unknown",
    "not_taken",
    "still_held",
    "kept_too_much",
    "not_covered",
    "not_placed",
]

TO_DO: dict[Kind, str] = {
    "not_its_entries": "somebody changed the database by hand: ask the gateway, and correct what it contradicts",
    "status_does_not_fit": "somebody changed the database by hand: ask the gateway, and set the status that is true",
    "gateway_is_ahead": "have what the gateway knows written down: flask payments reconcile --mend",
    "gateway_contradicts": "we wrote down what the gateway does not know of: look at the charge there, ask its support",
    "unknown_to_gateway": "see that the gateway's keys are those of the account it was made in, then ask its support",
    "unknown_to_us": "find out at the gateway who made it; give it back there if nobody is owed it",
    "not_its_lines": "somebody changed the database by hand: see its history, and correct the order or its lines",
    "no_payment": "the payment's row is gone: bring it back from a backup",
    "outcome_unknown": "have a worker look again: flask payments reconcile --mend",
    "not_taken": "have a worker try again: flask payments reconcile --mend; where the hold is gone, a manager decides",
    "still_held": "have a worker give it back: flask payments reconcile --mend",
    "kept_too_much": "have a worker give it back: flask payments reconcile --mend",
    "not_covered": "nothing secures this order: get another payment before the goods leave, or cancel it",
    "not_placed": "cancel it, and the money goes back; such an order is never left by itself",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Two books that do not say the same of one payment, order or charge."""

    kind: Kind
    ours: str
    theirs: str
    order_id: uuid.UUID | None = None
    payment_id: uuid.UUID | None = None
    order_number: int | None = None

    def __str__(self) -> str:
        """One line: which, what the one book says, what the other, and what to do."""
        which = f"order {self.order_number or self.order_id or 'none'}, payment {self.payment_id or 'none'}"
        return f"{which}: {self.kind.replace('_', ' ')}: {self.ours}; {self.theirs} → {TO_DO[self.kind]}"


def money_words(names: Sequence[str], amounts: Sequence[int], currency: str) -> str:
    """Amounts with their names, those that are not nothing: `authorised 7.18, captured 3.59 USD`."""
    words = [
        f"{name.replace('_', ' ')} {_major(each, currency)}" for name, each in zip(names, amounts, strict=True) if each
    ]
    return f"{', '.join(words)} {currency}" if words else "no money"


def _major(amount: int, currency: str) -> str:
    try:
        return str(Money(amount, currency).major())
    except ValueError:  # a gateway's books may have what is no currency
        return f"{amount} minor units"
