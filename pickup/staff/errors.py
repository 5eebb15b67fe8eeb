"""Refusals at the counter."""

from uuid import UUID

from pickup.core.errors import DomainError, Kind
from pickup.core.languages import later


class NameTaken(DomainError):
    """The store has somebody of this name."""

    kind = Kind.CONFLICT
    code = "staff_name_taken"
    title = "This store has somebody of that name"


class PinTaken(DomainError):
    """Somebody of the store has this PIN."""

    kind = Kind.CONFLICT
    code = "staff_pin_taken"
    title = "Somebody in this store has that PIN"


class SignInLocked(DomainError):
    """Too many wrong PINs for one store from one address."""

    kind = Kind.TOO_MANY
    code = "sign_in_locked"
    title = "Too many wrong PINs"


class CodeEntryLocked(DomainError):
    """Too many unknown codes typed by one person."""

    kind = Kind.TOO_MANY
    code = "code_entry_locked"
    title = "Too many wrong codes"


class MovedOn(DomainError):
    """Somebody else was faster, or it is too early: the order is not in the state for this step."""

    kind = Kind.CONFLICT
    code = "order_moved_on"
    title = "The order is not in the state for this"

    def __init__(self, detail: str, *, order_id: UUID) -> None:
        super().__init__(detail)
        self.order_id = order_id


class ManagerNeeded(DomainError):
    """Money is in question, and the person is no manager."""

    kind = Kind.FORBIDDEN
    code = "manager_needed"
    title = later("A manager has to do this")


class DeviceNotFound(DomainError):
    """The person's store has no such tablet."""

    kind = Kind.NOT_FOUND
    code = "device_not_found"
    title = "There is no such tablet"


class ConflictNotFound(DomainError):
    """Nothing of this key was done without a network at the person's store and could not be taken."""

    kind = Kind.NOT_FOUND
    code = "conflict_not_found"
    title = later("There is no such conflict")


class KeyUsedElsewhere(DomainError):
    """A tablet sends another step under a key that it has used."""

    kind = Kind.CONFLICT
    code = "step_key_used"
    title = "The key belongs to another step"


class TransferNotFound(DomainError):
    """The person's store neither sends nor gets such goods."""

    kind = Kind.NOT_FOUND
    code = "transfer_not_found"
    title = later("There are no such goods to send or to take in")


class RoundNotFound(DomainError):
    """The person's store has no such round."""

    kind = Kind.NOT_FOUND
    code = "round_not_found"
    title = later("There is no such round")


class NotCounted(DomainError):
    """Somebody has begun to count an order, and has not counted all of it: ask before it stands ready."""

    kind = Kind.CONFLICT
    code = "not_counted"
    title = "Not everything is counted"

    def __init__(self, detail: str, *, order_id: UUID, missing: int) -> None:
        super().__init__(detail, missing=missing)
        self.order_id = order_id
        self.missing = missing


class NotSigned(DomainError):
    """The code is right, but the retailer wants a signature: ask for it before the order is handed over."""

    kind = Kind.CONFLICT
    code = "not_signed"
    title = "It has to be signed first"

    def __init__(self, detail: str, *, order_id: UUID) -> None:
        super().__init__(detail)
        self.order_id = order_id


class AgeNotChecked(DomainError):
    """The code is right, but something in the order is not for everybody: ask before it is handed over."""

    kind = Kind.CONFLICT
    code = "age_not_checked"
    title = "The age has to be checked first"

    def __init__(self, detail: str, *, order_id: UUID, minimum_age: int) -> None:
        super().__init__(detail, minimum_age=minimum_age)
        self.order_id = order_id
        self.minimum_age = minimum_age
