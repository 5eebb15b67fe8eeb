"""A register that follows the prices over the API, sells at them, and does without the network when it has to.

It is what a maker of tills would build from the API's documentation, and nothing else: it shares no rule, table or
statement with the server, so where the two agree, the documentation is right.
"""

import json
import os
import uuid
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pickup.core.clock import rfc3339, utcnow
from pickup.core.types import Money
from pickup.dev.till_link import CutOff, Link, Refused

# What the server takes at once.
CHANGES_MAX = 10_000
SALES_MAX, LINES_MAX = 1000, 10_000


class Change(NamedTuple):
    """A price as the feed told it. Of two that have begun, the greater one holds."""

    is_own: bool
    """Of the store's own zone, which goes before what holds everywhere."""
    valid_from: datetime
    version: int
    amount: int
    currency: str
    zone: str


class TillPrices:
    """What a till was told of the prices of its store. Knows no network and no clock."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor, self.version = cursor, 0
        self._changes: dict[str, list[Change]] = defaultdict(list)

    def take_over(self, told: Iterable[Mapping[str, Any]], cursor: str) -> int:
        """Remember a page of the feed, and where to go on; returns how many of its changes were new."""
        new = [change for change in told if change["version"] > self.version]
        for change in new:
            price, zone, begins = change["price"], change["zone"], datetime.fromisoformat(change["valid_from"])
            entry = Change(zone != "", begins, change["version"], price["amount"], price["currency"], zone)
            insort(self._changes[change["sku"]], entry)
            self.version = change["version"]
        self.cursor = cursor
        return len(new)

    def price(self, sku: str, at: datetime) -> Change | None:
        """What a product costs at an instant; None where it has no price then."""
        return next((change for change in reversed(self._changes.get(sku, ())) if change.valid_from <= at), None)

    def skus_on_sale(self, at: datetime) -> list[str]:
        """The products that have a price at an instant."""
        return sorted(sku for sku in self._changes if self.price(sku, at))

    def as_json(self) -> dict[str, Any]:
        """All that it was told, as it was told."""
        told = [
            {
                "sku": sku,
                "price": {"amount": change.amount, "currency": change.currency},
                "valid_from": rfc3339(change.valid_from),
                "version": change.version,
                "zone": change.zone,
            }
            for sku, changes in self._changes.items()
            for change in changes
        ]
        return {"cursor": self.cursor, "told": sorted(told, key=lambda change: change["version"])}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "TillPrices":
        """The same prices again."""
        prices = cls()
        prices.take_over(kept["told"], kept["cursor"])
        return prices


class Till:
    """A register of a store. Its state survives it where it has a file for it.

    Args:
        clock: the right time; the till's own differs by `clock_ahead`.
        say: is told of each thing that the till does.
    """

    def __init__(
        self,
        store_ref: str,
        register: str,
        link: Link,
        *,
        file: Path | None = None,
        clock: Callable[[], datetime] = utcnow,
        clock_ahead: timedelta = timedelta(),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.link, self.clock_ahead, self._clock, self._say, self._file = link, clock_ahead, clock, say, file
        self._name = {"store_ref": store_ref, "register": register}
        self.is_connected = True
        self.prices = TillPrices()
        self.queue: list[dict[str, Any]] = []
        # Tills that begin anew must not give a sale an id that they gave before.
        self._series, self._sold = uuid.uuid4().hex[:8], 0
        if file is not None and file.exists():
            self._load(json.loads(file.read_text()))

    def now(self) -> datetime:
        """The time by the till's own clock."""
        return self._clock() + self.clock_ahead

    def communicate(self) -> None:
        """Follow the prices, say by which it charges, send what it sold. Without network: later.

        Raises:
            Refused: by the server, for a reason that waiting does not mend.
        """
        try:
            self.follow()
            self.acknowledge()
            self.send()
        except CutOff as reason:
            if self.is_connected:
                self._say(f"cut off ({reason}): goes on with version {self.prices.version}")
            self.is_connected = False

    def follow(self) -> None:
        """Take over every price change there is. When the cursor is refused, begin anew."""
        known = self.prices.cursor
        try:
            taken = self._follow_with(self.prices)
        except Refused as refusal:
            if refusal.fields != ["/after"]:
                raise
            self._say(f"begins anew: {refusal.detail}")
            anew = TillPrices()
            taken = self._follow_with(anew)
            self.prices = anew  # not before it has them all: until then it sells at those of before
        if self.prices.cursor != known:
            self._save()
            self._say(f"took over {taken} price changes, up to version {self.prices.version}")

    def _follow_with(self, prices: TillPrices) -> int:
        taken, store_ref = 0, self._name["store_ref"]
        while True:
            page = self._ask("GET", "/v1/pos/prices", store_ref=store_ref, limit=CHANGES_MAX, after=prices.cursor)
            taken += prices.take_over(page["data"], page["next"])
            if not page["data"]:
                return taken

    def acknowledge(self) -> None:
        """Say by which version it charges; this also tells the server that it lives."""
        self._tell("/v1/pos/prices/ack", {"version": self.prices.version})

    def sell(self, basket: Iterable[tuple[str, int]]) -> dict[str, Any] | None:
        """Sell units by SKU at the till's prices, by its clock; what has no price stays.

        Returns:
            The sale as it will be told; None where nothing of it has a price.
        """
        at = self.now()
        lines = [
            {"sku": sku, "quantity": units, "unit_price": {"amount": price.amount, "currency": price.currency}}
            for sku, units in basket
            if (price := self.prices.price(sku, at))
        ]
        if not lines:
            return None
        self._sold += 1
        sale = {"id": f"{self._name['register']}-{self._series}-{self._sold:06}", "at": rfc3339(at), "lines": lines}
        self.queue.append(sale)
        self._save()
        self._say(f"sold {sale['id']}: {len(lines)} lines, {_total(lines)}")
        return sale

    def send(self) -> None:
        """Send the sales that the server has not confirmed yet. Those that it refuses wait: a clock may be fast."""
        sent = waiting = 0
        while len(self.queue) > waiting:
            batch = list(_batch(self.queue[waiting:]))
            try:
                answer = self._tell("/v1/pos/sales", {"sales": batch})
            except Refused as refusal:
                refused = {int(field.split("/")[2]) for field in refusal.fields if field.startswith("/sales/")}
                if not refused:
                    raise
                self._say(f"{len(refused)} sales are refused: {refusal.detail}")
                kept = [sale for number, sale in enumerate(batch) if number in refused]
                others = [sale for number, sale in enumerate(batch) if number not in refused]
                self.queue[waiting : waiting + len(batch)] = kept + others
                waiting += len(kept)
                continue
            del self.queue[waiting : waiting + len(batch)]
            self._save()
            sent += len(batch)
            if answer["breaches"]:
                self._say(f"{answer['breaches']} lines were charged at another price than the ledger's")
        if sent:
            self._say(f"sent {sent} sales")

    def _tell(self, path: str, message: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, {**self._name, **message, "sent_at": rfc3339(self.now())})

    def _ask(self, method: str, path: str, body: Any = None, **query: str | int | None) -> Any:
        answer = self.link.ask(method, path, body, **query)
        if not self.is_connected:
            self.is_connected = True
            self._say("back")
        return answer

    def _load(self, kept: Mapping[str, Any]) -> None:
        if kept["name"] != self._name:
            raise ValueError(f"{self._file} is the state of another till: {kept['name']}")
        self._series, self._sold, self.queue = kept["series"], kept["sold"], kept["queue"]
        self.prices = TillPrices.from_json(kept["prices"])

    def _save(self) -> None:
        if self._file is None:
            return
        kept = {
            "name": self._name,
            "series": self._series,
            "sold": self._sold,
            "queue": self.queue,
            "prices": self.prices.as_json(),
        }
        beside = self._file.with_name(self._file.name + ".new")
        with beside.open("w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._file)


def _total(lines: Iterable[Mapping[str, Any]]) -> str:
    totals: Counter[str] = Counter()
    for line in lines:
        totals[line["unit_price"]["currency"]] += line["quantity"] * line["unit_price"]["amount"]
    return " and ".join(f"{Money(amount, currency).major()} {currency}" for currency, amount in totals.items())


def _batch(sales: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The first of them, as many as the server takes at once."""
    lines = 0
    for number, sale in enumerate(sales):
        lines += len(sale["lines"])
        if number == SALES_MAX or (number and lines > LINES_MAX):
            return
        yield sale
