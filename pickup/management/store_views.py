"""HTTP of the pages about stores: what they are, when they are open, whether they take orders."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, make_response, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.core.pages import Pages
from pickup.management import store_changes, store_queries, wording
from pickup.management.asking import all_cells, filled_in, one_page, typed, visible_store, wants_csv, wrong_fields
from pickup.management.csv_export import csv_response
from pickup.management.scope import visible_store_id
from pickup.management.views import Answer, require_manager
from pickup.staff.gate import member
from pickup.stores.models import STORE_KINDS, Store
from pickup.stores.moves import await_moves
from pickup.stores.service import get_store
from pickup.stores.week import coming_days

COLUMNS = ("ref", *store_changes.FIELDS, "paused_at", "feed_state")

blueprint = Pages(
    "stores_admin",
    __name__,
    url_prefix="/admin/stores",
    static_folder=None,
    way_back=("/admin/stores", "Back to the stores"),
)
blueprint.before_request(require_manager)
for filter_ in (wording.day_words, wording.figure, wording.signed):
    blueprint.add_app_template_filter(filter_, filter_.__name__)
blueprint.add_app_template_global(wording.csv_address, "csv_address")


@blueprint.get("")
def list_stores() -> Answer:
    """Stores, all that may be seen or those that are looked for."""
    words, only = typed("q"), visible_store_id()

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[Store]:
        return store_queries.find_stores(words, only=only, after=position[0] if position else "", limit=limit)

    if wants_csv():
        return csv_response("stores", COLUMNS, all_cells(read, _position, attrgetter(*COLUMNS)))
    return render_template("management/stores.html", words=words, **one_page(read, _position, str))


@blueprint.get("/<ref>")
def show_store(ref: str) -> Answer:
    """One store, with the forms that change it."""
    return _page(_store(ref))


@blueprint.post("/<ref>")
def change_store(ref: str) -> Answer:
    """Keep what the form says of a store."""
    store, form = _store(ref), filled_in(*_own_fields())
    try:
        values = store_changes.read_settings(form)
        is_changed = in_transaction(lambda: store_changes.change_store(member(), store.id, values, now=utcnow()))
    except InvalidFields as refusal:
        return make_response(_page(store, form=form, wrong=wrong_fields(refusal)), 422)
    await_moves()
    flash("Saved." if is_changed else "Nothing was changed.", "done")
    return redirect(url_for(".show_store", ref=ref), 303)


@blueprint.post("/<ref>/pause")
def pause_store(ref: str) -> Answer:
    """Take no new orders there."""
    store, move = _store(ref), "move_orders" in request.form
    in_transaction(lambda: store_changes.pause(member(), store, move_orders=move, now=utcnow()))
    flash("The store takes no new orders from now on.", "done")
    return redirect(url_for(".show_store", ref=ref), 303)


@blueprint.post("/<ref>/resume")
def resume_store(ref: str) -> Answer:
    """Take orders there again."""
    store = _store(ref)
    in_transaction(lambda: store_changes.resume(member(), store, now=utcnow()))
    flash("The store takes orders again.", "done")
    return redirect(url_for(".show_store", ref=ref), 303)


@blueprint.post("/<ref>/special-days")
def set_special_day(ref: str) -> Answer:
    """Give a date hours of its own, or other ones."""
    store, form = _store(ref), filled_in("day", "hours")
    try:
        day = _day(form["day"], today=_today(store, utcnow()))
        in_transaction(lambda: store_changes.set_special_day(member(), store, day, form["hours"], now=utcnow()))
    except InvalidFields as refusal:
        return make_response(_page(store, special=form, special_wrong=wrong_fields(refusal)), 422)
    flash(f"{day.isoformat()} has hours of its own: {form['hours']}.", "done")
    return redirect(url_for(".show_store", ref=ref, _anchor="special"), 303)


@blueprint.post("/<ref>/special-days/<date>/remove")
def drop_special_day(ref: str, date: str) -> Answer:
    """Let a date have the regular hours again."""
    store = _store(ref)
    day = _day(date, today=None)
    in_transaction(lambda: store_changes.drop_special_day(member(), store, day, now=utcnow()))
    flash(f"{day.isoformat()} has the regular hours again.", "done")
    return redirect(url_for(".show_store", ref=ref, _anchor="special"), 303)


def _store(ref: str) -> Store:
    visible_store(ref)
    return get_store(ref)


def _own_fields() -> Sequence[str]:
    return store_changes.fields_of(is_head_office=visible_store_id() is None)


def _today(store: Store, now: datetime) -> date:
    return now.astimezone(ZoneInfo(store.timezone)).date()


def _day(text: str, *, today: date | None) -> date:
    """A date as a field of a browser sends it, from today on if that is said."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidFields.at("/day", "choose a day, or write it as year-month-day: 2026-12-25") from None
    if today is not None and day < today:
        raise InvalidFields.at("/day", "this day is over")
    return day


def _page(
    store: Store,
    *,
    form: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    special: Mapping[str, str] | None = None,
    special_wrong: Mapping[str, str] | None = None,
) -> str:
    now = utcnow()
    days = store_queries.special_days(store.id, _today(store, now))
    hours = {each.day: each.hours for each in days}
    kept = {name: "" if getattr(store, name) is None else str(getattr(store, name)) for name in store_changes.FIELDS}
    return render_template(
        "management/store.html",
        store=store,
        paused_by=store_queries.who_paused(store) if store.paused_at else "",
        week=coming_days(store.opening_hours, store.timezone, store.country, hours, now=now),
        special_days=days,
        own_fields=_own_fields(),
        kinds=STORE_KINDS,
        form=kept | dict(form or {}),
        wrong=wrong or {},
        special=special or {"day": "", "hours": ""},
        special_wrong=special_wrong or {},
    )


def _position(store: Store) -> tuple[str]:
    return (store.ref,)
