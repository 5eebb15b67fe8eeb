"""Registers that do not follow the prices: sooner or later they charge something else than the shop.

A register is late while a price is in force that it has not acknowledged, for longer than the setting allows. One that
nobody has heard of for a month is taken to be gone.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Text, bindparam, text

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.db import in_transaction, run
from pickup.core.logging import log
from pickup.tills import queries

GONE_AFTER = timedelta(days=30)

# What has changed since it was looked at stays as it is, and is looked at in the next turn.
_KEEP = text("""
    UPDATE till_registers AS register SET late_since = given.late_since
    FROM unnest(:stores, :registers, :versions, :instants) AS given (store_id, register, version, late_since)
    WHERE register.store_id = given.store_id AND register.register = given.register
      AND register.version = given.version
      AND register.late_since IS DISTINCT FROM given.late_since
    RETURNING register.store_id, register.register
""").bindparams(
    bindparam("stores", type_=ARRAY(Integer())),
    bindparam("registers", type_=ARRAY(Text())),
    bindparam("versions", type_=ARRAY(BigInteger())),
    bindparam("instants", type_=ARRAY(DateTime(timezone=True))),
)


def watch_registers(now: datetime) -> int:
    """See which registers have become late, and which are no longer; returns how many are another than before."""
    return in_transaction(lambda: _watch(now))


def _watch(now: datetime) -> int:
    settings: Settings = current_app.extensions["settings"]
    allowed = timedelta(minutes=settings.till_late_minutes)
    changed = [
        (register, late_since)
        for register in queries.registers(now=now, gone_since=now - GONE_AFTER)
        if (late_since := _late_since(register, allowed, now)) != register.alarmed_since
    ]
    kept = _keep(changed) if changed else set()
    for register, late_since in changed:
        if (register.store_id, register.register) in kept:  # of the others another clock has said it
            _say(register, late_since, now)
    return len(kept)


def _late_since(register: Any, allowed: timedelta, now: datetime) -> datetime | None:
    if not allowed or register.late_since is None or register.last_seen < now - GONE_AFTER:
        return None
    since: datetime = register.late_since
    return since if since < now - allowed else None


def _keep(changed: list[tuple[Any, datetime | None]]) -> set[tuple[int, str]]:
    """Write it down; returns the registers for which it is news."""
    given: Mapping[str, list[Any]] = {
        "stores": [register.store_id for register, _ in changed],
        "registers": [register.register for register, _ in changed],
        "versions": [register.version for register, _ in changed],
        "instants": [late_since for _, late_since in changed],
    }
    return {(row.store_id, row.register) for row in run(_KEEP, given)}


def _say(register: Any, late_since: datetime | None, now: datetime) -> None:
    about = {"store_ref": register.store_ref, "register": register.register, "version": register.version}
    if late_since is None:
        log.info("register_not_late", **about)
    elif register.alarmed_since is None:
        since = late_since.isoformat()
        log.warning("register_late", **about, since=since, behind_by=register.behind_by)
        subject = uuid.uuid5(uuid.NAMESPACE_OID, f"register {register.store_id} {register.register}")
        outbox.emit("register.late", {subject: about | {"since": since}}, at=now)
