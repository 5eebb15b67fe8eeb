"""What the outbox's tasks do: one row per handler, with its queue. Services do the work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pickup.core.outbox import Task
from pickup.orders import announcing, reserving, settling, shortages

Effect = Callable[[Sequence[Task], datetime], Sequence[Task]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Many tasks in one transaction; what the first effect leaves, the second does in a transaction of its own.

    An effect returns the tasks that are still to be done; all others are done with its transaction.
    """

    queue: str
    effects: tuple[Effect, ...]
    size: int = 200


@dataclass(frozen=True, slots=True)
class Remote:
    """One task at a time, with a call to somebody else between two transactions.

    `prepare` says what to ask for (None: nothing any more), `perform` asks, outside of any transaction, and `record`
    keeps the answer. `perform` may run twice for one task, so it carries a key that makes the second call harmless.
    """

    queue: str
    prepare: Callable[[Task, datetime], Any]
    perform: Callable[[Any], Any]
    record: Callable[[Task, Any, datetime], None]
    size: int = 20


HANDLERS: dict[str, Batch | Remote] = {
    "reserve_stock": Batch("reservations", (reserving.reserve_stock, reserving.route_on)),
    "cover_shortages": Batch("reservations", (shortages.cover_shortages,)),
    "settle_payment": Remote("payments", settling.prepare, settling.perform, settling.record),
    "notify_customer": Remote("notifications", announcing.prepare, announcing.perform, announcing.record),
}

QUEUES: tuple[str, ...] = tuple(dict.fromkeys(handler.queue for handler in HANDLERS.values()))
