"""Refusals about money."""

from pickup.core.errors import DomainError, Kind


class PaymentDeclined(DomainError):
    """The gateway said no. Nothing is ordered, nothing is charged."""

    kind = Kind.PAYMENT_DECLINED
    code = "payment_declined"
    title = "The payment was declined"


class TooManyDeclines(DomainError):
    """One payment after the other was declined: somebody tries out cards, or needs another one."""

    kind = Kind.TOO_MANY
    code = "too_many_declines"
    title = "Too many payments were declined"


class BadGatewaySignature(DomainError):
    """A message that claims to come from a gateway, and does not, or is too old."""

    kind = Kind.MALFORMED
    code = "bad_gateway_signature"
    title = "The signature is not the gateway's"


class PaymentNotFound(DomainError):
    """There is no such payment."""

    kind = Kind.NOT_FOUND
    code = "payment_not_found"
    title = "There is no such payment"
