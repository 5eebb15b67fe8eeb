"""Every way to be refused, as data: the OpenAPI document names those of each operation, `/docs/problems` has all."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pickup.core.errors import DomainError, InvalidFields, NotFound, Unavailable

# Refusals that come from HTTP itself rather than from a feature: there is no class whose docstring would say it.
MEANINGS = {
    400: "The body is not JSON, or the address has something that no address of ours can have.",
    405: "This address exists, but it does not take this method; `Allow` says which it takes.",
    406: "None of the media types that were asked for can be given.",
    413: "The body is larger than this server takes.",
    415: "The body is not said to be JSON.",
    429: "Too many requests in a short time.",
    500: "Something broke on our side. The log has the details under the `request_id`.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One `code`: the status it comes with, its title and what it means."""

    code: str
    status: int
    title: str
    meaning: str

    def example(self) -> dict[str, Any]:
        """A problem document with this code."""
        document: dict[str, Any] = {
            "type": f"/docs/problems#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.meaning,
            "code": self.code,
        }
        if self.code == InvalidFields.code:
            detail = "Must be greater than or equal to 1 and less than or equal to 10000."
            document |= {
                "detail": f"/items/0/quantity: {detail}",
                "errors": [{"pointer": "/items/0/quantity", "detail": detail}],
            }
        return document


def of_error(error: type[DomainError]) -> Refusal:
    """The refusal that an error of a feature becomes."""
    meaning = (inspect.getdoc(error) or error.title).split("\n\n")[0].replace("\n", " ")
    return Refusal(error.code, error.kind.value, error.title, meaning)


def of_status(status: int, codes: Mapping[int, str]) -> Refusal:
    """What a bare status stands for: the general error of that kind, or HTTP's own refusal.

    Args:
        codes: the codes of HTTP's own refusals, by status.
    """
    for error in (NotFound, InvalidFields, Unavailable):
        if error.kind.value == status:
            return of_error(error)
    return Refusal(codes[status], status, HTTPStatus(status).phrase, MEANINGS[status])


def every(codes: Mapping[int, str]) -> list[Refusal]:
    """All refusals of this program, by status and code."""
    found = {refusal.code: refusal for refusal in (of_status(status, codes) for status in codes)}
    found |= {error.code: of_error(error) for error in _below(DomainError) if error.__module__.startswith("pickup.")}
    return sorted(found.values(), key=lambda refusal: (refusal.status, refusal.code))


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in error.__subclasses__():
        yield child
        yield from _below(child)
