"""When a webhook that failed is sent again: the retry schedule of Standard Webhooks, a bit over three days."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# How long after each failure.
STEPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# Up or down, so that what failed together does not come back together.
JITTER = 0.1
# A receiver may ask for patience, but not for so much that nobody would see its failure.
PATIENCE_LEAST = timedelta(hours=1)
ASKS_FOR_PATIENCE = frozenset({429, 503})


def next_attempt(
    failures: int, now: datetime, *, chance: float, status: int | None = None, retry_after: str | None = None
) -> datetime | None:
    """When to try again; None: never, it is given up.

    Args:
        failures: how many attempts have failed, with the present one.
        chance: from 0 to 1, evenly; decides about the jitter.
        status: what the receiver answered, if anything.
        retry_after: the header of that name (RFC 9110, 10.2.3); counts with 429 and 503 where it is later.
    """
    if failures > len(STEPS):
        return None
    step = STEPS[failures - 1]
    delay = step * (1 - JITTER + 2 * JITTER * chance)
    if status in ASKS_FOR_PATIENCE and retry_after:
        delay = max(delay, min(_wanted(retry_after.strip(), now), max(2 * step, PATIENCE_LEAST)))
    return now + delay


def _wanted(retry_after: str, now: datetime) -> timedelta:
    """Seconds, or a date; nothing where it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=int(retry_after[:9]))
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # the latter: an offset of more hours than there are numbers
        return timedelta(0)
    return (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
