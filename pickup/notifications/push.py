"""Web push: wakes the tablets of a store, also while no page of ours is open on them.

RFC 8030 is how it is sent, RFC 8291 how it is sealed for one browser, RFC 8292 (VAPID) how we show who we are.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from flask import current_app
from py_vapid import Vapid
from pywebpush import WebPusher
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core.db import db, table_of, unit_of_work
from pickup.core.errors import InvalidFields
from pickup.core.logging import log
from pickup.core.own_secrets import kept_secret
from pickup.core.posting import post
from pickup.core.public_addresses import refusal_of
from pickup.notifications.channels import Busy
from pickup.notifications.models import Message, PushSubscription

TIMEOUT_SECONDS = 10.0
# What is older than a shift, nobody has to be woken for.
KEPT_SECONDS = 4 * 3600
# The subscription has ended (RFC 8030 §7.3); services answer with either.
GONE = frozenset({404, 410})
KEY_BYTES = 32


class PushChannel:
    """All tablets that can be woken, by the key of this installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def public_key(self) -> str:
        """What a browser subscribes with: the public half of our key, an uncompressed point in base64url."""
        point = self._vapid.public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    @contextmanager
    def delivery(self) -> Iterator["PushDelivery"]:
        """For as many messages as there are at the moment."""
        yield PushDelivery(self._vapid, self._settings)

    @cached_property
    def _vapid(self) -> Vapid:
        return Vapid.from_string(self._settings.vapid_private_key or own_key(self._settings))


class PushDelivery:
    """Messages to stores: each goes to all tablets of its store that can be woken."""

    def __init__(self, vapid: Vapid, settings: Settings) -> None:
        self._vapid = vapid
        self._contact = settings.vapid_contact
        self._loopback = settings.post_to_loopback

    def send(self, message: Message, inline_images: Mapping[str, bytes]) -> str | None:
        """See `channels.Delivery`. The recipient is the id of a store; of one order the newest replaces what waits.

        Raises:
            Busy: none of those that can still be woken took it.
        """
        tablets = subscriptions_of(int(message.recipient))
        title, _, body = message.text_body.partition("\n")
        words = {"title": title, "body": body.strip(), "tag": f"{message.kind}-{message.order_id}"}
        answers = {tablet.id: self._push(tablet, words, message.order_id.hex) for tablet in tablets}
        gone = [tablet_id for tablet_id, status in answers.items() if status in GONE]
        if gone:
            with unit_of_work():
                db.session.execute(delete(PushSubscription).where(PushSubscription.id.in_(gone)))
        if len(gone) < len(tablets) and not any(200 <= status < 300 for status in answers.values()):
            raise Busy(f"push services answered {sorted(set(answers.values()))}")
        return None

    def _push(self, tablet: PushSubscription, words: Mapping[str, str], topic: str) -> int:
        """The status of the answer; 0 for none."""
        keys = {"p256dh": tablet.public_key, "auth": tablet.auth_secret}
        sealed = WebPusher({"endpoint": tablet.url, "keys": keys}).encode(json.dumps(words).encode())
        parts = urlsplit(tablet.url)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": self._contact}
        headers = {
            "TTL": str(KEPT_SECONDS),
            "Urgency": "high",
            "Topic": topic,
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            **self._vapid.sign(claims),
        }
        answer = post(tablet.url, headers, sealed["body"], loopback=self._loopback, total_seconds=TIMEOUT_SECONDS)
        if answer.error:
            log.warning("push_failed", tablet=tablet.id, error=answer.error)
        return answer.status or 0


def subscriptions_of(store_id: int) -> Sequence[PushSubscription]:
    """The tablets of a store that can be woken, belonging to no session."""
    with unit_of_work():
        rows = db.session.scalars(select(PushSubscription).where(PushSubscription.store_id == store_id)).all()
        db.session.expunge_all()
    return rows


def public_key() -> str:
    """What a browser subscribes with."""
    channel: PushChannel = current_app.extensions["channels"]["push"]
    return channel.public_key


def subscribe(store_id: int, device_id: int | None, url: str, public_key: str, auth_secret: str) -> None:
    """Wake a tablet from now on; one that moves to another store is woken for that one only.

    Raises:
        InvalidFields: nothing can be sealed with the keys, or nothing may be sent to the address.
    """
    _check_url(url)
    _check_keys(url, public_key, auth_secret)
    row = {
        "store_id": store_id,
        "device_id": device_id,
        "url": url,
        "public_key": public_key,
        "auth_secret": auth_secret,
    }
    statement = insert(table_of(PushSubscription)).values(row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["url"], set_=row))


def forget_device(device_id: int) -> None:
    """A tablet that is not the store's any more is not woken any more."""
    db.session.execute(delete(PushSubscription).where(PushSubscription.device_id == device_id))


def _check_url(url: str) -> None:
    settings: Settings = current_app.extensions["settings"]
    refusal = refusal_of(url, loopback=settings.post_to_loopback)
    if refusal:
        raise InvalidFields.at("/endpoint", refusal)


def _check_keys(url: str, public_key: str, auth_secret: str) -> None:
    try:
        WebPusher({"endpoint": url, "keys": {"p256dh": public_key, "auth": auth_secret}}).encode(b"{}")
    except Exception as error:  # the library lets through whatever its parts raise
        raise InvalidFields.at("/keys", "are no keys of a browser") from error


def stores_with_tablets(store_ids: Collection[int]) -> set[int]:
    """Which of the stores have a tablet that can be woken."""
    wanted = select(PushSubscription.store_id).where(PushSubscription.store_id.in_(store_ids)).distinct()
    return set(db.session.scalars(wanted))


def addresses(store_ids: Collection[int]) -> dict[int, str]:
    """What messages to the stores' tablets are addressed to, by store; without those that have none."""
    return {store_id: str(store_id) for store_id in stores_with_tablets(store_ids)} if store_ids else {}


def own_key(settings: Settings) -> str:
    """The key of a checkout that was given none: made once, and kept."""
    return kept_secret(settings.home, "vapid_key", _new_key)


def _new_key() -> str:
    vapid = Vapid()
    vapid.generate_keys()
    number = vapid.private_key.private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(KEY_BYTES, "big")).rstrip(b"=").decode()
