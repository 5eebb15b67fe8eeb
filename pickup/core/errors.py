"""The refusals of the house. A feature's `errors.py` says what; `problems.py` alone turns it into HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from pickup.core.languages import later


class Kind(Enum):
    """What sort of refusal it is; the value is its HTTP status."""

    MALFORMED = 400
    UNAUTHENTICATED = 401
    PAYMENT_DECLINED = 402
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    INVALID = 422
    TOO_MANY = 429
    UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: a JSON pointer (RFC 6901) into what was sent, and what is wrong there."""

    pointer: str
    detail: str


class DomainError(Exception):
    """A refusal that a caller can act on.

    Every concrete error declares its `kind`, a stable `code` and a `title`; a class without them cannot be defined.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("kind", "code", "title"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__qualname__} needs a {name}")

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: int | None = None,
        **members: Any,
    ) -> None:
        """
        Args:
            detail: a sentence for the person who reads it.
            errors: the fields that are wrong.
            retry_after_seconds: when it is worth trying again.
            members: further members of the problem document (RFC 9457 §3.2).
        """
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds
        self.members: Mapping[str, Any] = members


class InvalidFields(DomainError):
    """Well-formed, but one or more fields cannot be accepted."""

    kind = Kind.INVALID
    code = "invalid_fields"
    title = later("Some fields are not acceptable")

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidFields":
        """One bad field."""
        return cls(f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])


class NotFound(DomainError):
    """Nothing of that name is visible to the caller."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    title = "Not found"


class Unavailable(DomainError):
    """A part that is needed is down or busy; the same request may succeed later."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"
    title = "A needed part is unavailable"
