"""A shop that does its part: an order it got no answer to, it sends again, under the same idempotency key.

Its customers have lives of their own, told by the order's number: see `LIVES`.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.system import Answer, System, until

WORTH_A_REPETITION = frozenset({0, 503})
PATIENCE_SECONDS = 120.0
STORES = 3
SKUS = 8
# What becomes of an order: called off as soon as it is placed; sent for, because no shelf has it whole; not all of it
# found, and collected in part, or in another store; or nothing special.
LIVES = ("called off", "sent for", "found in part", "found elsewhere", "plain", "plain")


@dataclass
class Basket:
    """One order, from the shop's side."""

    number: int
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: Answer | None = None
    calling_off: Answer | None = None

    @property
    def life(self) -> str:
        """One of `LIVES`."""
        return life_of(self.number)

    @property
    def email(self) -> str:
        return str(self.body["customer"]["email"])

    @property
    def id(self) -> str:
        assert self.answer is not None
        return str(self.answer.json["id"])


class GoodShop:
    """Sends each basket on a thread of its own, until there is an answer."""

    def __init__(self, system: System, key: str) -> None:
        self._system = system
        self._key = key
        self._threads: list[threading.Thread] = []
        self.baskets: list[Basket] = []
        self.answers: Counter[int] = Counter()
        """By status, every answer that any request got; 0 for none."""
        self.faults: list[BaseException] = []

    def send(self) -> Basket:
        """Send one basket more, now."""
        number = len(self.baskets)
        basket = Basket(number, basket_body(number))
        self.baskets.append(basket)
        thread = threading.Thread(target=self._send, args=(basket,), name=f"basket {number}")
        self._threads.append(thread)
        thread.start()
        return basket

    def wait(self) -> None:
        """Until every basket has its answer."""
        for thread in self._threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def order(self, basket: Basket) -> Answer:
        """Send a basket until the answer is final."""
        return self._persist(
            lambda: self._call("POST", "/v1/orders", basket.body, {"Idempotency-Key": basket.key}),
            lambda answer: answer.status == 409 and answer.json["code"] == "request_in_progress",
        )

    def cancel(self, basket: Basket) -> Answer:
        """Call an order off."""
        return self._persist(lambda: self._call("POST", f"/v1/orders/{basket.id}/cancel", {}))

    def orders(self) -> list[dict[str, Any]]:
        """All the shop has, page by page."""
        found, after = [], ""
        while True:
            page = self._persist(lambda after=after: self._call("GET", f"/v1/orders?limit=100{after}")).json
            found += page["data"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    def _send(self, basket: Basket) -> None:
        try:
            basket.answer = self.order(basket)
            if basket.life == "called off":
                basket.calling_off = self.cancel(basket)
        except BaseException as fault:
            self.faults.append(fault)

    def _persist(self, request: Callable[[], Answer], unfinished: Callable[[Answer], bool] = lambda _: False) -> Answer:
        last = Answer(0)

        def is_final() -> bool:
            nonlocal last
            last = request()
            self.answers[last.status] += 1
            return last.status not in WORTH_A_REPETITION and not unfinished(last)

        until(is_final, within=PATIENCE_SECONDS, what="a final answer")
        return last

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        return self._system.call(method, path, body, {"Authorization": f"Bearer {self._key}"} | (headers or {}))


def life_of(number: int) -> str:
    """What becomes of the order of that number."""
    return LIVES[number % len(LIVES)]


def basket_body(number: int) -> dict[str, Any]:
    """What a customer of one's own wants, near one of the stores."""
    return {
        "customer": {"name": f"Customer {number}", "email": f"customer{number}@example.com"},
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in wanted(number).items()],
        "pickup": {"near": {"lat": 36.37, "lon": -94.2 + number % STORES / 10}},
        "payment": {"method": "sandbox", "token": "tok_ok"},
        **({"if_short": "move"} if life_of(number) == "found elsewhere" else {}),
    }


def wanted(number: int) -> dict[str, int]:
    """Units by SKU: three products in another order each time, and what the order's life needs besides."""
    plenty = {f"P{(number + step) % SKUS}": 1 + number % 2 for step in (0, 3, 1)}
    match life_of(number):
        case "sent for":
            return plenty | {"ONLY-S0": 1, "ONLY-S1": 2}
        case "found in part" | "found elsewhere":
            return plenty | {rare(number): 2}
    return plenty


def rare(number: int) -> str:
    """The product that is not all found. Each order has its own, for where one is not found all are missed."""
    return f"RARE-{number}"
