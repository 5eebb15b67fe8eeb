"""What these pages do not repeat: keys to an order, wherever they turn up."""

import re

_ADDRESS = re.compile(r"(?P<first>[^\s@<>\"'(),;:])[^\s@<>\"'(),;:]*@(?P<domain>[\w.-]+)")


def without_keys(words: str, *keys: str | None) -> str:
    """The same without the pickup codes and the tokens of an order's pages, also where an error quotes a message."""
    # The longest first: one may be a part of another.
    for key in sorted(filter(None, keys), key=len, reverse=True):
        words = words.replace(key, "…")
    return words


def mask_addresses(words: str) -> str:
    """The same, with no more of a mail address than its first letter and where it leads."""
    return _ADDRESS.sub(r"\g<first>…@\g<domain>", words)
