"""Orders that are due: found by their time, taken under their locks, and each by itself where together they fail.

Several clocks do the same at once. Each takes what no other has in hand (`SKIP LOCKED`), and the database asks for the
condition once more of the row that it has locked: so what somebody else has done, or has become of the order meanwhile,
is not done again.
"""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, all_, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute

from pickup.core.db import BUSY_SQLSTATES, db, in_transaction, sqlstate, undo
from pickup.core.logging import log
from pickup.orders.models import Order

AT_ONCE = 200
# What is left then waits for the next turn: others are due, too.
BATCHES_MAX = 50

Step = Callable[[Sequence[Order]], None]


def work_off(step: Step, *conditions: ColumnElement[bool], by: InstrumentedAttribute[Any]) -> int:
    """Take a step with every order that is due; returns how many there were.

    Commits after each batch. Where a step fails with a batch, it is taken with each of its orders alone, and what fails
    then is logged, and tried again in the next turn.

    Args:
        step: with orders that are locked; it must make the conditions false, or they are due for ever.
        conditions: of columns of the order alone: what they say of another table is not asked again under the lock.
        by: the time that they are due by; the oldest come first.
    """
    done = 0
    failed: list[uuid.UUID] = []
    for _ in range(BATCHES_MAX):
        due = _due(conditions, by, failed)
        try:
            taken = in_transaction(partial(_take, due, step))
        except Exception as error:
            undo()
            if isinstance(error, DBAPIError) and sqlstate(error) in BUSY_SQLSTATES:
                raise  # nobody's fault, and each alone would wait as long
            log.warning("batch_failed", step=by.key, error=repr(error)[:500])
            taken = _each_alone(due, step, failed)
        done += taken
        if taken < AT_ONCE:
            break
    return done - len(failed)


def _due(
    conditions: Sequence[ColumnElement[bool]], by: InstrumentedAttribute[Any], without: Sequence[uuid.UUID]
) -> Select[Order]:
    others = Order.id != all_(bindparam("without", list(without), type_=ARRAY(Uuid())))
    return select(Order).where(*conditions, others).order_by(by).limit(AT_ONCE)


def _take(due: Select[Order], step: Step) -> int:
    locked = due.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    # In the order of their ids: so are the goods and hours locked that hang on them.
    orders = sorted(db.session.scalars(locked), key=lambda order: order.id)
    if orders:
        step(orders)
    return len(orders)


def _each_alone(due: Select[Order], step: Step, failed: list[uuid.UUID]) -> int:
    """The same with one after the other; returns how many were tried."""
    ids = in_transaction(lambda: db.session.scalars(due.with_only_columns(Order.id)).all())
    for order_id in ids:
        try:
            in_transaction(partial(_take, due.where(Order.id == order_id), step))
        except Exception as error:  # whatever is wrong with one must not hold up those behind it
            undo()
            failed.append(order_id)
            log.error("order_not_done", order_id=str(order_id), step=str(getattr(step, "__name__", "")), exc_info=error)
    return len(ids)
