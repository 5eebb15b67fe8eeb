"""The check of the money by the clock: whose turn it is, and what was found, kept for whoever is asked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from pickup.core.db import db, in_transaction
from pickup.payments.models import MoneyCheck
from pickup.payments.queries import newest_check

# Daily. Each check asks the gateways for a week of charges.
PAUSE_MIN = timedelta(hours=23, minutes=30)
KEPT = timedelta(days=90)
FIRST_MAX = 20
_LOCK = 0x6D6F6E6579  # "money"


@contextmanager
def turn(now: datetime) -> Iterator[bool]:
    """Whether a check is due and nobody else is at it; nobody else is while this lasts.

    The lock is the session's and not a transaction's: none is open while a gateway is asked.
    """
    connection = db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        is_ours = connection.execute(select(func.pg_try_advisory_lock(_LOCK))).scalar_one()
        last = in_transaction(newest_check) if is_ours else None
        yield is_ours and (last is None or now - last.at >= PAUSE_MIN)
    finally:
        connection.invalidate()  # and with it goes the lock
        connection.close()


def keep(differences: int, first: Sequence[str], *, payments: int, now: datetime) -> None:
    """Write down what a check has found, and forget old ones."""
    lines = [{"line": line} for line in first]
    db.session.add(MoneyCheck(at=now, payments=payments, differences=differences, first=lines))
    db.session.execute(delete(MoneyCheck).where(MoneyCheck.at < now - KEPT))
