"""What the shop knows of a browser: where it wants to collect, what is in the basket, what it has ordered.

A signed cookie of the shop's own, seen by nobody else: whoever signs in on the tablet in the same browser begins a new
session there, and keeps the basket here.
"""

from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pickup.core.cookies import cookie_name
from pickup.core.pages import SESSION_LIFETIME
from pickup.shop.basket import Basket, Line

COOKIE = "shop"
ORDERS_MAX = 10


@dataclass
class Visit:
    """One browser's visit. The views change it; it is written back where something has changed."""

    place: dict[str, Any] | None = None
    """As the API takes it: `near`, or `postcode` and `country`."""
    store: dict[str, Any] | None = None
    """`ref`, `name`: whose shelf prices are shown."""
    is_pinned: bool = False
    """Whether the customer wants this store and no other; else the nearest that has everything is taken."""
    basket: Basket = ()
    orders: tuple[str, ...] = ()

    @property
    def pickup(self) -> dict[str, Any] | None:
        """Where to collect, as quotes and orders want it; None where nobody has said."""
        if self.store and self.is_pinned:
            return {"store_ref": self.store["ref"]}
        return self.place

    @property
    def store_ref(self) -> str | None:
        """Whose prices are shown."""
        return self.store["ref"] if self.store else None

    def remember_order(self, order_id: str) -> None:
        """The basket has become an order."""
        self.basket = ()
        self.orders = (*(each for each in self.orders if each != order_id), order_id)[-ORDERS_MAX:]


def current() -> Visit:
    """The visit of the present request."""
    if "visit" not in g:
        g.visit_as_sent = _read(request.cookies.get(cookie_name(COOKIE), ""))
        g.visit = _read(request.cookies.get(cookie_name(COOKIE), ""))
    visit: Visit = g.visit
    return visit


def keep(response: Response) -> Response:
    """Write back what has changed."""
    if "visit" in g and g.visit != g.visit_as_sent:
        response.set_cookie(
            cookie_name(COOKIE),
            _serializer().dumps(asdict(g.visit)),
            max_age=SESSION_LIFETIME,
            path="/",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return response


def _read(cookie: str) -> Visit:
    try:
        values = _serializer().loads(cookie, max_age=int(SESSION_LIFETIME.total_seconds()))
        basket = tuple(Line(**line) for line in values.pop("basket"))
        return Visit(**values | {"basket": basket, "orders": tuple(values["orders"])})
    except (BadSignature, KeyError, TypeError):  # forged, too old, or of another version of this shop
        return Visit()


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="shop")
