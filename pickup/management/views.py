"""HTTP of the pages for management. They only show; every form of theirs is a question."""

from datetime import UTC, datetime, timedelta

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from pickup.catalog.queries import products_by_id
from pickup.core.clock import utcnow
from pickup.core.pages import Pages
from pickup.core.pagination import decode_cursor, page
from pickup.management import parity, plot, presenting, queries
from pickup.management.period import DAYS_AHEAD, Period, read_period, usual_period
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.queries import EVERYWHERE
from pickup.pricing.service import known_product
from pickup.staff.errors import ManagerNeeded
from pickup.staff.gate import admit, member
from pickup.stores.directory import StoreEntry, fresh_directory

PRODUCTS_MAX = 25
TYPED_MAX_CHARACTERS = 100

blueprint = Pages("management", __name__, url_prefix="/admin", way_back=("/staff", "Back to the orders"))
blueprint.add_app_template_filter(presenting.moment, "moment")
blueprint.add_app_template_filter(presenting.zone_words, "zone_words")

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
    """Products with their prices, all or those that are looked for."""
    words, after, now = typed("q"), request.args.get("after"), utcnow()
    position = decode_cursor(after, str)
    found = queries.find_products(words, after=position[0] if position else "", limit=PRODUCTS_MAX + 1)
    shown = page(found, PRODUCTS_MAX, lambda product: (product.sku,))
    return render_template(
        "management/prices.html",
        words=words,
        rows=presenting.present_products(shown["data"], now=now),
        next=shown["next"],
        is_first=after is None,
        breach_days=presenting.BREACH_DAYS,
    )


@blueprint.get("/prices/<path:sku>")
def show_history(sku: str) -> Answer:
    """What one product cost, costs and will cost; what was charged; and where that was not the same."""
    try:
        product = products_by_id([known_product(sku)]).popitem()[1]
    except ProductNotFound:
        return make_response(render_template("management/unknown.html", sku=sku[:TYPED_MAX_CHARACTERS]), 404)
    now, zone, own_zones = utcnow(), typed("zone"), queries.zones_of(product.id)
    zones = sorted(
        {store.price_zone_at(now) for store in fresh_directory().by_id.values()} | set(own_zones) | {EVERYWHERE}
    )
    error = "" if zone in zones else f"There is no price zone {zone}."
    zone = zone if zone in zones else EVERYWHERE
    period, problem = _period(product.id, zone, now)
    return render_template(
        "management/history.html",
        product=product,
        zone=zone,
        zones=zones,
        own_zones=own_zones,
        period=period,
        error=error or problem,
        box=plot,
        history=presenting.present_history(product.id, zone, period, now=now),
    )


@blueprint.get("/parity")
def show_parity() -> Answer:
    """Whether tills charge what the ledger says."""
    now, store_ref, sku = utcnow(), typed("store"), typed("sku")
    store, product_id, error = _filters(store_ref, sku)
    breaches = None if error else parity.present_breaches(store, product_id, request.args.get("after"))
    is_first = breaches is not None and breaches["is_first"]
    return render_template(
        "management/parity.html",
        store_ref=store_ref,
        sku=sku,
        error=error,
        store=store,
        breaches=breaches,
        registers=parity.present_registers(store, now=now) if is_first else None,
        counts=parity.count_by_store(now=now) if is_first else None,
        count_days=parity.COUNT_DAYS,
    )


def _filters(store_ref: str, sku: str) -> tuple[StoreEntry | None, int | None, str]:
    """The store and the product that are looked for, and what is wrong with them."""
    store = fresh_directory().by_ref.get(store_ref)
    if store_ref and store is None:
        return None, None, f"There is no store {store_ref}."
    try:
        return store, known_product(sku) if sku else None, ""
    except ProductNotFound:
        return store, None, f"There is no product {sku}."


def _period(product_id: int, zone: str, now: datetime) -> tuple[Period, str]:
    """The days that are looked at, and what is wrong with those that were typed."""
    _, last = queries.changes_ahead(product_id, zone, now=now, until=now + timedelta(days=DAYS_AHEAD))
    usual = usual_period(now.date(), last.valid_from.astimezone(UTC).date() if last else None)
    try:
        return read_period(typed("from"), typed("to"), usual), ""
    except ValueError as wrong:
        return usual, str(wrong)


def typed(field: str) -> str:
    """What was asked for in a field of the address; nothing where it could not be printed."""
    words = request.args.get(field, "").strip()[:TYPED_MAX_CHARACTERS]
    return words if words.isprintable() else ""
