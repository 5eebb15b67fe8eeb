"""What the house needs from a payment gateway, whichever it is.

Every call carries a key of ours. A gateway that is asked twice with one key does the thing once and answers the same,
so a call whose answer got lost is simply made again. And every answer is the gateway's whole view of a charge, never
only what has changed: whoever writes it down enters the difference, so late, repeated and lost answers do no harm.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pickup.core.types import Money

ChargeStatus = Literal["requires_action", "authorised", "declined", "captured", "voided"]


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of ours, as far as a gateway has to be told of it."""

    key: uuid.UUID
    """The idempotency key that its authorisation is, or was, asked for with."""
    token: str
    money: Money
    opened_at: datetime
    reference: str | None = None
    """The gateway's own name for it; None while no answer has come."""


@dataclass(frozen=True, slots=True)
class ChargeView:
    """A charge as the gateway's books have it. The amounts are minor units, and only ever grow.

    What is held is `authorised - captured - voided`; what was taken and kept is `captured - refunded`.
    """

    status: ChargeStatus
    reference: str
    key: uuid.UUID | None = None
    """Ours; None for a charge that somebody else has made in the gateway's account."""
    currency: str = ""
    authorised: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    capture_before: datetime | None = None
    """When the hold lapses."""
    action: Mapping[str, Any] | None = None
    """What the customer has to do, for `requires_action`: a `type`, and what the shop's page needs for it."""
    detail: str = ""
    """Why it was declined, for the shop's log."""


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A message from a gateway, its signature checked. Only a hint: what is true, the gateway is asked."""

    id: str
    type: str
    reference: str | None
    """The charge that it is about; None if it is about none."""
    key: uuid.UUID | None = None


class GatewayUnreachable(Exception):
    """No usable answer came from the gateway: what was asked may or may not have happened there."""


class GatewayRefused(Exception):
    """The gateway will not do it, and says so; asking again at once brings the same."""


class BadSignature(Exception):
    """A message that is not the gateway's, or is too old."""


class Gateway(Protocol):
    """A payment gateway. Whatever asks it may raise `GatewayUnreachable`."""

    def refusal(self, token: str) -> str | None:
        """Why a token cannot be a means of payment at this gateway, seen without asking it; None if it may be one."""

    def refusal_of_amount(self, money: Money) -> str | None:
        """Why the gateway cannot take this amount of this currency, seen without asking it; None if it can."""

    def authorise(self, charge: Charge) -> ChargeView:
        """Hold the money, without taking it. A charge that was declined, or is held already, stays as it is."""

    def view(self, charge: Charge) -> ChargeView | None:
        """What became of a charge; None if the gateway knows of none with its key."""

    def capture(self, charge: Charge, amount: int) -> ChargeView:
        """Take so much of held money, once; the rest of it is given back.

        Raises:
            GatewayRefused: the hold has lapsed, or the bank will not.
        """

    def release(self, charge: Charge) -> ChargeView:
        """Give back what is held. What was captured stays so; a charge that has not come in yet never will."""

    def refund(self, charge: Charge, key: uuid.UUID, amount: int) -> ChargeView:
        """Give back so much of what was captured, once for each `key`.

        Raises:
            GatewayRefused: more than is left of it, or the bank will not.
        """

    def charges(self, since: datetime, until: datetime) -> Iterator[ChargeView]:
        """Every charge that was opened in a span of time, in no particular order."""

    def read_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
        """Read a message that came in.

        Raises:
            BadSignature: it is not from the gateway, or older than five minutes.
        """
