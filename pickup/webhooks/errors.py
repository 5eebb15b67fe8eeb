"""The refusals of webhooks."""

from pickup.core.errors import DomainError, Kind


class EndpointNotFound(DomainError):
    """There is no such webhook endpoint, or it is another client's."""

    kind = Kind.NOT_FOUND
    code = "webhook_endpoint_not_found"
    title = "There is no such webhook endpoint"


class TooManyEndpoints(DomainError):
    """The client has as many webhook endpoints as it may have."""

    kind = Kind.CONFLICT
    code = "too_many_webhook_endpoints"
    title = "There are too many webhook endpoints"
