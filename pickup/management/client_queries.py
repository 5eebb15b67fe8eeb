"""Named reads of the pages about API clients."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from pickup.core.db import db
from pickup.core.models import ApiClient, ApiKey


def find_clients(words: str, *, after: str, limit: int) -> Sequence[ApiClient]:
    """Clients whose name contains some words, by name, from behind one."""
    wanted = select(ApiClient).where(ApiClient.name > after).order_by(ApiClient.name).limit(limit)
    if words:
        wanted = wanted.where(ApiClient.name.icontains(words, autoescape=True))
    return db.session.scalars(wanted).all()


def keys_of(client_ids: Sequence[int]) -> Mapping[int, Sequence[ApiKey]]:
    """All keys of some clients, by client, the newest first."""
    found: dict[int, list[ApiKey]] = defaultdict(list)
    wanted = select(ApiKey).where(ApiKey.client_id.in_(client_ids)).order_by(ApiKey.id.desc())
    for key in db.session.scalars(wanted.execution_options(populate_existing=True)):
        found[key.client_id].append(key)
    return found


def client(client_id: int) -> ApiClient | None:
    """A client by its id."""
    return db.session.get(ApiClient, client_id)


def client_named(name: str) -> ApiClient | None:
    """A client by its name."""
    return db.session.scalars(select(ApiClient).where(ApiClient.name == name)).one_or_none()
