"""When nobody should be rung up: from an hour to another of the local clock, over midnight as a rule. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SPAN = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})", re.ASCII)
# What wakes people waits. A mail lies there until somebody looks, and a tablet lies in a store: a customer who stands
# before it at ten in the evening, or an order for that evening, cannot wait for the morning.
NOISY: Mapping[str, bool] = {"email": False, "sms": True, "push": False}


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begins` (inclusive) to `ends` (exclusive) of the local clock; none where they are the same."""

    begins: time
    ends: time

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Read `21:00-08:00`; an empty text means none.

        Raises:
            ValueError: it is neither.
        """
        if not text.strip():
            return cls(time(), time())
        found = _SPAN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text[:60]!r} is not two times of the day such as 21:00-08:00")
        begins_hour, begins_minute, ends_hour, ends_minute = map(int, found.groups())
        return cls(time(begins_hour, begins_minute), time(ends_hour, ends_minute))

    def end_after(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end in which an instant lies; None if it lies in none.

        Args:
            at: aware.
            zone: whose clock counts. Of an hour that it shows twice the first counts, of one that it does not show the
                instant of the jump or a little later.
        """
        local = at.astimezone(zone)
        clock = local.time().replace(fold=0)
        if self.begins <= self.ends:
            is_quiet, over_midnight = self.begins <= clock < self.ends, False
        else:
            over_midnight = clock >= self.begins
            is_quiet = over_midnight or clock < self.ends
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=over_midnight)
        ends = datetime.combine(day, self.ends, zone).astimezone(UTC)
        # In the second of two hours that the clock shows twice the end may have been already.
        return ends if ends > at else None
