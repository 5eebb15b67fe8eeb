"""HTTP of the pages for management. They only show; every form of theirs is a question."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from pickup.catalog.queries import products_by_id
from pickup.core.clock import utcnow
from pickup.core.pages import Pages
from pickup.management import parity, plot, presenting, price_list, queries
from pickup.management.asking import TYPED_MAX_CHARACTERS, all_cells, one_page, typed, wants_csv
from pickup.management.csv_export import csv_response
from pickup.management.navigation import navigation
from pickup.management.period import DAYS_AHEAD, Period, read_period, usual_period
from pickup.management.price_list import ProductRow
from pickup.management.scope import chosen_store, sees_store, visible_store_id
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.queries import EVERYWHERE
from pickup.pricing.service import known_product
from pickup.staff.errors import ManagerNeeded
from pickup.staff.gate import admit, member
from pickup.stores.directory import StoreEntry, fresh_directory
from pickup.tills.queries import BreachFilter

# What a list has where something is wrong with what it was asked.
NOTHING: dict[str, Any] = {"rows": (), "next": None, "is_first": True}

blueprint = Pages("management", __name__, url_prefix="/admin", way_back=("/staff", "Back to the orders"))
blueprint.add_app_template_filter(presenting.moment, "moment")
blueprint.add_app_template_filter(presenting.zone_words, "zone_words")
blueprint.add_app_template_global(navigation, "navigation")
blueprint.add_app_template_global(sees_store, "sees_store")

Answer = str | Response | BaseResponse


@blueprint.before_request
def require_manager() -> Answer | None:
    """Managers sign in as on the tablet, and come back to what they asked for."""
    if request.endpoint == "management.static":
        return None
    if (refused := admit(comes_back=True)) is not None:
        return refused
    if not member().is_manager:
        raise ManagerNeeded("These pages are for managers. Sign out, and let one sign in.")
    queries.give_up_after_a_while()
    return None


@blueprint.get("/prices")
def list_prices() -> Answer:
    """Products with their prices, all or those that are looked for: in a store, or in all of them."""
    words, now, chosen = typed("q"), utcnow(), chosen_store(typed("store"))

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[ProductRow]:
        found = queries.find_products(words, after=position[0] if position else "", limit=limit)
        return price_list.present_products(found, chosen.store, now=now)

    if wants_csv() and not chosen.error:
        return csv_response("prices", price_list.COLUMNS, all_cells(read, price_list.position, price_list.cells))
    listed = NOTHING if chosen.error else one_page(read, price_list.position, str)
    return render_template(
        "management/prices.html",
        words=words,
        store=chosen.store,
        store_ref=typed("store") if visible_store_id() is None else "",
        zone=chosen.store.price_zone_at(now) if chosen.store else EVERYWHERE,
        error=chosen.error,
        breach_days=price_list.BREACH_DAYS,
        **listed,
    )


@blueprint.get("/prices/<path:sku>")
def show_history(sku: str) -> Answer:
    """What one product cost, costs and will cost; what was charged; and where that was not the same."""
    try:
        product = products_by_id([known_product(sku)]).popitem()[1]
    except ProductNotFound:
        return make_response(render_template("management/unknown.html", sku=sku[:TYPED_MAX_CHARACTERS]), 404)
    now, chosen = utcnow(), chosen_store(typed("store"))
    own_zones = queries.zones_of(product.id)
    zones = _zones(chosen.store, own_zones, now)
    usual_zone = chosen.store.price_zone_at(now) if chosen.store else EVERYWHERE
    zone = typed("zone") if "zone" in request.args else usual_zone
    error = "" if zone in zones else f"There is no price zone {zone}."
    zone = zone if zone in zones else EVERYWHERE
    period, problem = _period(product.id, zone, now)
    error = chosen.error or error or problem
    if wants_csv() and not error:
        entries = queries.ledger_entries(product.id, zone, period.since, period.until)
        return csv_response("ledger", presenting.ENTRY_COLUMNS, [presenting.entry_cells(each) for each in entries])
    return render_template(
        "management/history.html",
        product=product,
        store=chosen.store,
        store_ref=typed("store") if visible_store_id() is None else "",
        zone=zone,
        zones=zones,
        own_zones=own_zones,
        period=period,
        error=error,
        box=plot,
        history=presenting.present_history(product.id, zone, period, chosen.store_id, now=now),
    )


@blueprint.get("/parity")
def show_parity() -> Answer:
    """Whether tills charge what the ledger says."""
    now, chosen, sku = utcnow(), chosen_store(typed("store")), typed("sku")
    product_id, problem = _product(sku)
    error, store = chosen.error or problem, chosen.store
    wanted = BreachFilter(chosen.store_id, product_id=product_id)
    if wants_csv() and not error:
        if typed("table") == "registers":
            return csv_response("registers", parity.REGISTER_COLUMNS, parity.register_cells(store, now=now))
        return csv_response("breaches", parity.BREACH_COLUMNS, parity.breach_cells(wanted))
    breaches = None if error else parity.present_breaches(wanted, request.args.get("after"))
    is_first = breaches is not None and breaches["is_first"]
    return render_template(
        "management/parity.html",
        store_ref=typed("store") if visible_store_id() is None else "",
        sku=sku,
        error=error,
        store=store,
        breaches=breaches,
        registers=parity.present_registers(store, now=now) if is_first else None,
        counts=parity.count_by_store(now=now) if is_first and store is None else None,
        count_days=parity.COUNT_DAYS,
    )


def _zones(store: StoreEntry | None, own_zones: Sequence[str], now: datetime) -> Sequence[str]:
    """The price zones to choose from: those that a store is or was in; of all stores, also those with prices only."""
    if store:
        return sorted({zone for _, zone in store.price_zones} | {EVERYWHERE})
    of_stores = {each.price_zone_at(now) for each in fresh_directory().by_id.values()}
    return sorted(of_stores | set(own_zones) | {EVERYWHERE})


def _product(sku: str) -> tuple[int | None, str]:
    """The product that is looked for, if one is, and what is wrong with what was typed."""
    try:
        return known_product(sku) if sku else None, ""
    except ProductNotFound:
        return None, f"There is no product {sku}."


def _period(product_id: int, zone: str, now: datetime) -> tuple[Period, str]:
    """The days that are looked at, and what is wrong with those that were typed."""
    _, last = queries.changes_ahead(product_id, zone, now=now, until=now + timedelta(days=DAYS_AHEAD))
    usual = usual_period(now.date(), last.valid_from.astimezone(UTC).date() if last else None)
    try:
        return read_period(typed("from"), typed("to"), usual), ""
    except ValueError as wrong:
        return usual, str(wrong)
