"""The books, checked by the clock: a difference is an operator's business long before a customer's."""

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from pickup.core.db import db, in_transaction
from pickup.core.logging import log
from pickup.inventory.models import StockCheck
from pickup.inventory.queries import newest_check
from pickup.inventory.reconciliation import Comparison, compare, level_count

# A check reads every movement. Several clocks, or one that is started again and again, make no more of them than this.
PAUSE_MIN = timedelta(minutes=30)
KEPT = timedelta(days=30)
FIRST_MAX = 20
_LOCK = 0x73746F636B  # "stock"


def check_stock(now: datetime) -> int:
    """Compare every level with what explains it, and keep what was found; returns the number of differences.

    Each of the first differences is a line in the log; the numbers are for `/metrics`.
    """
    found = in_transaction(lambda: _check(now))
    for difference in found.first:
        log.error("stock_difference", **asdict(difference))
    return found.count


def _check(now: datetime) -> Comparison:
    is_ours = db.session.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one()
    last = newest_check() if is_ours else None
    if not is_ours or (last is not None and now - last.at < PAUSE_MIN):
        return Comparison(0, [])
    found = compare(limit=FIRST_MAX)
    first = [asdict(difference) for difference in found.first]
    db.session.add(StockCheck(at=now, levels=level_count(), differences=found.count, first=first))
    db.session.execute(delete(StockCheck).where(StockCheck.at < now - KEPT))
    return found
