"""Who gets the goods: first come, first served, the whole basket or nothing. Pure."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)
# (store id, product id). What else is limited (a store's working hour) has keys of its own kind.
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Demand(Generic[Owner]):
    """What one order needs of each resource."""

    owner: Owner
    quantities: Mapping[Hashable, int]


def allocate(demands: Iterable[Demand[Owner]], available: Mapping[Hashable, int]) -> list[Demand[Owner]]:
    """The demands that can be met, in the order given; what cannot be met as a whole takes nothing.

    A large basket that fails does not hold up a smaller one behind it: units that nobody can use are not kept.
    """
    left = dict(available)
    met = []
    for demand in demands:
        if all(left.get(key, 0) >= quantity for key, quantity in demand.quantities.items()):
            for key, quantity in demand.quantities.items():
                left[key] -= quantity
            met.append(demand)
    return met
