"""PINs: digits that are quick to type with gloves on, kept as argon2id."""

import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PIN = re.compile(r"[0-9]{4,8}")

# OWASP's second choice of parameters: 19 MiB, two passes. A sign-in tries the PIN on everybody of the store, and
# what keeps four digits safe is that five wrong ones lock, not what one guess costs.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash("nobody")


def is_well_formed(pin: str) -> bool:
    """Whether it is a PIN at all: four to eight digits."""
    return PIN.fullmatch(pin) is not None


def hash_pin(pin: str) -> str:
    """The PIN as it is stored."""
    return _HASHER.hash(pin)


def matches(pin: str, pin_hash: str) -> bool:
    """Whether it is this PIN."""
    try:
        return _HASHER.verify(pin_hash, pin)
    except (VerificationError, InvalidHashError):
        return False


def match_nobody(pin: str) -> None:
    """Take as long as a real comparison, where there is nobody to compare with."""
    matches(pin, _NOBODY)
