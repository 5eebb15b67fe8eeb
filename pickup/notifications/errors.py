"""The refusals of the messages."""

from pickup.core.errors import DomainError, Kind


class BadProviderSignature(DomainError):
    """A message about a message is not signed by the provider."""

    kind = Kind.MALFORMED
    code = "bad_provider_signature"
    title = "Not signed by the provider"
