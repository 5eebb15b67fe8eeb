"""When a price begins: never before everybody can see it.

A price that is to hold "now" takes time to be written. Were it to begin when somebody asked for it, an order that is
priced meanwhile would differ from what the ledger says afterwards about that instant: the past would be rewritten. So
it begins a little later, behind the commit, and whoever changes prices waits for that instant. From then on all of a
change holds, for everyone, and no reader ever saw anything else for an instant than the ledger says of it.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import Unavailable
from pickup.core.logging import log
from pickup.pricing.queries import lock_price_ledger

# From the lock to the commit, several times over; also more than the clocks of well-kept servers differ by.
LEAD = timedelta(milliseconds=250)
LEAD_PER_CHANGE = timedelta(microseconds=40)
# Where that was too little (a slow disk, a busy machine), so many times more is taken, and so often.
LEAD_GROWTH = 3
ATTEMPTS_MAX = 4

Prepared = TypeVar("Prepared")
Recorded = TypeVar("Recorded")


class _TooSlow(Exception):
    """The commit may come later than the instant at which the prices were to begin."""


def record_at_once(
    count: int, prepare: Callable[[], Prepared], record: Callable[[Prepared, datetime], Recorded]
) -> Recorded:
    """Record price changes in one transaction, and return when they hold.

    Args:
        count: how many changes, about.
        prepare: what can be done before the ledger is locked, in the same transaction.
        record: writes them, none of them beginning before the instant that it is given.

    Raises:
        Unavailable: writing takes so long that no instant can be promised; nothing is recorded.
    """
    lead = LEAD + count * LEAD_PER_CHANGE
    for _ in range(ATTEMPTS_MAX):
        try:
            begins, recorded = in_transaction(lambda: _record(prepare, record, lead))  # noqa: B023  it is over by then
        except _TooSlow:
            lead *= LEAD_GROWTH
            continue
        _wait_for(begins)
        return recorded
    raise Unavailable("The price ledger is too slow at the moment; no price was changed.", retry_after_seconds=5)


def _record(
    prepare: Callable[[], Prepared], record: Callable[[Prepared, datetime], Recorded], lead: timedelta
) -> tuple[datetime, Recorded]:
    prepared = prepare()
    lock_price_ledger()
    begins = utcnow() + lead
    recorded = record(prepared, begins)
    if utcnow() > begins - lead / 2:  # the other half is for the commit
        raise _TooSlow
    return begins, recorded


def _wait_for(begins: datetime) -> None:
    left = (begins - utcnow()).total_seconds()
    if left > 0:
        time.sleep(left)
    else:
        # All that can be done is to say so: orders of the last moments have the prices of before.
        log.error("prices_began_late", begins=begins.isoformat(), seconds=-left)
