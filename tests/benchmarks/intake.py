"""Orders taken and reserved by the whole system, beside the bare endpoint on the same database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import Figure, at_least, at_most, ratio
from tests.benchmarks.instance import NOT_OURS, difference, ours, progress, spent, wait_until_decided, wait_until_done
from tests.benchmarks.load import Result, fire
from tests.benchmarks.shop import CLIENTS, Shop
from tests.benchmarks.yardstick import Yardstick, reference

PART_OF_REFERENCE_MIN = 0.35
# 4 ms an order where the reference costs 1.2 ms.
CPU_TO_REFERENCE_MAX = 3.3


@dataclass(frozen=True)
class Intake:
    """What taking and reserving some orders took."""

    taken: Result
    decided_seconds: float
    done_seconds: float
    cost: dict[str, float]
    yardstick: Yardstick

    @property
    def rate(self) -> float:
        """Orders taken and reserved a second."""
        return self.taken.taken / self.decided_seconds

    def cpu_ms(self, seconds: float) -> float:
        """Milliseconds of CPU an order."""
        return 1000 * seconds / self.taken.taken

    @property
    def part_of_reference(self) -> float:
        """Our rate by the reference's."""
        return ratio(self.rate, self.yardstick.rate)

    @property
    def cpu_to_reference(self) -> float:
        """Our CPU an order by the reference's."""
        return ratio(self.cpu_ms(ours(self.cost)), self.yardstick.cpu_ms)


def measure(shop: Shop, orders: int) -> Intake:
    """Take so many orders until nothing is left to do; half of the yardstick is taken before and half after."""
    bodies = shop.baskets(orders)
    half = len(bodies) // 2
    with reference(shop) as bare:
        progress(f"reference, then {orders:,} orders")
        before = bare.measure(bodies[:half])
        taken, decided, done, cost = _take(shop, bodies)
        after = bare.measure(bodies[half:])
    return Intake(taken, decided, done, cost, before + after)


def _take(shop: Shop, bodies: Sequence[bytes]) -> tuple[Result, float, float, dict[str, float]]:
    before, started = spent(shop.system), time.perf_counter()
    taken = fire(shop.system.port, "/v1/orders", bodies, clients=CLIENTS, key=shop.key)
    wait_until_decided(shop.system)
    decided = time.perf_counter() - started
    wait_until_done(shop.system)
    done = time.perf_counter() - started
    return taken, decided, done, difference(spent(shop.system), before)


def figures(found: Intake) -> list[Figure]:
    """The lines of the table."""
    taken, bare = found.taken, found.yardstick
    answers = (
        f"answers {dict(taken.codes)}, median {taken.milliseconds(0.5):.0f} ms, p99 {taken.milliseconds(0.99):.0f} ms"
    )
    return [
        Figure("reference: bare endpoint", bare.rate, "orders/s"),
        Figure("reference: CPU", bare.cpu_ms, "ms/order", note="its web server and PostgreSQL"),
        Figure("orders taken", taken.rate, "orders/s", note=answers),
        Figure("orders taken and reserved", found.rate, "orders/s"),
        Figure("  by the reference", found.part_of_reference, "×", at_least(PART_OF_REFERENCE_MIN)),
        Figure("everything done, messages too", taken.taken / found.done_seconds, "orders/s"),
        Figure("  after the last decision", found.done_seconds - found.decided_seconds, "s"),
        *_cpu_figures(found),
    ]


def _cpu_figures(found: Intake) -> list[Figure]:
    """CPU counts until everything is done: what an order costs, whenever."""
    kinds = sorted(found.cost, key=lambda kind: (kind in NOT_OURS, -found.cost[kind]))
    return [
        Figure("CPU of all processes", found.cpu_ms(ours(found.cost)), "ms/order"),
        Figure("  by the reference", found.cpu_to_reference, "×", at_most(CPU_TO_REFERENCE_MAX)),
        *(
            Figure(
                f"  {kind}",
                found.cpu_ms(found.cost[kind]),
                "ms/order",
                note="apart, not in the sum" if kind in NOT_OURS else "",
            )
            for kind in kinds
        ),
        Figure("  load client", found.cpu_ms(found.taken.cpu_seconds), "ms/order", note="apart, not in the sum"),
    ]
