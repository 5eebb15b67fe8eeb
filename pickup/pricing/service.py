"""Writing the price ledger: rows are added, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import distinct_on

from pickup.core import outbox, signals
from pickup.core.db import db
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.staging import stage
from pickup.core.types import Money, new_id
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.models import Price
from pickup.pricing.queries import lock_price_ledger, prices_at, product_ids
from pickup.stores.directory import known_store

# The past is never rewritten; a minute allows for the clock of whoever states a price.
PAST_MAX = timedelta(seconds=60)
FUTURE_MAX = timedelta(days=3660)

_STATED = ("product_id", "zone", "valid_from", "amount", "currency")


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What a product is to cost in a zone from an instant on."""

    sku: str
    price: Money
    zone: str
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of stated changes: the version of the first, which those of the others follow without a gap."""

    first_version: int
    begins: datetime

    def valid_from(self, change: PriceChange) -> datetime:
        """When a change holds."""
        return max(change.valid_from, self.begins)


def known_product(sku: str) -> int:
    """The id of the product with this SKU.

    Raises:
        ProductNotFound: there is none.
    """
    product_id = product_ids([sku]).get(sku) if sku.isprintable() else None
    if product_id is None:
        raise ProductNotFound("There is no product of this SKU.")
    return product_id


def price_on_shelf(product_id: int, store_ref: str, *, at: datetime) -> Price | None:
    """What the shelf of a store says about a product at an instant; None where it has no price.

    Raises:
        InvalidFields: there is no such store.
    """
    return prices_at([(product_id, at)], known_store(store_ref).id)[0]


def state(changes: Sequence[PriceChange], *, now: datetime) -> FromClause:
    """Bring price changes into the present transaction, to be recorded by `record_all`.

    Raises:
        InvalidFields: unknown SKUs, instants that are past or too far ahead; names each.
    """
    ids = product_ids({change.sku for change in changes})
    errors = [error for position, change in enumerate(changes) for error in _problems(position, change, ids, now)]
    if errors:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:5]), errors=errors)
    columns = {"position": Integer()} | {name: Price.__table__.c[name].type for name in _STATED}
    return stage(
        columns,
        (
            (position, ids[change.sku], change.zone, change.valid_from, change.price.amount, change.price.currency)
            for position, change in enumerate(changes)
        ),
    )


def record_all(stated: FromClause, *, begins: datetime, recorded_by: str, reason: str = "") -> Recorded:
    """Record what was stated, in its order; each is a new entry, even where it changes nothing.

    Args:
        stated: what `state` returned.
        begins: the earliest instant at which any of them may hold: see `beginning.py`.
    """
    lock_price_ledger()
    valid_from = func.greatest(stated.c.valid_from, begins).label("valid_from")
    columns = [valid_from if name == "valid_from" else stated.c[name] for name in _STATED]
    entries = select(*columns).order_by(stated.c.position)
    first = _append(entries, begins=begins, recorded_by=recorded_by, reason=reason)
    if first is None:
        raise ValueError("there are no changes")
    return Recorded(first, begins)


def _problems(position: int, change: PriceChange, ids: Mapping[str, int], now: datetime) -> Iterator[FieldError]:
    if change.sku not in ids:
        yield FieldError(f"/changes/{position}/sku", f"{change.sku[:60]!r} is not a product we sell")
    if change.valid_from < now - PAST_MAX:
        yield FieldError(
            f"/changes/{position}/valid_from", "is past: a price that held once is never changed afterwards"
        )
    elif change.valid_from > now + FUTURE_MAX:
        yield FieldError(f"/changes/{position}/valid_from", "is more than ten years ahead")


def append_changed(stated: FromClause, *, begins: datetime, recorded_by: str, reason: str = "") -> int:
    """Record the stated prices that differ from what holds anyway.

    A price for later is recorded even where it would hold anyway: somebody may still set another one before it, and
    then it does make a difference.

    Args:
        stated: rows of `product_id`, `zone`, `valid_from`, `amount` and `currency`, unique by the first three.
        begins: the earliest instant at which any of them may hold: see `beginning.py`.
        recorded_by: who states them.

    Returns:
        How many products and zones had no price before.
    """
    lock_price_ledger()
    same_shelf = and_(Price.product_id == stated.c.product_id, Price.zone == stated.c.zone)
    shelves = select(stated.c.product_id, stated.c.zone).where(~exists().where(same_shelf)).distinct().subquery()
    new = db.session.execute(select(func.count()).select_from(shelves)).scalar_one()
    differing = _differing(_none_before(stated, begins), begins=begins)
    order = differing.c.product_id, differing.c.zone, differing.c.valid_from
    entries = select(*(differing.c[name] for name in _STATED)).order_by(*order)
    _append(entries, begins=begins, recorded_by=recorded_by, reason=reason)
    return int(new)


def _append(entries: Select[Any], *, begins: datetime, recorded_by: str, reason: str) -> int | None:
    """Add entries in their order, and tell of them; returns the version of the first, which the others follow."""
    whose = entries.add_columns(literal(recorded_by), literal(reason))
    added = insert(Price).from_select([*_STATED, "recorded_by", "reason"], whose).returning(Price.version).cte("added")
    first, last, count = db.session.execute(
        select(func.min(added.c.version), func.max(added.c.version), func.count()).select_from(added)
    ).one()
    if count:
        _announce(first, last, count, now=begins)
    return cast("int | None", first)


def _none_before(stated: FromClause, begins: datetime) -> Subquery:
    """The stated prices, none of them valid before an instant; of several that begin with it the one stated last."""
    shelf = (stated.c.product_id, stated.c.zone, func.greatest(stated.c.valid_from, begins))
    return (
        select(*shelf[:2], shelf[2].label("valid_from"), stated.c.amount, stated.c.currency)
        .ext(distinct_on(*shelf))
        .order_by(*shelf, stated.c.valid_from.desc())
        .subquery("from_then_on")
    )


def _differing(stated: FromClause, *, begins: datetime) -> Subquery:
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
    never_will = or_(stated.c.valid_from <= begins, stated.c.valid_from == holds.c.valid_from)
    kept = and_(changes_nothing, never_will).is_not(true())
    return select(stated).join(holds, true(), isouter=True).where(kept).subquery("differing")


def _announce(first: int, last: int, count: int, *, now: datetime) -> None:
    # Who follows prices reads the ledger between these versions; an event per price would only say it a second time.
    news = {"from_version": first, "to_version": last, "count": count}
    outbox.emit("price.changed", {new_id(): news}, at=now)
    signals.after_commit(signals.NEWS, ["price.changed"])
