"""Refusals about prices."""

from pickup.core.errors import DomainError, Kind


class ProductNotFound(DomainError):
    """No product has this SKU, so it has no prices."""

    kind = Kind.NOT_FOUND
    code = "product_not_found"
    title = "There is no such product"
