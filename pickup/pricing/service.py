"""Writing the price ledger: rows are added, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    FromClause,
    Integer,
    Subquery,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)

from pickup.core import outbox, signals
from pickup.core.db import db
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.types import Money, new_id
from pickup.pricing.models import Price
from pickup.pricing.queries import lock_price_ledger, product_ids

# The past is never rewritten; a minute allows for the clock of whoever states a price.
PAST_MAX = timedelta(seconds=60)
FUTURE_MAX = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What a product is to cost in a zone from an instant on."""

    sku: str
    price: Money
    zone: str
    valid_from: datetime


def record_changes(changes: Sequence[PriceChange], *, now: datetime, recorded_by: str) -> list[tuple[int, PriceChange]]:
    """Record price changes, all or none, in the order given; each is a new entry, even where it changes nothing.

    A `valid_from` just before `now` is a clock that is slow and becomes `now`: what has held stays true.

    Returns:
        The changes as recorded, each with its version.

    Raises:
        InvalidFields: unknown SKUs, instants that are past or too far ahead; names each.
    """
    ids = product_ids({change.sku for change in changes})
    errors = [error for position, change in enumerate(changes) for error in _problems(position, change, ids, now)]
    if errors:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:5]), errors=errors)
    recorded = [replace(change, valid_from=max(change.valid_from, now)) for change in changes]
    lock_price_ledger()
    versions = _append(recorded, ids, recorded_by)
    _announce(versions[0], versions[-1], len(versions), now=now)
    return list(zip(versions, recorded, strict=True))


def _problems(position: int, change: PriceChange, ids: Mapping[str, int], now: datetime) -> Iterator[FieldError]:
    if change.sku not in ids:
        yield FieldError(f"/changes/{position}/sku", f"{change.sku[:60]!r} is not a product we sell")
    if change.valid_from < now - PAST_MAX:
        yield FieldError(
            f"/changes/{position}/valid_from", "is past: a price that held once is never changed afterwards"
        )
    elif change.valid_from > now + FUTURE_MAX:
        yield FieldError(f"/changes/{position}/valid_from", "is more than ten years ahead")


def _append(changes: Sequence[PriceChange], ids: Mapping[str, int], recorded_by: str) -> list[int]:
    """Add one entry per change, in their order; returns the versions."""
    names = ("product_id", "zone", "amount", "currency", "valid_from")
    stated = (
        func.unnest(
            bindparam("products", [ids[change.sku] for change in changes], ARRAY(Integer())),
            bindparam("zones", [change.zone for change in changes], ARRAY(Text())),
            bindparam("amounts", [change.price.amount for change in changes], ARRAY(BigInteger())),
            bindparam("currencies", [change.price.currency for change in changes], ARRAY(Text())),
            bindparam("instants", [change.valid_from for change in changes], ARRAY(DateTime(timezone=True))),
        )
        .table_valued(*names, with_ordinality="position")
        .render_derived()
    )
    in_order = select(*(stated.c[name] for name in names), literal(recorded_by)).order_by(stated.c.position)
    recorded = insert(Price).from_select([*names, "recorded_by"], in_order).returning(Price.version)
    return sorted(db.session.scalars(recorded))


def append_changed(stated: FromClause, *, now: datetime, recorded_by: str) -> int:
    """Record the stated prices that differ from what holds anyway.

    A price for later is recorded even where it would hold anyway: somebody may still set another one before it, and
    then it does make a difference.

    Args:
        stated: rows of `product_id`, `zone`, `valid_from`, `amount` and `currency`, unique by the first three and none
            of them valid before `now`.
        now: the present instant.
        recorded_by: who states them.

    Returns:
        How many products and zones had no price before.
    """
    lock_price_ledger()
    same_shelf = and_(Price.product_id == stated.c.product_id, Price.zone == stated.c.zone)
    shelves = select(stated.c.product_id, stated.c.zone).where(~exists().where(same_shelf)).distinct().subquery()
    new = db.session.execute(select(func.count()).select_from(shelves)).scalar_one()
    names = ["product_id", "zone", "valid_from", "amount", "currency"]
    differing = _differing(stated, now=now)
    in_order = select(*(differing.c[name] for name in names), literal(recorded_by)).order_by(
        differing.c.product_id, differing.c.zone, differing.c.valid_from
    )
    added = insert(Price).from_select([*names, "recorded_by"], in_order).returning(Price.version).cte("added")
    first, last, count = db.session.execute(
        select(func.min(added.c.version), func.max(added.c.version), func.count()).select_from(added)
    ).one()
    if count:
        _announce(first, last, count, now=now)
    return int(new)


def _differing(stated: FromClause, *, now: datetime) -> Subquery:
    """The stated prices, without those that change nothing and never will."""
    holds = (
        select(Price.valid_from, Price.amount, Price.currency)
        .where(Price.product_id == stated.c.product_id, Price.zone == stated.c.zone)
        .where(Price.valid_from <= stated.c.valid_from)
        .order_by(Price.valid_from.desc(), Price.version.desc())
        .limit(1)
        .lateral("holds")
    )
    changes_nothing = and_(holds.c.amount == stated.c.amount, holds.c.currency == stated.c.currency)
    # No other price can come between what holds and this one any more.
    never_will = or_(stated.c.valid_from <= now, stated.c.valid_from == holds.c.valid_from)
    kept = and_(changes_nothing, never_will).is_not(true())
    return select(stated).join(holds, true(), isouter=True).where(kept).subquery("differing")


def _announce(first: int, last: int, count: int, *, now: datetime) -> None:
    # Who follows prices reads the ledger between these versions; an event per price would only say it a second time.
    news = {"from_version": first, "to_version": last, "count": count}
    outbox.emit("price.changed", {new_id(): news}, at=now)
    signals.after_commit(signals.NEWS, ["price.changed"])
