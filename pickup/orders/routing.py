"""Where an order goes: the nearest pickup point that can fulfil the whole basket. Pure.

The caller walks the stores from near to far and says what it knows of each; this module decides and keeps the reasons.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Verdict = Literal["chosen", "not_enough_stock", "closed", "at_capacity", "paused", "too_far", "reservation_lost"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A store as routing sees it."""

    store_id: int
    ref: str
    distance_m: int | None
    paused: bool
    has_all: bool
    in_reach: bool = True


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
    """The outcome: every store looked at, in order, and the chosen one with its promise, if there is one."""

    considered: tuple[Considered, ...]
    chosen: Candidate | None
    ready_by: datetime | None


# The first test that a candidate fails gives its verdict; the promise is asked for last, because it costs most.
REFUSALS: tuple[tuple[Verdict, Callable[[Candidate], bool]], ...] = (
    ("too_far", lambda candidate: not candidate.in_reach),
    ("paused", lambda candidate: candidate.paused),
    ("not_enough_stock", lambda candidate: not candidate.has_all),
)


def choose(candidates: Iterable[Candidate], promise: Callable[[Candidate], datetime | None]) -> Route:
    """Take the first candidate without a refusal.

    Args:
        candidates: nearest first; read only as far as needed.
        promise: when a store can have the basket ready; None if it is not going to open.
    """
    considered: list[Considered] = []
    for candidate in candidates:
        verdict = next((name for name, refused in REFUSALS if refused(candidate)), None)
        ready_by = promise(candidate) if verdict is None else None
        if ready_by is not None:
            considered.append(Considered(candidate, "chosen"))
            return Route(tuple(considered), candidate, ready_by)
        considered.append(Considered(candidate, verdict or "closed"))
    return Route(tuple(considered), None, None)
