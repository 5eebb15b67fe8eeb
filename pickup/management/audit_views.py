"""HTTP of the audit trail: who did what, when, on which tablet."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import render_template
from sqlalchemy import Row

from pickup.core.clock import utcnow
from pickup.core.pages import Pages
from pickup.management import audit_queries
from pickup.management.asking import all_cells, asked_store, one_page, typed, wants_csv
from pickup.management.audit_queries import AuditFilter
from pickup.management.csv_export import csv_response
from pickup.management.period import Period, read_period
from pickup.management.scope import visible_store_id
from pickup.management.views import Answer, require_manager

COLUMNS = ("at", "store_ref", "person", "tablet", "action", "order", "detail")
# Nobody who looks at the trail has a period in mind yet: all of it, then.
ALL_DAYS = 365

blueprint = Pages(
    "audit_admin",
    __name__,
    url_prefix="/admin/audit",
    static_folder=None,
    way_back=("/admin/audit", "Back to the trail"),
)
blueprint.before_request(require_manager)


@blueprint.get("")
def list_entries() -> Answer:
    """The trail, newest first, all of it or what is looked for."""
    wanted, error = _filter()

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[Row[Any]]:
        return audit_queries.find_entries(wanted, before=position[0] if position else None, limit=limit)

    if wants_csv() and not error:
        return csv_response("audit", COLUMNS, all_cells(read, _position, _cells))
    fields = {name: typed(name) for name in ("store", "person", "action", "order", "from", "to")}
    kept = {name: words for name, words in fields.items() if words}
    listed = {"rows": (), "next": None, "is_first": True} if error else one_page(read, _position, int)
    return render_template("management/audit.html", asked=fields, kept=kept, error=error, **listed)


@blueprint.app_template_filter("action_words")
def action_words(action: str) -> str:
    """An action as people read it."""
    return action.replace("_", " ").capitalize()


@blueprint.app_template_filter("detail_words")
def detail_words(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else there is to know about an action: names, and what stands there."""
    return [(name.replace("_", " "), _value_words(value)) for name, value in detail.items()]


def _value_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} × {each}" for name, each in value.items())
    if isinstance(value, list):
        # Of a change: what was there, and what is there now.
        return " → ".join(_value_words(each) for each in value)
    return str(value)


def _filter() -> tuple[AuditFilter, str]:
    """What is looked for, and what is wrong with what was typed."""
    store, error = asked_store()
    order_id, unknown = _order()
    period, problem = _period()
    wanted = AuditFilter(
        store_id=store.id if store else None,
        person=typed("person"),
        action=typed("action").lower().replace(" ", "_"),
        order_id=order_id,
        since=period.since if period else None,
        until=period.until if period else None,
    )
    return wanted, error or unknown or problem


def _order() -> tuple[uuid.UUID | None, str]:
    number = typed("order")
    if not number:
        return None, ""
    is_number = number.isascii() and number.isdigit()
    found = audit_queries.order_id_of(int(number), store_id=visible_store_id()) if is_number else None
    return found, "" if found else f"There is no order {number}."


def _period() -> tuple[Period | None, str]:
    first, last = typed("from"), typed("to")
    if not first and not last:
        return None, ""
    today = utcnow().date()
    try:
        return read_period(first, last, Period(today - timedelta(days=ALL_DAYS), today)), ""
    except ValueError as wrong:
        return None, str(wrong)


def _cells(row: Row[Any]) -> Sequence[object]:
    return row.at, row.store_ref, row.member_name, row.device_name, row.action, row.order_number, row.detail


def _position(row: Row[Any]) -> tuple[int]:
    return (row.id,)
