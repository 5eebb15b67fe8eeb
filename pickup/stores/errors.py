"""Refusals about places."""

from pickup.core.errors import DomainError, Kind


class StoreNotFound(DomainError):
    """No store has this reference."""

    kind = Kind.NOT_FOUND
    code = "store_not_found"
    title = "There is no such store"
