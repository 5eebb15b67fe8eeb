"""Tills and the prices they follow, and what all that they tell us has in common.

Tills work offline and send again what they got no answer to. So everything here may come late, twice and out of order,
and ends the same: a sale counts once, an acknowledgement never goes back, and an older count does not undo a newer one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.logging import log
from pickup.core.pagination import decode_cursor, encode_cursor, page
from pickup.pricing.queries import PriceNews, newest_version, price_changes_after, product_ids
from pickup.stores.directory import StoreEntry, known_store
from pickup.stores.service import set_feed_states
from pickup.tills.models import TillRegister
from pickup.tills.queries import BreachFilter, breaches_before

# How far the clock of a till may be fast.
CLOCK_AHEAD_MAX = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def price_feed(store_ref: str, after: str | None, limit: int, *, now: datetime) -> tuple[list[PriceNews], str]:
    """Price changes of a store, and the cursor to go on from.

    Raises:
        InvalidFields: no such store; a cursor that is not from this feed, is ahead of the ledger, or was given out when
            the store had another price zone. Then the till has prices that do not concern it, and begins anew.
    """
    zone = known_store(store_ref).price_zone_at(now)
    told_zone, version = decode_cursor(after, str, int) or (zone, 0)
    if told_zone != zone:
        raise InvalidFields.at("/after", "is from another price zone: forget the prices and start without a cursor")
    newest = newest_version()
    if version > newest:
        raise InvalidFields.at("/after", "is ahead of the price ledger: forget the prices and start without a cursor")
    if version == newest:
        return [], encode_cursor(zone, version)  # nearly always, and the search for nothing costs more than to know it
    newest, changes = price_changes_after(version, zone, limit)
    told = changes[-1].version if changes else version
    is_full = len({change.version for change in changes}) == limit
    # Up to `newest`, which the same look saw, the others are the business of other zones: never looked through again.
    return changes, encode_cursor(zone, told if is_full else newest)


def acknowledge(store_ref: str, register: str, version: int, *, now: datetime, sent_at: datetime | None = None) -> None:
    """A till charges by a version of the ledger; what it said before of a later one stays true.

    Args:
        sent_at: the till's clock when it said so.

    Raises:
        InvalidFields: no such store, or no such version yet.
    """
    store = known_store(store_ref)
    if version > newest_version():
        raise InvalidFields.at("/version", "is ahead of the price ledger")
    see(store, register, version, now=now, clock_ahead=clock_ahead_of(sent_at, now))


def breach_filter(
    store_ref: str | None, register: str | None, sku: str | None, since: datetime | None, until: datetime | None
) -> BreachFilter:
    """Which breaches are meant.

    Raises:
        InvalidFields: no such store, or no such product.
    """
    product_id = product_ids([sku]).get(sku) if sku is not None and sku.isprintable() else None
    if sku is not None and product_id is None:
        raise InvalidFields.at("/sku", f"{sku[:60]!r} is not a product we sell")
    store = None if store_ref is None else known_store(store_ref)
    return BreachFilter(store.id if store else None, register, product_id, since, until)


def breach_page(wanted: BreachFilter, after: str | None, limit: int) -> dict[str, Any]:
    """A page of breaches, the newest first.

    Raises:
        InvalidFields: `after` is not a cursor of this list.
    """
    position = decode_cursor(after, int, int)
    try:
        before = position and (EPOCH + timedelta(microseconds=position[0]), position[1])
    except OverflowError:
        raise InvalidFields.at("/after", "is not a cursor of this list") from None
    breaches = breaches_before(before, wanted, limit + 1)
    return page(breaches, limit, lambda breach: ((breach.at - EPOCH) // timedelta(microseconds=1), breach.id))


def refuse_future(field: str, instants: Iterable[datetime], now: datetime) -> None:
    """What happened has happened by now, give or take a till's clock.

    Args:
        field: the list of the request whose members have an `at`.

    Raises:
        InvalidFields: some lie ahead; names each.
    """
    errors = [
        FieldError(f"/{field}/{number}/at", "lies ahead: is the till's clock right?")
        for number, at in enumerate(instants)
        if at > now + CLOCK_AHEAD_MAX
    ]
    if errors:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:5]), errors=errors)


def unknown_product(pointer: str, sku: str) -> FieldError:
    """What a till has and the catalogue has not. Nobody at a till can mend that, so it is reported, not refused."""
    return FieldError(pointer, f"{sku[:60]!r} is not a product we sell")


def clock_ahead_of(sent_at: datetime | None, now: datetime) -> timedelta | None:
    """By how much a till's clock is fast (less than nothing: slow); None where it has not said its time.

    In whole milliseconds, as it is kept: so what is reckoned once more from what was kept comes out the same.
    """
    return None if sent_at is None else (sent_at - now) // _MILLISECOND * _MILLISECOND


def milliseconds(span: timedelta | None) -> int | None:
    """A span of time in whole milliseconds."""
    return None if span is None else span // _MILLISECOND


def see(store: StoreEntry, register: str, version: int, *, now: datetime, clock_ahead: timedelta | None = None) -> None:
    """A till was heard of. If its store was missed, it is trusted again from the same commit on."""
    seen = insert(TillRegister).values(
        store_id=store.id,
        register=register,
        version=version,
        last_seen=now,
        clock_ahead_ms=milliseconds(clock_ahead),
    )
    latest = {
        "version": func.greatest(TillRegister.version, seen.excluded.version),
        "last_seen": func.greatest(TillRegister.last_seen, seen.excluded.last_seen),
        "clock_ahead_ms": func.coalesce(seen.excluded.clock_ahead_ms, TillRegister.clock_ahead_ms),
    }
    db.session.execute(
        seen.on_conflict_do_update(index_elements=[TillRegister.store_id, TillRegister.register], set_=latest)
    )
    # After the register, like the watch: see `silence`. And only then: the row of the store stays untouched all day.
    if store.feed_state != "heard" and set_feed_states({store.id: "heard"}, now=now):
        log.info("till_feed_changed", store=store.ref, state="heard", register=register)
