"""Named reads of the feed, the endpoints and their deliveries."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, select

from pickup.core.db import db
from pickup.core.models import Event


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event that has its place in the feed."""

    id: int
    position: int
    type: str
    subject_id: uuid.UUID
    at: datetime
    data: dict[str, Any]


_COLUMNS = (Event.id, Event.position, Event.type, Event.subject_id, Event.at, Event.data)


def events_by_id(event_ids: Iterable[int]) -> dict[int, PublicEvent]:
    """Some events of the feed."""
    wanted = bindparam("wanted", list(event_ids), type_=ARRAY(BigInteger()))
    rows = db.session.execute(select(*_COLUMNS).where(Event.id == any_(wanted), Event.position.is_not(None)))
    return {row.id: PublicEvent(*row) for row in rows}
