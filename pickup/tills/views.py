"""HTTP of the tills."""

from typing import Any

from flask import Response

from pickup.core import streaming
from pickup.core.api import Blueprint, as_it_is, requires
from pickup.core.auth import key_still_works
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import in_transaction
from pickup.core.streaming import News
from pickup.core.types import Money
from pickup.pricing.queries import PriceNews
from pickup.tills import counting, queries, selling, service
from pickup.tills.counting import Count, CountsRecorded
from pickup.tills.schemas import (
    AcknowledgementSchema,
    CountsRecordedSchema,
    CountsSchema,
    FeedQuery,
    FeedSchema,
    ParityQuery,
    ParitySchema,
    SalesRecordedSchema,
    SalesSchema,
    StreamQuery,
)
from pickup.tills.selling import Line, Sale, SalesRecorded

# So many changes are one event.
STREAMED_AT_ONCE = 1000
STREAM_EXAMPLE = """\
retry: 3000

id: WyIiLCAxXQ
event: prices
data: {"data":[{"sku":"1001","price":{"amount":349,"currency":"USD"},"valid_from":"2026-03-01T06:00:00Z","version":1,\
"zone":""}],"next":"WyIiLCAxXQ"}

:
"""

blueprint = Blueprint("tills", __name__, url_prefix="/v1", description="What tills are told, and what they tell.")


@blueprint.get("/pos/prices")
@requires("pos")
@blueprint.arguments(FeedQuery, location="query")
@blueprint.response(200, FeedSchema)
def follow_prices(query: dict[str, Any]) -> Response:
    """Follow the prices of a store.

    Every change comes once, in the order of versions, also those that take effect later. (A price of the store's zone
    that overrules announced ones comes for their instants, too, under its own version: `sku`, `version` and
    `valid_from` together are unique.) Begin without a cursor, then always go on from `next`, which is never null; an
    empty `data` means that you are up to date.

    A product costs what its change with the latest `valid_from` that has begun says, and of two for the same instant
    the greater `version`; but changes with a `zone` go before those without. When a cursor is refused, forget the
    prices and begin again without one.
    """
    return as_it_is(_price_page(query["store_ref"], query["after"], query["limit"]))


@blueprint.get("/pos/prices/stream")
@requires("pos")
@blueprint.arguments(StreamQuery, location="query")
@streaming.documented(STREAM_EXAMPLE)
def stream_prices(query: dict[str, Any]) -> Response:
    """Be told the prices of a store.

    The same as to follow them, on a line that stays open (server-sent events): first every change after the cursor,
    then each as soon as it is committed. An event `prices` has what the feed would answer, and its `next` as `id`. The
    cursors are the same, so you may go on by polling at any time, and back.

    The line ends every few minutes, and when the server restarts: come back with the last `id` as `Last-Event-ID`, and
    you miss nothing. A comment, a line with a colon and nothing else, comes after 15 seconds without an event: after 45
    seconds without either, the line is dead. An event `reset` means that your cursor has become useless, and `detail`
    says why: forget the prices, and begin again without one, and without `after` in the address. A key that is revoked
    ends the line within a minute.
    """
    return streaming.stream(
        lambda cursor: _price_news(query["store_ref"], cursor),
        topic="price.changed",
        after=query["after"],
        still_allowed=key_still_works(),
    )


@blueprint.post("/pos/prices/ack")
@requires("pos")
@blueprint.arguments(AcknowledgementSchema)
@blueprint.response(204)
def acknowledge_prices(body: dict[str, Any]) -> None:
    """Say by which prices a till charges.

    The register charges by this version of the price ledger from now on. One older than before changes nothing.
    """
    in_transaction(lambda: service.acknowledge(**body, now=utcnow()))


@blueprint.post("/pos/sales")
@requires("pos")
@blueprint.arguments(SalesSchema)
@blueprint.response(200, SalesRecordedSchema)
def record_sales(body: dict[str, Any]) -> SalesRecorded:
    """Tell what a register has sold and taken back.

    Stock goes down, and up for a negative quantity. A sale whose `id` the store has told before counts no second time,
    so send again whatever you got no answer to. A price other than the ledger's at that time is recorded as a breach of
    parity, and the sale still counts. Lines of products that are not in the catalogue are left out, and `ignored` names
    them. A sale more than five minutes ahead of our clock is refused with all that came with it: hold it back, and send
    the others.
    """
    sales = [_read_sale(sale) for sale in body["sales"]]
    store_ref, register, sent_at = body["store_ref"], body["register"], body.get("sent_at")
    return in_transaction(lambda: selling.record_sales(store_ref, register, sales, now=utcnow(), sent_at=sent_at))


@blueprint.post("/pos/stock")
@requires("pos")
@blueprint.arguments(CountsSchema)
@blueprint.response(200, CountsRecordedSchema)
def take_stock(body: dict[str, Any]) -> CountsRecorded:
    """Tell what was counted on the shelf.

    Each figure is what was there `at` its time; sales and handovers after that are kept on top of it. A sale from
    before that is told only later does not count against it once more. An older count never undoes a newer one.
    """
    counts = [Count(**count) for count in body["counts"]]
    return in_transaction(lambda: counting.take_stock(body["store_ref"], counts, now=utcnow()))


@blueprint.get("/parity")
@requires("pos", "admin")
@blueprint.arguments(ParityQuery, location="query")
@blueprint.response(200, ParitySchema)
def show_parity(query: dict[str, Any]) -> Response:
    """Show whether tills charge what the ledger says.

    The breaches, newest first, and how far each register has followed the prices. A register that is far behind, or
    whose clock is wrong, is the next to charge another price.
    """
    wanted = service.breach_filter(**{name: query.get(name) for name in BREACH_FILTERS})
    shown = service.breach_page(wanted, query["after"], query["limit"])
    registers = queries.registers(now=utcnow(), store_id=wanted.store_id)
    return as_it_is(
        {
            "breaches": [_present_breach(breach) for breach in shown["data"]],
            "total": queries.count_breaches(wanted),
            "next": shown["next"],
            "registers": [_present_register(each) for each in registers],
        }
    )


BREACH_FILTERS = ("store_ref", "register", "sku", "since", "until")


def _price_page(store_ref: str, after: str | None, limit: int) -> dict[str, Any]:
    changes, cursor = service.price_feed(store_ref, after, limit, now=utcnow())
    return {"data": [_present_change(change) for change in changes], "next": cursor}


def _price_news(store_ref: str, after: str | None) -> News:
    page = _price_page(store_ref, after, STREAMED_AT_ONCE)
    return News(page["next"], "prices", page if page["data"] else None)


def _read_sale(sale: dict[str, Any]) -> Sale:
    lines = [Line(line["sku"], line["quantity"], Money(**line["unit_price"])) for line in sale["lines"]]
    return Sale(sale["id"], sale["at"], lines)


def _present_change(change: PriceNews) -> dict[str, Any]:
    return {
        "sku": change.sku,
        "price": {"amount": change.amount, "currency": change.currency},
        "valid_from": rfc3339(change.valid_from),
        "version": change.version,
        "zone": change.zone,
    }


def _present_breach(breach: Any) -> dict[str, Any]:
    return {
        "kind": breach.kind,
        "store_ref": breach.store_ref,
        "register": breach.register,
        "sku": breach.sku,
        "charged": _money(breach.charged_amount, breach.charged_currency),
        "ledger": _money(breach.ledger_amount, breach.ledger_currency),
        "ledger_version": breach.ledger_version,
        "sale_id": breach.sale_ref,
        "at": rfc3339(breach.at),
    }


def _money(amount: int | None, currency: str | None) -> dict[str, Any] | None:
    return None if amount is None else {"amount": amount, "currency": currency}


def _present_register(register: Any) -> dict[str, Any]:
    return {
        "store_ref": register.store_ref,
        "register": register.register,
        "version": register.version,
        "behind_by": register.behind_by,
        "late_since": register.late_since and rfc3339(register.late_since),
        "clock_ahead_ms": register.clock_ahead_ms,
        "last_seen": rfc3339(register.last_seen),
    }
