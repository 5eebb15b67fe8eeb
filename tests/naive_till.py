"""A till as somebody builds it who has read the contract of the feed, and nothing more: it knows of no zones."""

from datetime import datetime

from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.pricing.queries import PriceNews
from pickup.tills.service import price_feed


class NaiveTill:
    """Of what it was told of a product, it charges what began last, and of two for one instant the later version."""

    def __init__(self, store_ref: str = "1") -> None:
        self.store_ref = store_ref
        self.cursor: str | None = None
        self.told: dict[tuple[str, datetime, int], PriceNews] = {}

    def follow(self, limit: int = 1000) -> None:
        while True:
            changes, self.cursor = price_feed(self.store_ref, self.cursor, limit, now=utcnow())
            db.session.rollback()
            if not changes:
                return
            self.told |= {(change.sku, change.valid_from, change.version): change for change in changes}

    def price(self, sku: str, at: datetime) -> int | None:
        begun = [key for key in self.told if key[0] == sku and key[1] <= at]
        return self.told[max(begun)].amount if begun else None
