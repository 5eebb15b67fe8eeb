"""Who stands at the counter, and with which tablet in hand."""

from dataclasses import dataclass

from pickup.core.types import Actor
from pickup.staff.models import MANAGERS, Device, StaffMember


@dataclass(frozen=True, slots=True)
class Associate:
    """A person who is signed in, as they were when the request came."""

    id: int
    store_id: int
    name: str
    role: str
    device_id: int | None = None
    device_name: str = ""
    """Empty for a browser that nobody has enrolled."""

    @property
    def is_manager(self) -> bool:
        """Whether they may do what is locked for others."""
        return self.role in MANAGERS

    @property
    def is_head_office(self) -> bool:
        """Whether they look after every store."""
        return self.role == "head_office"

    @property
    def actor(self) -> Actor:
        """Who it was, as the history of an order says it."""
        return Actor("staff", self.name)


def at_work(member: StaffMember, device: Device | None = None) -> Associate:
    """A person, with the tablet they hold."""
    return Associate(
        id=member.id,
        store_id=member.store_id,
        name=member.name,
        role=member.role,
        device_id=device.id if device else None,
        device_name=device.name if device else "",
    )
