"""HTTP of the demo shop. What it knows of the world comes from `client.PickupApi`.

The way of an order: `show_basket` quotes, `show_check_out` shows what it costs, `check_out` places it, `show_order`
follows it, and `come_back` is where the bank sends the customer afterwards.
"""

from collections.abc import Mapping

from flask import Response, current_app, flash, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pickup.config import Settings
from pickup.core import problems
from pickup.core.clock import utcnow
from pickup.core.errors import NotFound
from pickup.core.pages import Pages
from pickup.shop import basket as baskets
from pickup.shop import checkout, offers, presenting, visit
from pickup.shop.client import ApiError, Json, PickupApi

blueprint = Pages("shop", __name__, url_prefix="/shop", way_back=("/shop", "Go to the shop"))
blueprint.after_request(visit.keep)

NOTHING_TYPED: Mapping[str, str] = {}

Answer = str | Response | BaseResponse


class NoKey(Exception):
    """Nobody has given the shop a key of the API."""


@blueprint.errorhandler(NoKey)
def say_how_to_open(error: NoKey) -> Response:
    """There is no shop before somebody opens one."""
    return make_response(render_template("shop/closed.html", problem=None), 503)


@blueprint.errorhandler(ApiError)
def say_closed(error: ApiError) -> Response:
    """The API does not answer, or not as it should: words, and a way to try again."""
    if error.status in (400, 404, 422):
        if "/store_ref" in error.fields:  # it is not there any more
            visit.current().store = None
        return problems.of(NotFound("There is no such thing in this shop."))
    return make_response(render_template("shop/closed.html", problem=error), 503)


@blueprint.context_processor
def header() -> Json:
    """What the top of every page shows."""
    return {"visit": visit.current(), "pieces": baskets.count(visit.current().basket), "picture": presenting.picture}


@blueprint.get("")
def show_products() -> Answer:
    """The products, a page at a time, at the prices of the chosen store."""
    after = request.args.get("after")
    page = _api().products(store_ref=visit.current().store_ref, after=after)
    departments = presenting.by_department(page["data"])
    return render_template("shop/products.html", departments=departments, next=page["next"], after=after)


@blueprint.get("/products/<sku>")
def show_product(sku: str) -> Answer:
    """One product, and which stores nearby have it."""
    api, here = _api(), visit.current()
    product = api.product(sku, store_ref=here.store_ref)
    stores = []
    if here.place and product["price"]:
        found = api.stores(here.place, items=[{"sku": sku, "quantity": 1}])["data"]
        stores = [presenting.present_store(each, utcnow()) for each in found]
    return render_template("shop/product.html", product=product, stores=stores)


@blueprint.get("/store")
def show_stores() -> Answer:
    """Where to collect: the stores nearby, on a plan and as a list."""
    here = visit.current()
    return _stores_page(_api().stores(here.place) if here.place else None)


@blueprint.post("/store/near")
def find_stores() -> Answer:
    """Somebody says where they are, by a postcode or by their browser's location."""
    here, form = visit.current(), request.form
    place: Json = {"postcode": form.get("postcode", ""), "country": form.get("country", "US").upper()}
    if form.get("lat") and form.get("lon"):
        place = {"near": {"lat": form["lat"][:12], "lon": form["lon"][:12]}}
    try:
        found = _api().stores(place)
    except ApiError as error:
        if error.code != "invalid_fields":
            raise
        return make_response(_stores_page(None, typed=form, problem="; ".join(error.fields.values())), 422)
    here.place = {"near": found["place"]} if "near" in place else place
    here.is_pinned = False
    here.store = _nearest(found["data"])
    return redirect(url_for("shop.show_stores"), 303)


@blueprint.post("/store")
def choose_store() -> Answer:
    """This store and no other; or, with an empty `ref`, the nearest that has everything."""
    here, ref = visit.current(), request.form.get("ref", "")
    stores = _api().stores(here.place)["data"] if here.place else []
    chosen = [each for each in stores if each["ref"] == ref]
    here.is_pinned = bool(chosen)
    here.store = _nearest(chosen or stores)
    return redirect(url_for("shop.show_basket" if request.form.get("from") == "basket" else "shop.show_products"), 303)


@blueprint.get("/basket")
def show_basket() -> Answer:
    """What is in it, where and when it can be collected, and what it costs there."""
    offer = offers.make(_api(), visit.current(), now=utcnow())
    return render_template("shop/basket.html", offer=offer)


@blueprint.post("/basket")
def add_to_basket() -> Answer:
    """One more of a product, or as many as the form says."""
    here, form = visit.current(), request.form
    product = _api().product(form.get("sku", ""), store_ref=here.store_ref)
    try:
        here.basket = baskets.add(
            here.basket, product["sku"], product["name"], baskets.quantity_of(form.get("quantity", "")) or 1
        )
        flash(f"{product['name']} is in your basket.", "added")
    except baskets.BasketFull:
        flash(f"The basket is full: {baskets.LINES_MAX} different products are the most.")
    back = url_for("shop.show_products", after=form.get("after") or None, _anchor=f"p-{product['sku']}")
    return redirect(back, 303)


@blueprint.post("/basket/<sku>")
def change_basket(sku: str) -> Answer:
    """Another quantity of a product; 0 takes it out."""
    quantity = 0 if "remove" in request.form else baskets.quantity_of(request.form.get("quantity", ""))
    if quantity is not None:
        visit.current().basket = baskets.change(visit.current().basket, sku, quantity)
    return redirect(url_for("shop.show_basket"), 303)


@blueprint.get("/checkout")
def show_check_out() -> Answer:
    """What is ordered, where and for how much; who are you, and how do you pay?"""
    offer = offers.make(_api(), visit.current(), now=utcnow())
    if offer.quote is None:
        return redirect(url_for("shop.show_basket"), 303)
    return _checkout_page(checkout.blank(), offer.quote)


@blueprint.post("/checkout")
def check_out() -> Answer:
    """Order. Whatever the API has against it is shown, and the form kept."""
    api, here, form = _api(), visit.current(), checkout.read(request.form)
    if not here.basket or here.pickup is None:
        return redirect(url_for("shop.show_basket"), 303)
    body = checkout.order_of(form, baskets.items(here.basket), here.pickup, ip_address=request.remote_addr)
    try:
        order = api.place_order(body, key=form.attempt)
    except ApiError as error:
        return _refused(api, form, error)
    here.remember_order(order["id"])
    if form.shown_store not in ("", order["store"]["ref"]):
        flash(f"Meanwhile somebody was faster: now {order['store']['name']} is the nearest that has everything.")
    return redirect(url_for("shop.show_order", order_id=order["id"]), 303)


@blueprint.get("/orders/<uuid:order_id>")
def show_order(order_id: str) -> Answer:
    """How far an order of this browser is; while that is being decided, the page looks again by itself."""
    api = _api()
    order = api.order(_own(order_id))
    return render_template(
        "shop/order.html", order=presenting.present_order(order, offers.store_of(api, order["store"]), utcnow())
    )


@blueprint.get("/orders/<uuid:order_id>/paid")
def come_back(order_id: str) -> Answer:
    """The bank sends the customer back: have the gateway asked what became of it."""
    _api().confirm_payment(_own(order_id))
    return redirect(url_for("shop.show_order", order_id=order_id), 303)


def _refused(api: PickupApi, form: checkout.Form, error: ApiError) -> Answer:
    """The checkout once more, with what the API says; where the order may have been placed, with the same key."""
    if error.code == "out_of_stock":
        flash("Somebody was faster, and nothing was ordered. This is what there is now.")
        return redirect(url_for("shop.show_basket"), 303)
    if error.is_temporary or error.code == "request_in_progress":
        return make_response(_checkout_page(form, None, message=checkout.NOT_KNOWN), 503)
    quote: Json | None
    if "quote" in error.document:
        quote = offers.present_quote(api, error.document["quote"], [], now=utcnow())
    else:
        quote = offers.make(api, visit.current(), now=utcnow()).quote
    message, errors = checkout.objections(error.code, error.detail, error.fields)
    return make_response(_checkout_page(checkout.anew(form), quote, message=message, errors=errors), error.status)


def _checkout_page(
    form: checkout.Form, quote: Json | None, *, message: str = "", errors: dict[str, str] | None = None
) -> str:
    form = checkout.beside(form, quote) if quote else form
    return render_template(
        "shop/checkout.html", form=form, quote=quote, message=message, errors=errors or {}, cards=checkout.CARDS
    )


def _stores_page(found: Json | None, *, typed: Mapping[str, str] = NOTHING_TYPED, problem: str = "") -> str:
    stores = [presenting.present_store(store, utcnow()) for store in found["data"]] if found else []
    plan = presenting.nearby_plan(found["place"], stores) if found and stores else None
    return render_template(
        "shop/store.html", stores=stores, plan=plan, is_empty=found is not None, typed=typed, problem=problem
    )


def _nearest(stores: list[Json]) -> Json | None:
    """The first that takes orders, as much of it as a visit keeps."""
    return next(({"ref": each["ref"], "name": each["name"]} for each in stores if not each["paused"]), None)


def _own(order_id: object) -> str:
    if str(order_id) not in visit.current().orders:
        raise NotFound("This browser has no such order.")
    return str(order_id)


def _api() -> PickupApi:
    settings: Settings = current_app.extensions["settings"]
    if settings.shop_api_key is None:
        raise NoKey
    if "shop_api" not in g:
        g.shop_api = PickupApi(settings.shop_api_url, settings.shop_api_key)
    api: PickupApi = g.shop_api
    return api
