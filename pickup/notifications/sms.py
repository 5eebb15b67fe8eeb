"""Text messages, through Twilio's REST API (https://www.twilio.com/docs/messaging/api/message-resource)."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import phonenumbers
import requests

from pickup.config import Settings
from pickup.notifications.channels import Busy, Undeliverable
from pickup.notifications.models import Message

API_BASE = "https://api.twilio.com"
TIMEOUT_SECONDS = (5, 10)
STATUS_PATH = "/providers/twilio/messages"
# https://www.twilio.com/docs/api/errors: the number is none, cannot get texts, is not served, or wants none from us.
NEVER = frozenset({21211, 21214, 21217, 21407, 21408, 21610, 21612, 21614})
# What Twilio says of a message that did not arrive.
LOST = frozenset({"failed", "undelivered"})


class TwilioChannel:
    """One account of Twilio, with a number or a messaging service to send from."""

    def __init__(self, settings: Settings) -> None:
        base = settings.twilio_api_base or API_BASE
        self._url = f"{base}/2010-04-01/Accounts/{settings.twilio_account_sid}/Messages.json"
        self._auth = (settings.twilio_account_sid or "", settings.twilio_auth_token or "")
        sender = settings.sms_from or ""
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}
        # Twilio refuses a message with an address that it cannot reach.
        self._told_at = settings.public_url if settings.public_url.startswith("https://") else None

    @contextmanager
    def delivery(self) -> Iterator["TwilioDelivery"]:
        """For as many messages as there are at the moment, over one connection."""
        with requests.Session() as session:
            session.auth = self._auth
            session.trust_env = False
            yield TwilioDelivery(session, self._url, self._sender, self._told_at)


class TwilioDelivery:
    """Text messages over one connection. A provider that is silent is not asked again."""

    def __init__(self, session: requests.Session, url: str, sender: Mapping[str, str], told_at: str | None) -> None:
        self._session = session
        self._url = url
        self._sender = sender
        self._told_at = told_at
        self._away: Exception | None = None

    def send(self, message: Message, inline_images: Mapping[str, bytes]) -> str | None:
        """See `channels.Delivery`. Twilio knows no key against repetition; our id is in the address of its answer."""
        if self._away:
            raise self._away
        form = {"To": message.recipient, "Body": message.text_body, **self._sender}
        if self._told_at:
            form["StatusCallback"] = f"{self._told_at}{STATUS_PATH}/{message.id}"
        try:
            answer = self._session.post(self._url, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            self._away = Busy(f"Twilio: {type(error).__name__}")
            raise self._away from error
        said = _json(answer)
        if answer.status_code == 201:
            return str(said.get("sid") or "") or None
        words = f"Twilio: {answer.status_code} {said.get('code', '')} {str(said.get('message', ''))[:200]}"
        if answer.status_code == 400 and said.get("code") in NEVER:
            raise Undeliverable(words)
        raise Busy(words)


def phone_number(text: str, country: str) -> str | None:
    """A number as Twilio wants it (E.164); None for what is none.

    Args:
        text: as people write it.
        country: ISO 3166 of two letters, whose number it is where it says none.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_signed(url: str, form: Mapping[str, str], signature: str, auth_token: str) -> bool:
    """Whether a message about a message is Twilio's (https://www.twilio.com/docs/usage/security).

    Args:
        url: the address that it was sent to, as Twilio knows it.
        form: what it said.
        signature: its header `X-Twilio-Signature`.
    """
    said = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(auth_token.encode(), said.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.encode())


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
