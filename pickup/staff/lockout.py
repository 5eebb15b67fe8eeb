"""When guessing has to stop. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

FAILURES_MAX = 5


def is_locked(failures: Sequence[datetime], window: timedelta, *, now: datetime) -> bool:
    """Whether the last five failures fell within one window, and the last of them less than a window ago.

    Nothing is counted while it is locked, so the lock ends one window after the failure that closed it.

    Args:
        failures: the newest ones, newest first; five are enough.
    """
    if len(failures) < FAILURES_MAX:
        return False
    newest, oldest = failures[0], failures[FAILURES_MAX - 1]
    return newest - oldest <= window and now - newest < window
