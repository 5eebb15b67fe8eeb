"""Stores from a CSV file."""

import re

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email

from pickup.core import revisions
from pickup.core.csv_columns import choice, columns_of, degrees, key, optional, quoted, text, whole
from pickup.core.csv_import import FieldProblem, Plan, Row, Stage, merging
from pickup.core.staging import upsert
from pickup.stores import opening_hours
from pickup.stores.models import STORE_KINDS, Store
from pickup.stores.moves import await_moves
from pickup.stores.queries import REVISION

OPENING_HOURS_MAX_CHARACTERS = 2000
PREP_MINUTES_MAX = 7 * 24 * 60
HOURLY_CAPACITY_MAX = 1_000_000
HOLD_DAYS_MAX = 365

_COUNTRY = re.compile(r"[A-Z]{2}")


def plan() -> Plan:
    """Stores by `ref`."""
    columns = columns_of(
        Store.__table__,
        required={
            "ref": key(),
            "name": text(empty=False),
            "street": text(),
            "city": text(),
            "state": text(),
            "postcode": text(),
            "country": _country,
            "lat": degrees(90),
            "lon": degrees(180),
            "opening_hours": optional(_hours, ""),
            "timezone": optional(_timezone, ""),
        },
        optional={
            "phone": text(),
            "email": optional(_email, ""),
            "prep_minutes": optional(whole(0, PREP_MINUTES_MAX)),
            "hourly_capacity": optional(whole(0, HOURLY_CAPACITY_MAX)),
            "hold_days": optional(whole(1, HOLD_DAYS_MAX)),
            "price_zone": key(empty=True),
            "kind": choice(STORE_KINDS, default="store"),
        },
    )
    return Plan(columns=columns, key=("ref",), store=_store, complete=_complete)


def _store(stage: Stage, count: int) -> int:
    new = merging(_merge)(stage, count)
    await_moves()
    return new


def _merge(staged: sa.Table) -> int:
    new = upsert(Store.__table__, staged, key="ref")
    revisions.bump(REVISION)
    return new


def _complete(row: Row) -> None:
    if not row["timezone"]:
        try:
            row["timezone"] = opening_hours.timezone_at(row["lat"], row["lon"])
        except ValueError as error:
            raise FieldProblem("timezone", str(error)) from None


def _country(cell: str) -> str:
    country = cell.upper()
    if not _COUNTRY.fullmatch(country):
        raise ValueError(f"must be the two letters of ISO 3166, not {quoted(cell)}")
    return country


def _email(cell: str) -> str:
    try:
        return validate_email(cell, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError(f"must be a mail address, not {quoted(cell)}") from None


_long_text = text(max_characters=OPENING_HOURS_MAX_CHARACTERS)


def _hours(cell: str) -> str:
    hours: str = _long_text(cell)
    opening_hours.validate(hours)
    return hours


def _timezone(cell: str) -> str:
    opening_hours.time_zone(cell)
    return cell
