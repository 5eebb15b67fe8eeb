"""Announced prices begin: told when it is so, once for each.

A price that is recorded for now is told of as it is recorded. One that was announced, more than a minute before
(`models.ANNOUNCED`), is told of a second time: then it holds. Whoever records prices has the ledger's lock until the
commit, and none of them begins before that (`beginning.py`): so with the lock in hand, all that has begun is there.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import DateTime, bindparam, select, text

from pickup.core import outbox
from pickup.core.db import db, in_transaction, run
from pickup.core.types import new_id
from pickup.pricing.models import ANNOUNCED, PriceClock
from pickup.pricing.queries import price_ledger_is_free

# So many products stand in one event: at midnight it may be all of them.
SKUS_MAX = 500
_ONLY_ROW = 1

_BEGUN = text(f"""
    SELECT DISTINCT sku FROM prices JOIN products ON products.id = product_id
    WHERE {ANNOUNCED} AND valid_from > :since AND valid_from <= :until ORDER BY sku
""").bindparams(  # noqa: S608  put together from constants
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until"))
)


def tell_of_beginnings(now: datetime) -> int:
    """Tell of announced prices that have begun since the last look; returns of how many products.

    The first look of all tells of nothing: what began before is past. Where somebody is recording prices just now, the
    next look has it all.
    """
    return in_transaction(lambda: _tell(now))


def _tell(now: datetime) -> int:
    if not price_ledger_is_free():
        return 0
    clock = db.session.scalars(
        select(PriceClock).where(PriceClock.id == _ONLY_ROW).execution_options(populate_existing=True)
    ).one_or_none()
    if clock is None:
        db.session.add(PriceClock(id=_ONLY_ROW, told_until=now))
        return 0
    if now <= clock.told_until:
        return 0
    skus: Sequence[str] = run(_BEGUN, {"since": clock.told_until, "until": now}).scalars().all()
    parts = [skus[start : start + SKUS_MAX] for start in range(0, len(skus), SKUS_MAX)]
    outbox.emit(
        "price.changed",
        {new_id(): {"activated": True, "count": len(part), "skus": list(part)} for part in parts},
        at=now,
    )
    clock.told_until = now
    return len(skus)
