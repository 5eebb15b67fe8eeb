"""HTTP of the dashboard: the first page for management."""

from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from flask import render_template

from pickup.core.clock import utcnow
from pickup.core.pages import Pages
from pickup.management import bars
from pickup.management.asking import typed, wants_csv
from pickup.management.csv_export import csv_response
from pickup.management.dashboard import present_dashboard
from pickup.management.period import Period, read_period
from pickup.management.scope import chosen_store, visible_store_id
from pickup.management.views import Answer, require_manager
from pickup.management.wording import day_words

# What is offered with one touch: so many days, today the last of them.
CHOICES = {"1": "Today", "7": "7 days", "28": "28 days"}
USUAL = "7"

blueprint = Pages(
    "dashboard", __name__, url_prefix="/admin", static_folder=None, way_back=("/staff", "Back to the orders")
)
blueprint.before_request(require_manager)
blueprint.add_app_template_filter(partial(day_words, with_year=True), "day")


@blueprint.get("", strict_slashes=False)
def show() -> Answer:
    """How a store, or all of them, did in some days."""
    now, store_ref = utcnow(), typed("store")
    chosen = chosen_store(store_ref)
    period, choice, problem = _period(now.astimezone(ZoneInfo(chosen.timezone)).date())
    if wants_csv() and not (chosen.error or problem):
        shown = present_dashboard(period, chosen.store_id, now=now)
        name = f"dashboard {period.first} to {period.last}"
        return csv_response(name, ("panel", "group", "what", "count"), shown.rows())
    return render_template(
        "management/dashboard.html",
        dashboard=None if chosen.error else present_dashboard(period, chosen.store_id, now=now),
        store=chosen.store,
        store_ref=store_ref if visible_store_id() is None else "",
        period=period,
        choice=choice,
        choices=CHOICES,
        error=chosen.error or problem,
        box=bars,
    )


def _period(today: date) -> tuple[Period, str, str]:
    """The days that are looked at, which of the choices they are, and what is wrong with what was typed."""
    choice = typed("days") if typed("days") in CHOICES else USUAL
    usual = Period(today - timedelta(days=int(choice) - 1), today)
    if not (typed("from") or typed("to")):
        return usual, choice, ""
    try:
        return read_period(typed("from"), typed("to"), usual), "", ""
    except ValueError as wrong:
        return usual, choice, str(wrong)
