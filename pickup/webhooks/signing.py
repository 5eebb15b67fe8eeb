"""Signatures of webhooks after Standard Webhooks 1.0 (https://www.standardwebhooks.com), the symmetric ones: `v1`."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - what each secret begins with


def message_id(event_id: int) -> str:
    """What a shop knows a message by: the same in each attempt and each replay, so that it has its effect once."""
    return f"msg_{event_id}"


def signed_headers(message: str, body: bytes, secrets: Iterable[str], *, at: datetime) -> dict[str, str]:
    """The headers that say what a message is, who sent it, and when.

    Args:
        message: its id.
        body: byte for byte as it is sent.
        secrets: `whsec_…`; while a secret is changed there are two, and a receiver needs to know one of them.
        at: the attempt, and not the event: receivers refuse what is older than some minutes.
    """
    timestamp = str(int(at.timestamp()))
    signed = f"{message}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
