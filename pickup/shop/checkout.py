"""The form at the checkout: what was typed as an order for the API, and its objections beside the fields. Pure."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# Token of the sandbox, what to call it, what happens.
CARDS = (
    ("tok_ok", "A card that works", "The money is held now, and taken when you collect."),
    ("tok_needs_action", "A card whose bank asks first", "3-D Secure: you confirm on your bank's page."),
    ("tok_declined", "A card that is declined", "Nothing is ordered."),
)
TOTAL = re.compile(r"([0-9]{1,16}) ([A-Z]{3})")
ATTEMPT = re.compile(r"[0-9a-f-]{36}")
FIELDS = ("name", "email", "phone", "who", "collector_name", "collector_email", "card")
# Where the API finds fault, and the field of ours that it came from.
POINTERS = {
    "/customer/name": "name",
    "/customer/email": "email",
    "/customer/phone": "phone",
    "/pickup/collector/name": "collector_name",
    "/pickup/collector/email": "collector_email",
    "/payment/token": "card",
}
NOT_KNOWN = "We did not hear back. Press the button again: however often you do, it is ordered and paid once."
FIELDS_WRONG = "Nothing was ordered yet. Please look at the marked fields."
REFUSALS = {
    "payment_declined": "Your bank declined the payment. Nothing was ordered; another card may work.",
    "too_many_declines": "Too many payments were declined: please try again in ten minutes. Nothing was ordered.",
    "idempotency_key_reused": "This form was sent before, with another basket. Look whether that was ordered already.",
    "price_changed": "The price has changed while you were here. Nothing was ordered; this is the new total.",
}


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody typed, and what belongs to this attempt."""

    typed: Mapping[str, str]
    attempt: str
    """The idempotency key: in a hidden field, so that a form sent twice orders once."""
    shown_total: str
    """`359 USD`: what the customer saw. The API refuses any other."""
    shown_store: str
    """The store that the customer saw. It may be another one by the time of the order, which is then said."""


def blank() -> Form:
    """A form that nobody has filled in."""
    return Form({"who": "me", "card": CARDS[0][0]}, str(uuid.uuid4()), "", "")


def read(fields: Mapping[str, str]) -> Form:
    """The form as it came back."""
    typed = {name: fields.get(name, "").strip() for name in FIELDS}
    attempt = fields.get("attempt", "")
    is_ours = ATTEMPT.fullmatch(attempt) is not None
    return Form(
        typed,
        attempt if is_ours else str(uuid.uuid4()),
        fields.get("shown_total", ""),
        fields.get("shown_store", ""),
    )


def anew(form: Form) -> Form:
    """The same words for another attempt: what was refused is refused again under its key."""
    return Form(form.typed, str(uuid.uuid4()), "", "")


def beside(form: Form, quote: Mapping[str, Any]) -> Form:
    """The form beside a quote: the customer sees both."""
    total = quote["total"]
    return replace(form, shown_total=f"{total['amount']} {total['currency']}", shown_store=quote["store"]["ref"])


def order_of(
    form: Form, items: list[dict[str, Any]], pickup: Mapping[str, Any], *, ip_address: str | None
) -> dict[str, Any]:
    """The body of `POST /v1/orders`. Empty fields are left out; what is missing then, the API says.

    Args:
        ip_address: the customer's. Without it, whoever tries out stolen cards looks like all our other customers.
    """
    typed = form.typed
    collector = _filled({"name": typed["collector_name"], "email": typed["collector_email"]})
    is_other = typed["who"] == "other"
    total = TOTAL.fullmatch(form.shown_total)
    return _filled(
        {
            "customer": _filled(
                {"name": typed["name"], "email": typed["email"], "phone": typed["phone"], "ip_address": ip_address}
            ),
            "items": items,
            "pickup": dict(pickup) | ({"collector": collector} if is_other else {}),
            "payment": {"method": "sandbox", "token": typed["card"]},
            "expected_total": {"amount": int(total[1]), "currency": total[2]} if total else None,
        }
    )


def objections(code: str, detail: str, fields: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What the API has against an order: a message, and what is wrong with which of our fields."""
    errors = {POINTERS[pointer]: words for pointer, words in fields.items() if pointer in POINTERS}
    others = [words for pointer, words in fields.items() if pointer not in POINTERS]
    if errors and not others:
        return FIELDS_WRONG, errors
    return REFUSALS.get(code, " ".join(["Nothing was ordered.", *(others or [detail])])), errors


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None)}
