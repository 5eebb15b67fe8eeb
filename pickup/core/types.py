"""Values that every feature speaks: money, ids, who acts."""

import os
import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from iso4217 import Currency

# numeric(19) would hold more, but a bigint column and a JSON number both hold this exactly (2^53 - 1).
MINOR_UNITS_MAX = 2**53 - 1
# Digits and a point, as a price tag has them; no exponent, no other script's digits, and no more than fit.
DECIMAL = re.compile(r"(?=\.?[0-9])(?P<whole>[0-9]{0,16})(?:\.(?P<fraction>[0-9]{0,40}))?")

ActorKind = Literal["shop", "customer", "staff", "worker", "gateway", "system"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency. Never a float."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.amount * quantity, self.currency)

    def major(self) -> Decimal:
        """The amount in major units: 359 USD is 3.59, 359 JPY is 359."""
        return Decimal(self.amount).scaleb(-minor_unit_digits(self.currency))

    @classmethod
    def from_major(cls, text: str, currency: str) -> "Money":
        """Read a decimal string in major units, exactly.

        Raises:
            ValueError: unknown currency, not a decimal number, negative, too large, or more decimals than the
                currency has (ISO 4217: USD 2, JPY 0, KWD 3).
        """
        digits = minor_unit_digits(currency)
        number = DECIMAL.fullmatch(text)
        if number is None:
            raise ValueError("is not a decimal number")
        whole, fraction = number["whole"], (number["fraction"] or "").rstrip("0")
        if len(fraction) > digits:
            raise ValueError(f"has more than the {digits} decimals of {currency}")
        amount = int((whole or "0") + fraction.ljust(digits, "0"))
        if amount > MINOR_UNITS_MAX:
            raise ValueError("is too large a number for a price")
        return cls(amount, currency)


def minor_unit_digits(currency: str) -> int:
    """How many decimals a currency has, by ISO 4217.

    Raises:
        ValueError: no such currency, or one without minor units (gold, test codes).
    """
    try:
        exponent = Currency(currency).exponent
    except ValueError:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency") from None
    if exponent is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(exponent)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the kind of party and, where there is one, its name or id."""

    kind: ActorKind
    name: str = ""


SYSTEM = Actor("system")


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): unguessable enough for an id, and in the order of time for the index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def first_id_at(at: datetime) -> uuid.UUID:
    """The least of the ids that `new_id` makes at an instant, or later: ids are in the order of time."""
    return uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | 0x7 << 76 | 0x2 << 62)


def time_of_id(made: uuid.UUID) -> datetime:
    """When `new_id` made an id, to the millisecond."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
