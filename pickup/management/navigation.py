"""What leads from page to page: groups, each with the pages that belong together."""

from collections.abc import Sequence
from typing import NamedTuple

from flask import request, url_for

from pickup.management.scope import visible_store_id

GROUPS = {
    "Dashboard": {"Dashboard": "dashboard.show"},
    "Orders": {"Orders": "managed_orders.list_orders"},
    "Stock": {"Stock": "stock_admin.list_levels"},
    "Prices": {"Prices": "management.list_prices", "Parity": "management.show_parity"},
    "Stores": {"Stores": "stores_admin.list_stores"},
    "People": {
        "Staff": "people_admin.list_people",
        "Tablets": "people_admin.list_devices",
        "Audit": "audit_admin.list_entries",
    },
    "System": {
        "Failed work": "tasks_admin.list_tasks",
        "Clients": "clients_admin.list_clients",
        "Webhooks": "webhooks_admin.list_endpoints",
    },
}
HEAD_OFFICE_ONLY = frozenset({"clients_admin.list_clients", "webhooks_admin.list_endpoints"})


class Entry(NamedTuple):
    """A page that one can go to."""

    name: str
    path: str
    current: str
    """As `aria-current` says it: this page, one below it (`true`), or neither (empty)."""


class Group(NamedTuple):
    """Pages that belong together; the first of them stands for all."""

    name: str
    path: str
    current: str
    entries: Sequence[Entry]


def navigation() -> list[Group]:
    """The groups as whoever is signed in sees them, from the page that is asked for. One of a single page is called
    like that page."""
    sees_all = visible_store_id() is None
    pages = [
        (group, name, url_for(endpoint))
        for group, entries in GROUPS.items()
        for name, endpoint in entries.items()
        if sees_all or endpoint not in HEAD_OFFICE_ONLY
    ]
    here = max((path for _, _, path in pages if _is_below(path)), key=len, default="")
    found = []
    for title in GROUPS:
        entries = [Entry(name, path, _current(path, here)) for group, name, path in pages if group == title]
        first = entries[0]
        below = "true" if any(entry.current for entry in entries) else ""
        name = title if len(entries) > 1 else first.name
        found.append(Group(name, first.path, first.current or below, entries))
    return found


def _is_below(path: str) -> bool:
    """Whether a page is the one that is asked for, or above it. Above everything is none."""
    return request.path == path or (path != url_for("dashboard.show") and request.path.startswith(f"{path}/"))


def _current(path: str, here: str) -> str:
    return "" if path != here else "page" if path == request.path else "true"
