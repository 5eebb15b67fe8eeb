"""Stores that move to another price zone: like a price, a move holds when everybody can see it."""

import time

from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.stores.queries import latest_move

# A move holds a quarter of a second after its commit; what lies further ahead is a clock that is wrong.
WAIT_SECONDS_MAX = 1.0


def await_moves() -> None:
    """Wait until every store is in the price zone that it was moved to.

    To be called after the commit: so whoever moved a store and asks for a price is told that of its new zone.
    """
    with unit_of_work():
        latest = latest_move()
    left = (latest - utcnow()).total_seconds() if latest else 0.0
    if 0 < left <= WAIT_SECONDS_MAX:
        time.sleep(left)
