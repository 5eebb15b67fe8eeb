"""Pickup codes: short enough to read out over a counter, long enough not to be guessed. Pure."""

import hmac
import secrets

# Letters and digits that nobody mistakes for another, seen or heard: without 0O, 1IL, 2Z, 5S, 8B, UV, and vowels
# enough to spell a word.
ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
GROUPS = 3
GROUP_LENGTH = 3
LENGTH = GROUPS * GROUP_LENGTH
WRONG_CODES_MAX = 5
# As long as a code, and none: nobody can type it.
NO_CODE = "---********"


def new_code() -> str:
    """A random code of 40.7 bits, like `K7M-3QX-9TP`."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(letters[start : start + GROUP_LENGTH] for start in range(0, LENGTH, GROUP_LENGTH))


def normalise(typed: str) -> str:
    """What somebody typed or scanned, as the code is stored: capitals, in groups, whatever stands between them."""
    letters = "".join(character for character in typed.upper() if character.isascii() and character.isalnum())[:64]
    return "-".join(letters[start : start + GROUP_LENGTH] for start in range(0, len(letters), GROUP_LENGTH))


def matches(typed: str, code: str | None) -> bool:
    """Whether the typed code is the right one, in a time that does not tell how much of it was right.

    Args:
        code: None, if there is none: then nothing matches, in the same time.
    """
    is_right = hmac.compare_digest(normalise(typed).encode(), (code or NO_CODE).encode())
    return is_right and code is not None
