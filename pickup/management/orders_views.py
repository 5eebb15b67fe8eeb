"""HTTP of the pages about orders: what there is, and everything about one."""

import uuid
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request

from pickup.core.clock import utcnow
from pickup.core.errors import InvalidFields
from pickup.core.pages import Pages
from pickup.core.pagination import decode_cursor, page
from pickup.management import order_list, order_page
from pickup.management import orders_queries as queries
from pickup.management.asking import typed, wants_csv
from pickup.management.csv_export import csv_response, page_by_page
from pickup.management.orders_queries import Wanted
from pickup.management.period import read_day
from pickup.management.scope import Chosen, chosen_store, visible_store_id
from pickup.management.views import Answer, require_manager
from pickup.orders.errors import OrderNotFound
from pickup.orders.lifecycle import REASONS, STATUSES
from pickup.orders.queries import get_order
from pickup.staff.presenting import STATUS_WORDS

ORDERS_MAX = 50
FIELDS = ("q", "status", "reason", "store", "from", "to")

blueprint = Pages(
    "managed_orders",
    __name__,
    url_prefix="/admin/orders",
    static_folder=None,
    way_back=("/admin/orders", "All orders"),
)
blueprint.before_request(require_manager)


@blueprint.get("", strict_slashes=False)
def list_orders() -> Answer:
    """Orders, the newest first: all, or those that are looked for."""
    now, chosen = utcnow(), chosen_store(typed("store"))
    wanted, error = _wanted(chosen)
    if wants_csv() and not error:
        rows = page_by_page(lambda position: order_list.csv_page(wanted, position))
        return csv_response("orders", order_list.CSV_HEADER, rows)
    asked = {name: typed(name) for name in FIELDS}
    shown = _page(wanted) if not error else {"data": [], "next": None}
    return render_template(
        "management/orders.html",
        asked=asked,
        link={name: words for name, words in asked.items() if words},
        error=error,
        sees_all=visible_store_id() is None,
        statuses=STATUS_WORDS,
        reasons=order_list.REASON_WORDS,
        rows=[order_list.present_row(order, now=now) for order in shown["data"]],
        next=shown["next"],
        is_first="after" not in request.args,
    )


@blueprint.get("/<uuid:order_id>")
def show_order(order_id: uuid.UUID) -> Answer:
    """Everything about one order. Another store's is as good as not there."""
    order = get_order(order_id, with_history=True)
    if visible_store_id() not in (None, order.store_id):
        raise OrderNotFound("There is no such order, or it is another store's.")
    return render_template("management/order.html", page=order_page.present_order(order, now=utcnow()))


def _page(wanted: Wanted) -> dict[str, Any]:
    position = decode_cursor(request.args.get("after"), str)
    try:
        after = uuid.UUID(position[0]) if position else None
    except ValueError:
        raise InvalidFields.at("/after", "is not a cursor of this list") from None
    found = queries.find_orders(wanted, after=after, limit=ORDERS_MAX + 1)
    return page(found, ORDERS_MAX, lambda order: (str(order.id),))


def _wanted(chosen: Chosen) -> tuple[Wanted, str]:
    """What is looked for, and what is wrong with it. Days begin by the clock of the store."""
    status, reason = typed("status"), typed("reason")
    try:
        first, last = read_day(typed("from"), None), read_day(typed("to"), None)
    except ValueError as wrong:
        return Wanted(store_id=chosen.store_id), str(wrong)
    zone = ZoneInfo(chosen.timezone)
    wanted = Wanted(
        words=typed("q"),
        status=status if status in STATUSES else "",
        reason=reason if reason in REASONS else "",
        store_id=chosen.store_id,
        since=datetime.combine(first, time(), zone).astimezone(UTC) if first else None,
        until=datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC) if last else None,
    )
    return wanted, chosen.error or ("The first day comes after the last." if first and last and first > last else "")
