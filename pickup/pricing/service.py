"""Writing the price ledger: rows are added, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
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
from sqlalchemy.dialects.postgresql import distinct_on

from pickup.core import outbox
from pickup.core.db import db
from pickup.core.errors import FieldError, InvalidFields
from pickup.core.types import Money, new_id
from pickup.pricing.errors import ProductNotFound
from pickup.pricing.models import Price
from pickup.pricing.queries import lock_price_ledger, prices_at, product_ids
from pickup.stores.directory import known_store

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


def check_changes(changes: Sequence[PriceChange], *, now: datetime) -> dict[str, int]:
    """See that price changes can be recorded; returns the product of each SKU.

    Raises:
        InvalidFields: unknown SKUs, instants that are past or too far ahead; names each.
    """
    ids = product_ids({change.sku for change in changes})
    errors = [error for position, change in enumerate(changes) for error in _problems(position, change, ids, now)]
    if errors:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:5]), errors=errors)
    return ids


def record_changes(
    changes: Sequence[PriceChange], ids: Mapping[str, int], *, begins: datetime, recorded_by: str, reason: str = ""
) -> list[tuple[int, PriceChange]]:
    """Record price changes in the order given; each is a new entry, even where it changes nothing.

    Args:
        ids: what `check_changes` returned for them.
        begins: the earliest instant at which any of them may hold: see `beginning.py`.

    Returns:
        The changes as recorded, each with its version.
    """
    lock_price_ledger()
    recorded = [replace(change, valid_from=max(change.valid_from, begins)) for change in changes]
    versions = _append(recorded, ids, recorded_by, reason)
    _announce(versions[0], versions[-1], len(versions), now=begins)
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


def _append(changes: Sequence[PriceChange], ids: Mapping[str, int], recorded_by: str, reason: str) -> list[int]:
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
    in_order = select(*(stated.c[name] for name in names), *_whose(recorded_by, reason)).order_by(stated.c.position)
    recorded = insert(Price).from_select([*names, *_WHOSE], in_order).returning(Price.version)
    return sorted(db.session.scalars(recorded))


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
    names = ["product_id", "zone", "valid_from", "amount", "currency"]
    differing = _differing(_none_before(stated, begins), begins=begins)
    in_order = select(*(differing.c[name] for name in names), *_whose(recorded_by, reason)).order_by(
        differing.c.product_id, differing.c.zone, differing.c.valid_from
    )
    added = insert(Price).from_select([*names, *_WHOSE], in_order).returning(Price.version).cte("added")
    first, last, count = db.session.execute(
        select(func.min(added.c.version), func.max(added.c.version), func.count()).select_from(added)
    ).one()
    if count:
        _announce(first, last, count, now=begins)
    return int(new)


_WHOSE = ("recorded_by", "reason")


def _whose(recorded_by: str, reason: str) -> tuple[ColumnElement[str], ...]:
    return literal(recorded_by), literal(reason)


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
