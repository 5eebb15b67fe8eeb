"""Stripe, through its own package: a payment intent for each charge, captured by hand.

Stripe keeps an idempotency key for a day at least, with its first answer, and may forget it then. So a call that makes
something (an intent, a refund) carries a key of ours while the key lives; later, what there is is looked for by its
metadata. A call that changes an intent (capture, cancel) needs no key: the intent's own state lets it happen once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any, Literal
from uuid import UUID

import stripe

from pickup.core.clock import utcnow
from pickup.core.logging import log
from pickup.core.types import Money, time_of_id
from pickup.payments.gateway import (
    BadSignature,
    Charge,
    ChargeView,
    Gateway,
    GatewayEvent,
    GatewayRefused,
    GatewayUnreachable,
)
from pickup.payments.stripe_events import event_in, verify
from pickup.payments.stripe_intents import (
    PAYMENT_ID,
    REFUND_ID,
    from_stripe,
    key_of,
    refusal_of_amount,
    to_stripe,
    view_of,
)

# "Keys can be removed after they're at least 24 hours old" (https://docs.stripe.com/api/idempotent_requests).
KEY_LIFE = timedelta(hours=23)
CONNECT_SECONDS_MAX = 1.0
PAGE_SIZE = 100
EXPANDED: Any = {"expand": ["latest_charge"]}
NOT_FOUND = 404
NOT_GIVEN_BACK = ("failed", "canceled")
WRONG_STATE = "payment_intent_unexpected_state"
# What Stripe says about the request itself. All other errors leave open what happened.
Refusal = stripe.CardError | stripe.InvalidRequestError
REFUSALS = (stripe.CardError, stripe.InvalidRequestError)
LOCKED_OUT = (stripe.AuthenticationError, stripe.PermissionError)


class StripeGateway(Gateway):
    """See the module."""

    def __init__(
        self,
        secret_key: str,
        *,
        webhook_secrets: Sequence[str] = (),
        timeout_seconds: float = 4.0,
        api_base: str | None = None,
    ) -> None:
        """
        Args:
            webhook_secrets: any of them may have signed a message; while they are changed, there are two.
            timeout_seconds: of one call, connecting included.
            api_base: another server than Stripe's, for tests.
        """
        connecting = min(CONNECT_SECONDS_MAX, timeout_seconds / 4)
        client = stripe.StripeClient(
            secret_key,
            http_client=stripe.RequestsClient(timeout=(connecting, timeout_seconds - connecting)),
            max_network_retries=0,  # whoever asks decides whether there is time for another try
            base_addresses={"api": api_base} if api_base else {},
        )
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._webhook_secrets = tuple(webhook_secrets)

    def refusal(self, token: str) -> str | None:
        """Stripe's names of means of payment begin with `pm_`."""
        name = token.removeprefix("pm_")
        is_one = name != token and name.isascii() and name.replace("_", "").isalnum()
        return None if is_one else "must be the id of a PaymentMethod of Stripe's, `pm_…`"

    def refusal_of_amount(self, money: Money) -> str | None:
        """Zero amounts, and what some currencies cannot be charged in."""
        return refusal_of_amount(money)

    def authorise(self, charge: Charge) -> ChargeView:
        """Make the intent and confirm it; repeated, Stripe answers with the same intent."""
        if charge.reference:
            return self._look_at(charge.reference)
        if _is_too_old(charge.opened_at):
            return self._search(charge) or _never_came_in(charge)
        try:
            return self._create(charge)
        except stripe.InvalidRequestError as refusal:
            # A token that is unknown or used up, an amount that is too small: nothing was made.
            log.warning("stripe_refused_charge", payment_id=str(charge.key), refusal=_words(refusal))
            return _never_came_in(charge, declined_because=refusal.code or "invalid_request")

    def view(self, charge: Charge) -> ChargeView | None:
        """Look at the intent; one whose name is not known yet is searched, and may take a minute to be found.

        It is not asked for by a repeated creation: that would authorise what has never been asked for.
        """
        if not charge.reference:
            return self._search(charge)
        try:
            return self._look_at(charge.reference, REFUSALS)
        except REFUSALS as refusal:
            if refusal.http_status != NOT_FOUND:
                raise GatewayUnreachable(_words(refusal)) from None
            return None

    def capture(self, charge: Charge, amount: int) -> ChargeView:
        """Take so much; Stripe gives the rest back by itself."""
        wanted: Any = {"amount_to_capture": to_stripe(amount, charge.money.currency), **EXPANDED}
        view = self._change(_reference(charge), lambda reference: self._intents.capture(reference, wanted))
        if view.status != "captured":
            raise GatewayRefused(f"a charge that is {view.status} cannot be captured")
        return view

    def release(self, charge: Charge) -> ChargeView:
        """Cancel the intent. One that nobody knows the name of is made first, so that it cannot come in later."""
        reference = charge.reference or self._reference_of(charge)
        if not reference:
            return _never_came_in(charge)
        view = self._change(reference, lambda reference: self._intents.cancel(reference, EXPANDED))
        if view.status in ("authorised", "requires_action"):
            raise GatewayRefused(f"a charge that is {view.status} was not cancelled")
        return view

    def refund(self, charge: Charge, key: UUID, amount: int) -> ChargeView:
        """Give back so much, once for each key; of a key that Stripe may have forgotten, see what was made of it."""
        reference = _reference(charge)
        wanted: Any = {
            "payment_intent": reference,
            "amount": to_stripe(amount, charge.money.currency),
            "metadata": {PAYMENT_ID: str(charge.key), REFUND_ID: str(key)},
        }
        try:
            with _asking(REFUSALS):
                made = self._refund_of(reference, key) if _is_too_old(time_of_id(key)) else None
                made = made or _plain(self._refunds.create(wanted, {"idempotency_key": f"refund-{key}"}))
                status = made["status"]
        except REFUSALS as refusal:
            raise GatewayRefused(_words(refusal)) from None
        if status in NOT_GIVEN_BACK:
            raise GatewayRefused(f"the refund is {status}")
        view = self._look_at(reference)
        if view.refunded < self._given_back(reference, charge.money.currency):
            raise GatewayUnreachable("the refund is not in the charge yet")  # recorded now, it would be made again
        return view

    def charges(self, since: datetime, until: datetime) -> Iterator[ChargeView]:
        """List the intents; whole seconds are Stripe's finest. Those that nobody has decided yet are left out."""
        span: Any = {
            "created": {"gte": floor(since.timestamp()), "lt": ceil(until.timestamp())},
            "limit": PAGE_SIZE,
            "expand": ["data.latest_charge"],
        }
        with _asking():
            for intent in self._intents.list(span).auto_paging_iter():
                with suppress(GatewayUnreachable):
                    yield view_of(_plain(intent))

    def read_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
        """Check signature and age, and see which intent it is about."""
        verify(body, headers.get("Stripe-Signature", ""), self._webhook_secrets, now=now)
        try:
            return event_in(body)
        except (KeyError, TypeError, ValueError) as error:
            raise BadSignature("the body is not an event of Stripe's") from error

    def _create(self, charge: Charge) -> ChargeView:
        """Make and confirm the intent, or hear again what became of it.

        Raises:
            stripe.InvalidRequestError: it cannot be made.
        """
        wanted: Any = {
            "amount": to_stripe(charge.money.amount, charge.money.currency),
            "currency": charge.money.currency.lower(),
            "payment_method": charge.token,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "metadata": {PAYMENT_ID: str(charge.key)},
            **EXPANDED,
        }
        try:
            with _asking(REFUSALS):
                intent = self._intents.create(wanted, {"idempotency_key": f"authorise-{charge.key}"})
                answer = intent.last_response
                # A repeated answer is the first one: by now the customer may have confirmed.
                if answer and answer.headers and answer.headers.get("Idempotent-Replayed") == "true":
                    intent = self._intents.retrieve(intent.id, EXPANDED)
                return self._seen(_plain(intent))
        except stripe.CardError as decline:
            return self._declined(charge, decline)

    def _declined(self, charge: Charge, decline: stripe.CardError) -> ChargeView:
        with _asking():
            error: Any = decline.json_body
            intent = error["error"].get("payment_intent") or {}
            code = error["error"].get("decline_code") or decline.code or "declined"
        if intent.get("id"):
            self._close(intent["id"])
        return _never_came_in(charge, declined_because=code, reference=intent.get("id", ""))

    def _reference_of(self, charge: Charge) -> str | None:
        """Stripe's name of a charge whose answer never came; None: there is none, and there never will be."""
        if not _is_too_old(charge.opened_at):
            try:
                return self._create(charge).reference
            except stripe.InvalidRequestError:
                return None
            except GatewayUnreachable:
                # A key may keep answering with the failure of its first use, though that made an intent.
                found = self._search(charge)
                if found is None:
                    raise
                return found.reference
        found = self._search(charge)
        return found.reference if found else None

    def _look_at(self, reference: str, answers: tuple[type[Refusal], ...] = ()) -> ChargeView:
        with _asking(answers):
            return self._seen(_plain(self._intents.retrieve(reference, EXPANDED)))

    def _search(self, charge: Charge) -> ChargeView | None:
        query: Any = {"query": f"metadata['{PAYMENT_ID}']:'{charge.key}'", "expand": ["data.latest_charge"]}
        with _asking():
            found = [_plain(intent) for intent in self._intents.search(query).data]
            return self._seen(found[0]) if found else None

    def _seen(self, intent: Mapping[str, Any]) -> ChargeView:
        """A declined charge of ours is closed at once: its order is over, so nobody may confirm it any more."""
        view = view_of(intent)
        if view.status == "declined" and intent["status"] != "canceled" and key_of(intent):
            self._close(view.reference)
        return view

    def _close(self, reference: str) -> None:
        with suppress(GatewayUnreachable), _asking():
            self._intents.cancel(reference)

    def _change(self, reference: str, change: Callable[[str], stripe.PaymentIntent]) -> ChargeView:
        """Capture or cancel an intent; where it is not in the state for that, the state that it is in is the answer.

        Without an idempotency key of ours: Stripe would repeat the first answer for a day, also where that was a
        failure that is over by now, and the state lets neither happen twice.
        """
        try:
            with _asking(REFUSALS):
                return view_of(_plain(change(reference)))
        except REFUSALS as refusal:
            if refusal.code != WRONG_STATE:
                raise GatewayRefused(_words(refusal)) from None
        return self._look_at(reference)

    def _refunds_of(self, reference: str) -> Iterator[dict[str, Any]]:
        return map(_plain, self._refunds.list({"payment_intent": reference, "limit": PAGE_SIZE}).auto_paging_iter())

    def _refund_of(self, reference: str, key: UUID) -> dict[str, Any] | None:
        made = self._refunds_of(reference)
        return next((each for each in made if (each.get("metadata") or {}).get(REFUND_ID) == str(key)), None)

    def _given_back(self, reference: str, currency: str) -> int:
        """Minor units of all refunds that were made and did not fail."""
        with _asking():
            made = [each["amount"] for each in self._refunds_of(reference) if each["status"] not in NOT_GIVEN_BACK]
        return from_stripe(sum(made), currency)


@contextmanager
def _asking(answers: tuple[type[Refusal], ...] = ()) -> Iterator[None]:
    """What Stripe is asked in.

    Args:
        answers: errors that the caller knows the meaning of.

    Raises:
        GatewayUnreachable: any other error, and answers that make no sense.
    """
    try:
        yield
    except answers:
        raise
    except stripe.StripeError as error:
        if isinstance(error, LOCKED_OUT):
            log.error("stripe_locks_us_out", refusal=_words(error))  # our key is wrong: that declines nobody's order
        # Without the error itself: it carries Stripe's whole answer, and with that the secret of an intent.
        raise GatewayUnreachable(_words(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GatewayUnreachable("the answer makes no sense") from error


def _words(error: stripe.StripeError) -> str:
    """An error without its sentences, which may name a customer's means of payment."""
    parts = (type(error).__name__, error.http_status, error.code, getattr(error, "param", None), error.request_id)
    return " ".join(str(part) for part in parts if part)


def _plain(thing: object) -> dict[str, Any]:
    if not isinstance(thing, stripe.StripeObject):
        raise TypeError("not an object of Stripe's")
    return thing.to_dict()


def _reference(charge: Charge) -> str:
    if not charge.reference:
        raise GatewayRefused("Stripe knows no such charge")
    return charge.reference


def _is_too_old(since: datetime) -> bool:
    """Whether Stripe may have forgotten a key that was first used then."""
    return utcnow() - since > KEY_LIFE


def _never_came_in(charge: Charge, *, declined_because: str = "", reference: str = "") -> ChargeView:
    status: Literal["declined", "voided"] = "declined" if declined_because else "voided"
    return ChargeView(status, reference, charge.key, charge.money.currency, detail=declined_because)
