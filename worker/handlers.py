"""What the outbox's tasks do: one row per handler, with its queue. Services do the work."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pickup.core.outbox import Task
from pickup.orders import (
    announcing,
    closing,
    collector_mails,
    confirming,
    holding,
    reserving,
    settling,
    shortages,
    store_messages,
    telling,
)

Effect = Callable[[Sequence[Task], datetime], Sequence[Task]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Many tasks in one transaction; what the first effect leaves, the second does in a transaction of its own.

    An effect returns the tasks that are still to be done; all others are done with its transaction.
    """

    queue: str
    effects: tuple[Effect, ...]
    size: int = 200
    pace_seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class Remote:
    """Many tasks, with a call to somebody else for each of them between two transactions for all.

    `prepare` says by task id what to ask for (no entry: nothing any more; `Later`: not yet; `Hopeless`: by nobody but
    a person); `performing` opens what the calls need and gives the function that asks, outside of any transaction, for
    one after the other; `record` keeps the answers, and returns the tasks that are to be done once more. A call may be
    made twice for one task, so it carries a key that makes the second one harmless.
    """

    queue: str
    prepare: Callable[[Sequence[Task], datetime], Mapping[int, Any]]
    performing: Callable[[], AbstractContextManager[Callable[[Any], Any]]]
    record: Callable[[Sequence[tuple[Task, Any]], datetime], Sequence[Task] | None]
    size: int = 50
    pace_seconds: float = 0.2


# The pace is the least time between two deliveries: a job costs more than most of its tasks, so under load it is better
# to gather for a moment. The first task after a pause never waits. Nobody misses half a second of a mail.
HANDLERS: dict[str, Batch | Remote] = {
    "reserve_stock": Batch("reservations", (reserving.reserve_stock, reserving.route_on)),
    "hold_stock": Batch("reservations", (holding.hold_stock,)),
    "cover_shortages": Batch("reservations", (shortages.cover_shortages,)),
    "clear_store": Batch("reservations", (closing.clear_store,), size=1),
    "ask_gateway": Remote("payments", confirming.prepare, confirming.performing, confirming.record),
    "settle_payment": Remote("payments", settling.prepare, settling.performing, settling.record),
    "notify_customer": Remote(
        "notifications", announcing.prepare, telling.performing, telling.record, pace_seconds=0.5
    ),
    "notify_collector": Remote(
        "notifications", collector_mails.prepare, telling.performing, telling.record, pace_seconds=0.5
    ),
    "notify_store": Remote(
        "notifications", store_messages.prepare_mails, telling.performing, telling.record, pace_seconds=0.5
    ),
    "wake_store": Remote(
        "notifications", store_messages.prepare_calls, telling.performing, telling.record, pace_seconds=0.5
    ),
}

QUEUES: tuple[str, ...] = tuple(dict.fromkeys(handler.queue for handler in HANDLERS.values()))
