"""Card testing: somebody tries one card after the other, to learn which of them work.

Five payments may be declined within ten minutes, for each of: the API client, the address that its request came from,
the customer, and the customer's own address where the shop tells it. The sixth that is declined is answered as too
many. Whoever is one customer is refused from then on without asking the bank; a client is not, since it is a shop with
all its customers: see `docs/decisions/0013-who-is-refused-after-declines.md`.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, DateTime, LargeBinary, bindparam, delete, text

from pickup.core.db import db, run
from pickup.core.metrics import DECLINES
from pickup.payments.errors import PaymentDeclined, TooManyDeclines
from pickup.payments.models import DeclinedPayment

DECLINES_MAX = 5
WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose declined payments are counted."""

    client_id: int
    client_address: str
    customer_email: str
    customer_address: str | None

    @property
    def as_customer(self) -> list[bytes]:
        """What is one person, as far as we can tell."""
        return _digests(("customer", self.customer_email.casefold()), ("customer address", self.customer_address))

    @property
    def subjects(self) -> list[bytes]:
        """All that is counted."""
        return [
            *self.as_customer,
            *_digests(("client", str(self.client_id)), ("address", self.client_address)),
        ]


def _digests(*subjects: tuple[str, str | None]) -> list[bytes]:
    """Whom a row is about cannot be read from it; a shop that names no address is no subject."""
    return [hashlib.sha256(f"{kind} {name}".encode()).digest() for kind, name in subjects if name]


# The fifth last decline of each subject, if it lies within the window: nothing more before it has left that.
_FIFTH_LAST = f"""
    SELECT at FROM unnest(:subjects) AS given (counted) CROSS JOIN LATERAL (
        SELECT at FROM declined_payments WHERE subject = counted AND at > :since
        ORDER BY at DESC OFFSET {DECLINES_MAX - 1} LIMIT 1
    ) AS fifth
"""  # noqa: S608  put together from constants
# For a statement that has its effect only where this gives a row.
ALLOWED = f"SELECT WHERE NOT EXISTS ({_FIFTH_LAST})"
ALLOWED_PARAMETERS = (
    bindparam("subjects", type_=ARRAY(LargeBinary())),
    bindparam("since", type_=DateTime(timezone=True)),
)
_BLOCKING = text(f"SELECT max(at) FROM ({_FIFTH_LAST}) AS blocking").bindparams(  # noqa: S608
    *ALLOWED_PARAMETERS
)
# One at a time, until the commit: of ten that are declined at the same instant, too, the sixth is too many.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('declined payments'))")


def allowed(payer: Payer, *, now: datetime) -> dict[str, Any]:
    """The parameters of `ALLOWED`."""
    return {"subjects": payer.as_customer, "since": now - WINDOW}


def check(payer: Payer, *, now: datetime) -> None:
    """See that a customer may try another payment.

    Raises:
        TooManyDeclines: not now.
    """
    refusal = _refusal(payer.as_customer, now)
    if refusal is not None:
        raise refusal


def count(payer: Payer, *, now: datetime) -> TooManyDeclines | None:
    """A payment was declined; returns the refusal if it is one too many."""
    run(_ONE_AT_A_TIME, {})
    refusal = _refusal(payer.subjects, now)
    DECLINES.labels((refusal or PaymentDeclined).code).inc()
    db.session.add_all(DeclinedPayment(subject=subject, at=now) for subject in payer.subjects)
    return refusal


def forget_older_than(limit: datetime) -> int:
    """Drop what no window reaches any more; returns how many."""
    gone = db.session.execute(delete(DeclinedPayment).where(DeclinedPayment.at < limit).returning(DeclinedPayment.id))
    return len(gone.all())


def _refusal(subjects: Sequence[bytes], now: datetime) -> TooManyDeclines | None:
    blocking = run(_BLOCKING, {"subjects": list(subjects), "since": now - WINDOW}).scalar_one()
    if blocking is None:
        return None
    seconds = max(math.ceil((blocking + WINDOW - now).total_seconds()), 1)
    return TooManyDeclines(
        "One payment after the other was declined. Try again later, with another means of payment, and a fresh "
        "idempotency key.",
        retry_after_seconds=seconds,
    )
