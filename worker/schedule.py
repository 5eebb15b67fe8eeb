"""The clock: what is due because time passed. `python -m worker.schedule`

Each job is safe to run twice and by several processes: it takes rows under a lock and looks again. So there is no
leader to elect, and a second scheduler only finds less to do.
"""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from pickup.core.clock import utcnow
from pickup.core.db import undo
from pickup.core.logging import log
from pickup.inventory import checking
from pickup.orders import clockwork, holding, lapsing, money_checks, sweeping
from pickup.pricing import activation
from pickup.privacy import erasing
from pickup.tills import lateness, silence
from pickup.webhooks import deliveries, stock_news
from worker.app import app

Job = Callable[[datetime], int]

# How often, in seconds, and what.
SCHEDULE: tuple[tuple[float, Job], ...] = (
    (2, stock_news.tell_of_stock),
    (5, activation.tell_of_beginnings),
    (30, sweeping.cancel_unpaid_orders),
    (15, holding.end_unpaid_holds),
    (30, sweeping.expire_holds),
    (30, sweeping.end_offers),
    (30, clockwork.see_overdue),
    (30, clockwork.see_risks),
    (30, clockwork.remind),
    (30, clockwork.warn),
    (60, silence.watch_tills),
    (60, lateness.watch_registers),
    (600, sweeping.forget_declines),
    (3600, sweeping.forget_idempotency_keys),
    (3600, erasing.erase_due),
    (3600, deliveries.forget_attempts),
)
# A gateway that is slow, or away, is waited for with each call: nothing else that is due waits with it.
GATEWAYS: tuple[tuple[float, Job], ...] = (
    (5, sweeping.resolve_pending_payments),
    (60, lapsing.keep_holds),
)
# The checks of the books take their time, more so those that ask a gateway: nothing that is due waits for them.
CHECKS: tuple[tuple[float, Job], ...] = (
    (3600, checking.check_stock),
    (3600, money_checks.check_money),
)

stopping = threading.Event()


def run_job(job: Job) -> None:
    """Run one job; a fault is logged, and the next turn tries again."""
    try:
        done = job(utcnow())
        if done:
            log.info("scheduled", job=job.__name__, done=done)
    except SQLAlchemyError as error:
        log.warning("schedule_fault", job=job.__name__, error=str(error)[:300])
    except Exception as error:
        log.error("schedule_fault", job=job.__name__, exc_info=error)
    finally:
        undo()  # also what was only read: nobody sleeps in a transaction


def keep_to(schedule: Sequence[tuple[float, Job]]) -> None:
    """Run each job in its turn until the process is to stop."""
    due = {job: time.monotonic() for _, job in schedule}
    with app.app_context():
        while not stopping.wait(max(0.0, min(due.values()) - time.monotonic())):
            for every, job in schedule:
                if due[job] <= time.monotonic():
                    run_job(job)
                    due[job] = time.monotonic() + every


def main() -> None:
    """Run all jobs until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    log.info("schedule_started")
    for schedule in (GATEWAYS, CHECKS):
        threading.Thread(target=keep_to, args=(schedule,), daemon=True).start()
    keep_to(SCHEDULE)


if __name__ == "__main__":
    main()
