"""Refusals about money."""

from pickup.core.errors import DomainError, Kind


class PaymentDeclined(DomainError):
    """The gateway said no. Nothing is ordered, nothing is charged."""

    kind = Kind.PAYMENT_DECLINED
    code = "payment_declined"
    title = "The payment was declined"


class GatewayUnreachable(Exception):
    """No usable answer came from the gateway: what was asked may or may not have happened there."""
