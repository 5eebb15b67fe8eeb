"""HTTP of the feed of events, and of its streams."""

from typing import Any

from flask import Response

from pickup.core import streaming
from pickup.core.api import Blueprint, as_it_is, refuses, requires
from pickup.core.auth import current_caller, key_still_works
from pickup.orders.answers import ORDER_ID, order_uuid
from pickup.orders.errors import OrderNotFound
from pickup.webhooks import feed
from pickup.webhooks.feed_queries import is_of_client
from pickup.webhooks.publishing import TOPIC, topic_of
from pickup.webhooks.schemas import EventFeedSchema, EventsQuery, OrderStreamQuery, StreamQuery

STREAM_EXAMPLE = """\
retry: 3000

id: WyJldmVudHMiLCA5XQ
event: order.ready
data: {"id":"msg_4711","type":"order.ready","timestamp":"2026-03-02T15:42:10Z","data":{"order_id":\
"019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f","number":1000001,"status":"ready","from":"picking","reason":null,\
"store_ref":"101"}}

:
"""

blueprint = Blueprint(
    "events",
    __name__,
    url_prefix="/v1",
    description="What happens to the orders of your client, and to prices and stock: as a feed, as streams, and "
    "[by webhook](/docs#webhooks).",
    path_parameters={"order_id": ORDER_ID},
)


@blueprint.get("/events")
@requires("shop")
@blueprint.arguments(EventsQuery, location="query")
@blueprint.response(200, EventFeedSchema)
def follow_events(query: dict[str, Any]) -> Response:
    """Follow what happens.

    Events of your own orders and their payments, and of prices and stock, each once, those of an order in the order in
    which they happened. Begin without a cursor, or at the end with `after=now`, then always go on from `next`, which is
    never null.

    You are up to date when `next` is the `after` that you sent. A page may be empty and still lead on: then it has
    passed events that are not yours. An event's `id` is the `webhook-id` of the same event: what you got by one way you
    know by the other. `stock.changed` is there as long as some webhook endpoint wants it.
    """
    types = feed.types_of(query["types"])
    page = feed.feed_page(current_caller().client_id, query["after"], types=types, limit=query["limit"])
    return as_it_is(page)


@blueprint.get("/events/stream")
@requires("shop")
@blueprint.arguments(StreamQuery, location="query")
@streaming.documented(STREAM_EXAMPLE)
def stream_events(query: dict[str, Any]) -> Response:
    """Be told what happens.

    The same as to follow it, on a line that stays open (server-sent events): first every event after the cursor, then
    each as it becomes public. The name of each is its type, its data is what the feed says of it, and its `id` is the
    feed's cursor behind it: so you may go on by polling at any time, and back.

    The line ends every few minutes, and when the server restarts: come back with the last `id` as `Last-Event-ID`, and
    you miss nothing. A comment, a line with a colon and nothing else, comes after 15 seconds without an event. An event
    `reset` means that your cursor has become useless, and `detail` says why. A key that is revoked ends the line within
    a minute.
    """
    source = feed.feed_source(current_caller().client_id, feed.types_of(query["types"]))
    return streaming.stream(source, topic=TOPIC, after=query["after"], still_allowed=key_still_works())


@blueprint.get("/orders/<order_id>/events")
@requires("shop")
@refuses(OrderNotFound)
@blueprint.arguments(OrderStreamQuery, location="query")
@streaming.documented(STREAM_EXAMPLE)
def stream_order_events(query: dict[str, Any], order_id: str) -> Response:
    """Be told what happens to an order.

    The same as the stream of all events, of one order: from its beginning, unless you say where to go on.
    """
    wanted = order_uuid(order_id)
    if not is_of_client(wanted, current_caller().client_id):
        raise OrderNotFound("There is no order of this id.")
    return streaming.stream(
        feed.order_source(wanted), topic=topic_of(wanted), after=query["after"], still_allowed=key_still_works()
    )
