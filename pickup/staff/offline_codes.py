"""How a tablet without a network knows that a pickup code is right, and never has the code itself.

It keeps PBKDF2-HMAC-SHA256 of each code under a salt of the store and the day. To find one code of 40.7 bits in what a
stolen tablet holds takes some 2⁴⁰ × 20,000 rounds of SHA-256, weeks for a machine full of graphics cards; the code is
worth nothing once its order is collected, and the salt nothing the next day.
"""

import hashlib
import hmac
from datetime import date, timedelta
from functools import lru_cache

from flask import current_app

from pickup.orders.models import Order

ROUNDS = 20_000
SALT_BYTES = 16
# Nobody works for longer without a network; of what is older nothing is believed.
KEPT_FOR = timedelta(days=7)


def salt_of(store_id: int, day: date) -> bytes:
    """The salt of a store for a day; nobody else can reckon it beforehand."""
    secret = str(current_app.secret_key).encode()
    return hmac.digest(secret, f"offline codes, {store_id}, {day}".encode(), "sha256")[:SALT_BYTES]


@lru_cache(maxsize=20_000)
def proof_of(code: str, salt: bytes) -> str:
    """What the tablet reckons from a (normalised) code that was typed, in hexadecimal.

    Some 5 ms; a day's codes of a large store are reckoned once in each process.
    """
    return hashlib.pbkdf2_hmac("sha256", code.encode(), salt, ROUNDS).hex()


def proofs_of(order: Order, salt: bytes) -> list[str]:
    """Of the codes that open an order: the customer's, and the collector's if there is one."""
    return [proof_of(code, salt) for code in (order.pickup_code, order.collector_code) if code]


def code_of(order: Order, proof: str, salt: bytes) -> str | None:
    """The order's code that a proof was reckoned from; None if it was none of its."""
    codes = [code for code in (order.pickup_code, order.collector_code) if code]
    return next((code for code in codes if hmac.compare_digest(proof_of(code, salt), proof)), None)
