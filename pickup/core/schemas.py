"""Wire shapes that every feature shares, and fields that take nothing on trust."""

import re
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from email_validator import EmailNotValidError, validate_email
from marshmallow import fields, validate

from pickup.core.clock import rfc3339
from pickup.core.languages import LANGUAGES, match
from pickup.core.types import MINOR_UNITS_MAX

TEXT_MAX = 200
INTEGER_MAX = 2**31 - 1


class Schema(ma.Schema):
    """An object. A member that we do not know is an error: a misspelt field must not be dropped in silence."""

    class Meta:
        unknown = ma.RAISE


class Text(fields.String):
    """One line or more of human text: trimmed, never empty, no control characters, no half characters."""

    def __init__(self, *, max_length: int = TEXT_MAX, multiline: bool = False, **kwargs: Any) -> None:
        validators = [validate.Length(1, max_length), *kwargs.pop("validators", ())]
        super().__init__(validate=validators, **kwargs)
        self.allowed_controls = "\n\t" if multiline else ""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        problem = text_problem(text, self.allowed_controls)
        if problem:
            raise ma.ValidationError(problem)
        return text.strip()


def text_problem(text: str, allowed_controls: str = "") -> str | None:
    """Why a text cannot be kept: NUL and other control characters, or a lone surrogate that is no UTF-8."""
    if text.isprintable():
        return None
    for character in text:
        if "\ud800" <= character <= "\udfff":
            return "Has half of a surrogate pair, which is not valid Unicode."
        if (character < " " or "\x7f" <= character < "\xa0") and character not in allowed_controls:
            return f"Has the control character U+{ord(character):04X}."
    return None


class WholeNumber(fields.Integer):
    """A JSON integer and nothing that merely looks like one: not 1.5, "2", true or 10¹⁰⁰."""

    def __init__(self, *, minimum: int = 0, maximum: int = INTEGER_MAX, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(minimum, maximum), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError("Not a whole number.")
        return value


class Real(fields.Float):
    """A finite JSON number: not NaN, infinity, true or "1"."""

    def __init__(self, *, minimum: float, maximum: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(minimum, maximum), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float):
            raise ma.ValidationError("Not a number.")
        try:
            return float(value)
        except OverflowError:
            raise ma.ValidationError("Too large.") from None


class EmailAddress(Text):
    """An address by the rules of RFC 5321 and 6531; whether a mailbox is behind it only a mail can tell."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "email"} | kwargs.pop("metadata", {})
        super().__init__(max_length=254, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return validate_email(text[:255], check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise ma.ValidationError(str(error)) from None


class Phone(Text):
    """A telephone number as people write it."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = validate.Regexp(r"^\+?\(?[0-9][0-9 ()./-]{3,30}$", error="Not a telephone number.")
        super().__init__(max_length=32, validators=[pattern], **kwargs)


class LanguageTag(fields.String):
    """A language that we have words for, by its tag (BCP 47), with or without a region; becomes our code of it."""

    PATTERN = f"^({'|'.join(LANGUAGES)})([-_][A-Za-z0-9]{{2,8}})*$"

    def __init__(self, **kwargs: Any) -> None:
        error = f"Must be one of: {', '.join(LANGUAGES)}; a region may follow, as in es-MX."
        super().__init__(validate=validate.Regexp(self.PATTERN, flags=re.IGNORECASE, error=error), **kwargs)

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """The code, once the tag has been found good."""
        tag = super().deserialize(value, *args, **kwargs)
        return match(tag) if isinstance(tag, str) else tag


class Instant(fields.DateTime):
    """A point in time: RFC 3339 with an offset in, UTC out."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a date and time.")
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is None:
                raise ma.ValidationError("Has no offset: write 2026-03-01T09:00:00Z or +01:00.")
            return at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ma.ValidationError("Not a date and time of RFC 3339.") from None


class MoneySchema(Schema):
    """An amount in minor units of an ISO 4217 currency."""

    amount = WholeNumber(
        required=True, maximum=MINOR_UNITS_MAX, metadata={"description": "minor units: 349 is $3.49", "example": 349}
    )
    currency = Text(
        required=True,
        max_length=3,
        metadata={"description": "ISO 4217", "pattern": "^[A-Z]{3}$", "example": "USD"},
    )


class PageQuery(Schema):
    """Which part of a list is wanted."""

    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, 200), metadata={"description": "how many a page has at most"}
    )
    after = fields.String(load_default=None, metadata={"description": "the `next` of the page before"})


class FieldErrorSchema(Schema):
    """One bad field."""

    pointer = fields.String(metadata={"description": "JSON pointer into the request", "example": "/items/0/quantity"})
    detail = fields.String(
        metadata={"description": "what is wrong there", "example": "at most 2 of this product an order"}
    )


class ProblemSchema(Schema):
    """A refusal (RFC 9457). `code` is the stable word to program against; some codes bring members of their own."""

    class Meta:
        unknown = ma.INCLUDE

    type = fields.String(
        metadata={"description": "where the code is explained", "example": "/docs/problems#action_not_allowed"}
    )
    title = fields.String(metadata={"description": "the code in words, the same each time"})
    status = fields.Integer(metadata={"description": "the HTTP status"})
    detail = fields.String(metadata={"description": "what happened this time, for the person who reads it"})
    code = fields.String(metadata={"description": "stable: program against this", "example": "action_not_allowed"})
    errors = fields.List(
        fields.Nested(FieldErrorSchema), metadata={"description": "each bad field", "x-sometimes": True}
    )
    request_id = fields.String(metadata={"description": "finds the request in our log", "x-sometimes": True})


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of a page of a list: `{"data": […], "next": cursor or null}`."""
    name = item.__name__.removesuffix("Schema") + "PageSchema"
    return type(
        name,
        (Schema,),
        {
            "__doc__": f"A page of {item.__name__.removesuffix('Schema').lower()}s.",
            "data": fields.List(fields.Nested(item), required=True),
            "next": fields.String(
                required=True, allow_none=True, metadata={"description": "send it as `after`; null: the end"}
            ),
        },
    )
