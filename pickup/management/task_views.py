"""HTTP of the page about failed work: what workers could not do, and letting them try at once."""

from collections.abc import Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import NotFound
from pickup.core.pages import Pages
from pickup.management import task_queries
from pickup.management.asking import all_cells, one_page, typed, wants_csv
from pickup.management.csv_export import csv_response
from pickup.management.scope import visible_store_id
from pickup.management.task_presenting import KIND_WORDS, TaskRow, kind_words, present_task
from pickup.management.views import Answer, require_manager
from pickup.staff import audit
from pickup.staff.gate import member

COLUMNS = ("id", "kind", "about", "order", "store_ref", "since", "failures", "next_attempt_at", "given_up_at", "error")

blueprint = Pages(
    "tasks_admin",
    __name__,
    url_prefix="/admin/tasks",
    static_folder=None,
    way_back=("/admin/tasks", "Back to the work"),
)
blueprint.before_request(require_manager)


@blueprint.get("")
def list_tasks() -> Answer:
    """What has failed and is not done yet, oldest first."""
    handler, store_id = typed("kind"), visible_store_id()

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[TaskRow]:
        after = position[0] if position else 0
        found = task_queries.find_failed(handler=handler, store_id=store_id, after=after, limit=limit)
        return [present_task(row) for row in found]

    if wants_csv():
        return csv_response("failed-work", COLUMNS, all_cells(read, _position, _cells))
    return render_template(
        "management/tasks.html",
        kind=handler,
        kind_words=kind_words,
        counts=task_queries.count_failed(store_id=store_id),
        **one_page(read, _position, int),
    )


@blueprint.post("/<int(max=9223372036854775807):task_id>/try-again")
def try_again(task_id: int) -> Answer:
    """Let one task be due now."""
    count = in_transaction(lambda: _try_one(task_id))
    flash("It is tried again now." if count else "A worker has it in hand at this moment.", "done")
    return redirect(url_for(".list_tasks"), 303)


@blueprint.post("/try-again")
def try_all_again() -> Answer:
    """Let all tasks of a kind be due now."""
    handler = request.form.get("kind", "")
    if handler not in KIND_WORDS:
        raise NotFound("There is no such kind of work.")
    count = in_transaction(lambda: _try_all(handler))
    flash(f"{count} {'is' if count == 1 else 'are'} tried again now: {kind_words(handler).lower()}.", "done")
    return redirect(url_for(".list_tasks"), 303)


def _try_one(task_id: int) -> int:
    task = task_queries.failed_task(task_id, store_id=visible_store_id())
    if task is None:
        raise NotFound("This is done meanwhile, or it is none of your store’s.")
    now = utcnow()
    audit.record(member(), "try_task_again", now=now, order_id=task.order_id, kind=task.handler)
    return outbox.try_now([task.id], now=now)


def _try_all(handler: str) -> int:
    now, ids = utcnow(), task_queries.failed_ids(handler=handler, store_id=visible_store_id())
    count = outbox.try_now(ids, now=now)
    audit.record(member(), "try_tasks_again", now=now, kind=handler, tasks=count)
    return count


def _cells(row: TaskRow) -> Sequence[object]:
    what = (row.id, row.handler, row.about, row.order_number, row.store_ref)
    return *what, row.since, row.attempts, row.due_at, row.given_up_at, row.error


def _position(row: TaskRow) -> tuple[int]:
    return (row.id,)
