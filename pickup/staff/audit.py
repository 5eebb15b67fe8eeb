"""The audit trail: who did what, when, on which tablet. The database lets nobody change what it says."""

import uuid
from datetime import datetime
from typing import Any

from pickup.core.db import db
from pickup.staff.models import AuditEntry, StaffMember
from pickup.staff.people import Associate, at_work


def record(
    who: Associate | StaffMember,
    action: str,
    *,
    now: datetime,
    order_id: uuid.UUID | None = None,
    store_id: int | None = None,
    **detail: Any,
) -> None:
    """Write down what somebody does, in the transaction in which it is done: neither is there without the other.

    Args:
        who: a person without a tablet is somebody who works from a shell.
        store_id: the store that it is about, if it is not their own.
        detail: what else there is to know, as JSON. No codes, no PINs, nothing about customers.
    """
    person = at_work(who) if isinstance(who, StaffMember) else who
    db.session.add(
        AuditEntry(
            at=now,
            store_id=person.store_id if store_id is None else store_id,
            member_id=person.id,
            member_name=person.name,
            device_id=person.device_id,
            device_name=person.device_name,
            action=action,
            order_id=order_id,
            detail=detail,
        )
    )
