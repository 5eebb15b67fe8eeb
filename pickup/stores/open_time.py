"""How long a store's doors were open between two moments. Pure.

What happens in a store, or fails to, is measured in this: a night says nothing about anybody.
"""

from datetime import datetime, timedelta

from pickup.stores.opening_hours import OpeningHours

# Openings that touch come as one, so that of a store that is always open the first one is known only at its end.
AT_ONCE = timedelta(days=3)


def open_time(hours: OpeningHours, start: datetime, end: datetime, *, at_most: timedelta = timedelta.max) -> timedelta:
    """The open time between two moments (aware); none if they are in the wrong order.

    Args:
        at_most: counting stops here, which is what makes years cheap.
    """
    total = timedelta()
    while start < end and total < at_most:
        until = min(start + AT_ONCE, end)
        total += sum((closes - opens for opens, closes in hours.open_intervals(start, until)), timedelta())
        start = until
    return min(total, at_most)
