"""The only place that reads the wall clock. Services get `now` from their entry point."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime) -> str:
    """An instant as the API writes it: RFC 3339 in UTC, to the second unless there is a fraction."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
