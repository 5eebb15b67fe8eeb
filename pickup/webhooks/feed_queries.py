"""Named reads of the feed: bounded, whoever asks and however much there is."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Integer, Text, Uuid, bindparam, text

from pickup.core.db import run
from pickup.webhooks.event_types import FOR_ALL, PUBLIC
from pickup.webhooks.queries import PublicEvent

# So many places of the feed are looked at for one answer: of ten million events hardly any may be the client's own.
WALKED_AT_ONCE = 10_000
PLACE_MAX = 2**63 - 1


class FeedPage(NamedTuple):
    """Some events of the feed, and the place up to which there are no others."""

    events: Sequence[PublicEvent]
    upto: int
    newest: int
    """The last place of all; where `upto` has come to it, there is no more."""


# Places are given after the commit, by one at a time: whoever sees one sees all before it. So the last place and the
# events up to it are read in one statement, and what it leaves out comes later.
_NEWEST = "newest AS (SELECT coalesce(max(position), 0) AS position FROM events)"
_COLUMNS = "id, position, type, subject_id, at, data"
# A subquery for each event, not a join: PostgreSQL would rather read all orders once than some of them.
_FEED = text(f"""
    WITH {_NEWEST}
    SELECT newest.position AS newest, told.* FROM newest LEFT JOIN LATERAL (
        SELECT {_COLUMNS} FROM events
        WHERE position > :after AND position <= :until AND type = ANY(:types) AND (
            type = ANY(:for_all) OR (SELECT client_id FROM orders WHERE orders.id = events.subject_id) = :client_id
        )
        ORDER BY position LIMIT :limit
    ) AS told ON true ORDER BY told.position
""").bindparams(  # noqa: S608  put together from constants
    *(bindparam(name, type_=BigInteger()) for name in ("after", "until", "limit")),
    *(bindparam(name, type_=ARRAY(Text())) for name in ("types", "for_all")),
    bindparam("client_id", type_=Integer()),
)
_OF_ORDER = text(f"""
    WITH {_NEWEST}
    SELECT newest.position AS newest, told.* FROM newest LEFT JOIN LATERAL (
        SELECT {_COLUMNS} FROM events
        WHERE subject_id = :order_id AND position > :after AND type = ANY(:types)
        ORDER BY position LIMIT :limit
    ) AS told ON true ORDER BY told.position
""").bindparams(  # noqa: S608  put together from constants
    *(bindparam(name, type_=BigInteger()) for name in ("after", "limit")),
    bindparam("types", type_=ARRAY(Text())),
    bindparam("order_id", type_=Uuid()),
)
_NEWEST_PLACE = text("SELECT coalesce(max(position), 0) FROM events")
_IS_OF_CLIENT = text("SELECT EXISTS (SELECT FROM orders WHERE id = :id AND client_id = :client_id)").bindparams(
    bindparam("id", type_=Uuid()), bindparam("client_id", type_=Integer())
)


def feed_after(after: int, client_id: int, *, types: Iterable[str], limit: int) -> FeedPage:
    """What a client may hear of after a place: events of its own orders, and those that are for all."""
    until = min(after + WALKED_AT_ONCE, PLACE_MAX)
    asked = {"after": after, "until": until, "types": list(types), "limit": limit}
    rows = run(_FEED, asked | {"for_all": list(FOR_ALL), "client_id": client_id}).all()
    return _page(rows, until=until, limit=limit)


def events_of_order(order_id: uuid.UUID, after: int, *, limit: int) -> FeedPage:
    """What shops may hear of an order after a place."""
    values = {"order_id": order_id, "after": after, "types": list(PUBLIC), "limit": limit}
    return _page(run(_OF_ORDER, values).all(), until=PLACE_MAX, limit=limit)


def newest_place() -> int:
    """The last place of the feed; 0 while there is none."""
    return int(run(_NEWEST_PLACE, {}).scalar_one())


def is_of_client(order_id: uuid.UUID, client_id: int) -> bool:
    """Whether there is such an order, and it is the client's."""
    return bool(run(_IS_OF_CLIENT, {"id": order_id, "client_id": client_id}).scalar_one())


def _page(rows: Sequence[Any], *, until: int, limit: int) -> FeedPage:
    newest = int(rows[0].newest)
    # One row without an event where there are none.
    events = [PublicEvent(*row[1:]) for row in rows if row.id is not None]
    upto = events[-1].position if len(events) == limit else min(until, newest)
    return FeedPage(events, upto, newest)
