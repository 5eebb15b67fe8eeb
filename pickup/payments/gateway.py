"""What the house needs from a payment gateway, whichever it is.

Every call carries a key of ours. A gateway that is asked twice with one key does the thing once and answers the same,
so a call whose answer got lost is simply made again.
"""

import uuid
from dataclasses import dataclass
from typing import Literal, Protocol

from pickup.core.types import Money

OutcomeStatus = Literal["authorised", "requires_action", "declined", "captured", "voided", "refunded"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gateway says of a charge."""

    status: OutcomeStatus
    reference: str
    detail: str = ""
    amount: int | None = None
    """Minor units that were moved; None for all of them."""


class Gateway(Protocol):
    """A payment gateway. Every method but `refusal` may raise `GatewayUnreachable`."""

    def refusal(self, token: str) -> str | None:
        """Why a token cannot be a means of payment at this gateway, seen without asking it; None if it may be one."""

    def authorise(self, *, key: uuid.UUID, token: str, money: Money) -> Outcome:
        """Hold the money, without taking it."""

    def find(self, *, key: uuid.UUID) -> Outcome | None:
        """What became of the charge that was asked for with `key`; None if the gateway never heard of it."""

    def capture(self, *, key: uuid.UUID, money: Money) -> Outcome:
        """Take held money."""

    def release(self, *, key: uuid.UUID, token: str, money: Money) -> Outcome:
        """Give everything back: void what is held, refund what was taken; nothing may be taken with this key again."""
