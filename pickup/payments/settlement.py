"""What is still to be done about a payment, from what it holds and took and what is due. Pure.

The money follows the order: whatever has happened so far, one step at a time leads to what is due. So a step that was
lost, done twice, or done at the gateway by hand needs no case of its own.
"""

from dataclasses import dataclass
from typing import Literal

StepKind = Literal["capture", "release", "refund"]


@dataclass(frozen=True, slots=True)
class Balance:
    """How far the gateway got with a payment. Minor units."""

    status: str
    authorised: int
    captured: int
    voided: int
    refunded: int
    written_off: int = 0
    being_refunded: int = 0
    """Intended, and not confirmed yet."""

    @property
    def held(self) -> int:
        """Promised by the bank, and not taken."""
        return self.authorised - self.captured - self.voided

    @property
    def kept(self) -> int:
        """Taken, and not given back."""
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to ask the gateway for."""

    kind: StepKind
    amount: int = 0


def next_step(balance: Balance, due: int) -> Step | None:
    """What to ask the gateway for next, so that in the end it has taken what is due, and holds nothing.

    Args:
        due: minor units that the customer has to pay, now that the order is over.
    """
    if balance.status in ("pending", "requires_action"):
        # Nobody knows yet what it holds; if nothing is due, nothing may come of it any more.
        return Step("release") if not due else None
    if balance.status == "written_off":
        # A person has settled it, in a way that no gateway knows of: only what is still held is given back.
        return Step("release") if balance.held else None
    if balance.held:
        to_take = min(due - balance.kept, balance.held)
        return Step("capture", to_take) if to_take > 0 else Step("release")
    too_much = balance.kept - balance.being_refunded - due
    return Step("refund", too_much) if too_much > 0 else None


def shortfall(balance: Balance, due: int) -> int:
    """Minor units that are due and will not come by themselves: the hold is gone, or was never there."""
    if balance.status in ("pending", "requires_action") or balance.held:
        return 0
    return max(due - balance.kept - balance.written_off, 0)
