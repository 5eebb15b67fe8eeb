"""How customers want to be told: their own word, by kind of message, and the shop's where they have said none."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db, table_of
from pickup.notifications.models import ContactPreference
from pickup.notifications.writing import PARTS

# For the kinds that a preference does not name.
OTHERS = "*"
# What customers are told. Collectors and stores are not asked.
KINDS = tuple(kind for kind in PARTS if kind != "collector" and not kind.startswith("store_"))
# How a customer can be reached; tablets are not asked.
PERSONAL = ("email", "sms")

Customer = tuple[int, str]
"""A shop's client, and the customer's e-mail address as they wrote it."""


def wanted(customers: Iterable[Customer]) -> dict[Customer, Mapping[str, Sequence[str]]]:
    """What these customers have said, as far as they have: by kind of message the channels, in order."""
    # One may have written themselves in two ways.
    keys = {customer: (customer[0], customer[1].lower()) for customer in customers}
    if not keys:
        return {}
    rows = db.session.scalars(
        select(ContactPreference).where(
            tuple_(ContactPreference.client_id, ContactPreference.email).in_(set(keys.values()))
        )
    )
    found = {(row.client_id, row.email): row.channels for row in rows}
    return {customer: found[key] for customer, key in keys.items() if key in found}


def channels_for(kind: str, said: Mapping[str, Sequence[str]] | None, default: Sequence[str]) -> Sequence[str]:
    """The channels for one kind of message, the first that works counts."""
    if said is None:
        return default
    return said.get(kind, said.get(OTHERS, default))


def set_preference(client_id: int, email: str, channels: Mapping[str, Sequence[str]], *, now: datetime) -> None:
    """Keep what a customer says; it replaces what they said before, and counts for messages from now on."""
    said = {kind: list(dict.fromkeys(names)) for kind, names in channels.items()}
    row = {"client_id": client_id, "email": email.lower(), "channels": said, "changed_at": now}
    statement = insert(table_of(ContactPreference)).values(row)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["client_id", "email"], set_={"channels": said, "changed_at": now}
        )
    )


def forget_preference(client_id: int, email: str) -> None:
    """From now on the shop's own way counts again."""
    db.session.execute(
        delete(ContactPreference).where(
            ContactPreference.client_id == client_id, ContactPreference.email == email.lower()
        )
    )
