"""Signatures: what the library of the standard says of ours."""

import base64
import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from pickup.core.clock import utcnow
from pickup.webhooks.signing import message_id, signed_headers

NEW, OLD, OTHER = (f"whsec_{base64.b64encode(bytes([each]) * 32).decode()}" for each in (1, 2, 3))
BODY = '{"type":"order.ready","data":{"name":"Zoë, 门店"}}'.encode()


def headers(*secrets, at=None, body=BODY):
    return signed_headers(message_id(17), body, secrets, at=at or utcnow())


def test_the_library_verifies_what_we_sign():
    assert Webhook(NEW).verify(BODY, headers(NEW)) == json.loads(BODY)


def test_while_a_secret_is_changed_each_of_the_two_will_do():
    both = headers(NEW, OLD)

    assert Webhook(NEW).verify(BODY, both) == Webhook(OLD).verify(BODY, both) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, both)


def test_the_old_secret_alone_will_not_do_afterwards():
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, headers(NEW))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_nothing_that_is_signed_can_be_changed(name):
    changed = headers(NEW)
    changed[name] = "msg_18" if name == "webhook-id" else str(int(changed[name]) - 1)

    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers(NEW))


def test_an_attempt_has_its_own_time_and_the_message_its_one_id():
    earlier, later = headers(NEW, at=utcnow() - timedelta(hours=1)), headers(NEW)

    assert earlier["webhook-id"] == later["webhook-id"] == "msg_17"
    assert int(later["webhook-timestamp"]) - int(earlier["webhook-timestamp"]) in (3600, 3601)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(NEW).verify(BODY, earlier)


def test_it_signs_as_the_library_does():
    at = utcnow()

    assert headers(NEW, at=at)["webhook-signature"] == Webhook(NEW).sign("msg_17", at, BODY.decode())
