"""Refusals about orders."""

from pickup.core.errors import DomainError, Kind
from pickup.core.languages import later


class OrderNotFound(DomainError):
    """The caller has no order of this id."""

    kind = Kind.NOT_FOUND
    code = "order_not_found"
    title = later("There is no such order")


class OutOfStock(DomainError):
    """No pickup point that comes into question has the whole basket. Nothing is ordered, nothing is charged."""

    kind = Kind.CONFLICT
    code = "out_of_stock"
    title = "No store in reach can fulfil this basket"


class PriceChanged(DomainError):
    """The basket costs something else than the shop expected. Nothing is ordered; the new quote is attached."""

    kind = Kind.CONFLICT
    code = "price_changed"
    title = "The total is not the expected one"


class ActionNotAllowed(DomainError):
    """The order's status does not allow this; `allowed_actions` says what it allows."""

    kind = Kind.CONFLICT
    code = "action_not_allowed"
    title = "The order is not in a state for this"


class PickupCodeLocked(DomainError):
    """Too many wrong codes: only a manager can hand this order over."""

    kind = Kind.FORBIDDEN
    code = "pickup_code_locked"
    title = "Too many wrong codes; ask a manager"


class TransferOver(DomainError):
    """The goods of a transfer have arrived, or are not to be sent any more."""

    kind = Kind.CONFLICT
    code = "transfer_over"
    title = "These goods are not on their way any more"
