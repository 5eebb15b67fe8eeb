"""Where an order goes, and why. Pure.

The caller walks the stores from near to far and says what it knows of each; this module decides and keeps the reasons.
What it decides between are plans: a pickup point with its promise. Which of those that could is taken is the policy's
business, everything else is the same for all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal, Protocol

from pickup.orders.sourcing import Source

Verdict = Literal[
    "chosen", "not_enough_stock", "closed", "at_capacity", "paused", "too_far", "reservation_lost", "passed_over"
]
# A policy that compares looks at so many plans at most: a customer does not drive past five stores to the sixth.
COMPARED_MAX = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pickup point as routing sees it."""

    store_id: int
    ref: str
    distance_m: int | None
    takes_orders: bool = True
    has_all: bool = True
    has_room: bool = True
    in_reach: bool = True
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to fulfil the order. `sources` is empty where everything comes from the pickup point's own shelf."""

    candidate: Candidate
    ready_by: datetime
    sources: tuple[Source, ...] = ()
    capacity_hour: datetime | None = None
    """The hour of work that the order is counted in; None where the pickup point has no limit."""
    load: float = 0.0
    """Open orders at the pickup point, as a part of what it can prepare in an hour."""

    @property
    def transfers(self) -> int:
        """How many stores have to send something."""
        return sum(source.expected_at is not None for source in self.sources)


@dataclass(frozen=True, slots=True)
class Considered:
    """A candidate with the verdict on it."""

    candidate: Candidate
    verdict: Verdict

    def as_json(self) -> dict[str, str | int | None]:
        """As the order keeps it and the API shows it."""
        return {
            "store_ref": self.candidate.ref,
            "distance_m": self.candidate.distance_m,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Route:
    """The outcome: every store looked at, in order, and the plan, if there is one."""

    considered: tuple[Considered, ...]
    plan: Plan | None
    policy: str


class Policy(Protocol):
    """Which plan is taken. Plans come nearest first, and are made only as far as they are read."""

    def __call__(self, plans: Iterator[Plan]) -> Plan | None: ...


def nearest(plans: Iterator[Plan]) -> Plan | None:
    """The first."""
    return next(plans, None)


def fewest_transfers(plans: Iterator[Plan]) -> Plan | None:
    """The one that has the fewest stores send something; of equals the nearest."""
    compared: list[Plan] = []
    for plan in islice(plans, COMPARED_MAX):
        if not plan.transfers:  # nothing is fewer than none
            return plan
        compared.append(plan)
    return min(compared, key=lambda plan: plan.transfers, default=None)


def balance(plans: Iterator[Plan]) -> Plan | None:
    """The one whose store has the least to do for its size; of equals the nearest."""
    return min(islice(plans, COMPARED_MAX), key=lambda plan: plan.load, default=None)


POLICIES: Mapping[str, Policy] = {"nearest": nearest, "fewest_transfers": fewest_transfers, "balance": balance}

# The first test that a candidate fails gives its verdict.
REFUSALS: tuple[tuple[Verdict, Callable[[Candidate], bool]], ...] = (
    ("too_far", lambda candidate: not candidate.in_reach),
    ("paused", lambda candidate: not candidate.takes_orders),
    ("not_enough_stock", lambda candidate: not candidate.has_all and not candidate.lost),
    ("at_capacity", lambda candidate: candidate.has_all and not candidate.has_room),
    ("reservation_lost", lambda candidate: candidate.lost),
)
# What goods from elsewhere can mend.
SHORT_OF_STOCK: frozenset[Verdict] = frozenset({"not_enough_stock", "reservation_lost"})


def choose(candidates: Iterable[Candidate], plan_for: Callable[[Candidate], Plan | None], policy: str) -> Route:
    """Take one of the candidates that have the whole basket on their shelf.

    Args:
        candidates: nearest first; read only as far as the policy needs.
        plan_for: the plan of a candidate without a refusal; None if it is not going to open. Asked last, because it
            costs most.
    """
    considered: list[Considered] = []

    def plans() -> Iterator[Plan]:
        for candidate in candidates:
            verdict = next((name for name, refused in REFUSALS if refused(candidate)), None)
            plan = plan_for(candidate) if verdict is None else None
            considered.append(Considered(candidate, verdict or ("passed_over" if plan else "closed")))
            if plan:
                yield plan

    plan = POLICIES[policy](plans())
    return Route(_with_chosen(considered, plan), plan, policy)


def choose_with_transfers(route: Route, plan_for: Callable[[Candidate], Plan | None]) -> Route:
    """Where no shelf has it all: take one of the pickup points that the rest can be sent to (site to store).

    Args:
        route: the outcome of `choose`, without a plan.
        plan_for: the plan of a candidate that goods are sent to; None if that cannot be done.
    """
    short = [each.candidate for each in route.considered if each.verdict in SHORT_OF_STOCK][:COMPARED_MAX]
    plan = POLICIES[route.policy](plan for candidate in short if (plan := plan_for(candidate)))
    return Route(_with_chosen(route.considered, plan), plan, route.policy)


def _with_chosen(considered: Sequence[Considered], plan: Plan | None) -> tuple[Considered, ...]:
    return tuple(
        Considered(each.candidate, "chosen") if plan and each.candidate is plan.candidate else each
        for each in considered
    )
