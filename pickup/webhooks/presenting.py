"""What an event looks like from outside: the same in a webhook and in the feed."""

from typing import Any

from pickup.stores.directory import directory
from pickup.webhooks.queries import PublicEvent


def shown_event(event: PublicEvent) -> dict[str, Any]:
    """An event as JSON: its type, when it happened, and what it is about. Ids and figures, no personal data."""
    return {"type": event.type, "timestamp": event.at, "data": _data(event)}


def _data(event: PublicEvent) -> dict[str, Any]:
    data = dict(event.data)
    if (store_id := data.pop("store_id", None)) is not None:
        data["store_ref"] = directory().by_id[store_id].ref
    feature = event.type.partition(".")[0]
    return {"order_id": str(event.subject_id), **data} if feature in {"order", "payment"} else data
