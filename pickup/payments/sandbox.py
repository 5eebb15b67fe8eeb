"""The sandbox gateway: no money, every outcome, chosen by the token.

It stands for a machine far away. So it keeps its own books, in transactions of its own: what it did is done, whatever
becomes of the transaction that asked.
"""

import uuid
from typing import Any

from sqlalchemy import Update, Uuid, bindparam, select, text, update

from pickup.core.db import db
from pickup.core.types import Money
from pickup.payments.errors import GatewayUnreachable
from pickup.payments.gateway import Gateway, Outcome
from pickup.payments.models import SandboxCharge

# What each token makes of an authorisation.
TOKENS = {
    "tok_ok": "authorised",
    "tok_declined": "declined",
    "tok_timeout": "authorised",
    "tok_needs_action": "requires_action",
}
LOSES_THE_ANSWER = frozenset({"tok_timeout"})


class SandboxGateway(Gateway):
    """See the module."""

    def refusal(self, token: str) -> str | None:
        """Only the four tokens exist."""
        return None if token in TOKENS else f"must be one of {', '.join(TOKENS)}"

    def authorise(self, *, key: uuid.UUID, token: str, money: Money) -> Outcome:
        """Do as the token says; with `tok_timeout` the charge happens and the answer gets lost."""
        status = _open(key, token, TOKENS[token], money)
        if token in LOSES_THE_ANSWER:
            raise GatewayUnreachable("the sandbox was told to lose its answer")
        return _outcome(key, status)

    def find(self, *, key: uuid.UUID) -> Outcome | None:
        """Look into the books."""
        with db.engine.begin() as books:
            status = books.execute(select(SandboxCharge.status).where(SandboxCharge.key == key)).scalar_one_or_none()
        return None if status is None else _outcome(key, status)

    def capture(self, *, key: uuid.UUID, money: Money) -> Outcome:
        """Take what was authorised, once, and never more."""
        return self._change(
            key,
            update(SandboxCharge)
            .where(SandboxCharge.status == "authorised", SandboxCharge.amount >= money.amount)
            .values(status="captured", captured=money.amount),
        )

    def release(self, *, key: uuid.UUID, token: str, money: Money) -> Outcome:
        """Void an authorisation, refund a capture; a charge that has not come in yet never will."""
        _open(key, token, "voided", money)
        self._change(
            key,
            update(SandboxCharge)
            .where(SandboxCharge.status == "captured")
            .values(status="refunded", refunded=SandboxCharge.captured),
        )
        return self._change(
            key,
            update(SandboxCharge)
            .where(SandboxCharge.status.in_(("authorised", "requires_action")))
            .values(status="voided"),
        )

    def _change(self, key: uuid.UUID, change: Update) -> Outcome:
        with db.engine.begin() as books:
            books.execute(change.where(SandboxCharge.key == key))
            status: Any = books.execute(select(SandboxCharge.status).where(SandboxCharge.key == key)).scalar_one()
        return _outcome(key, status)


_ENTER = text("""
    INSERT INTO sandbox_charges (key, token, status, amount, currency)
    VALUES (:key, :token, :status, :amount, :currency)
    ON CONFLICT (key) DO UPDATE SET key = excluded.key
    RETURNING status
""").bindparams(bindparam("key", type_=Uuid()))


def _open(key: uuid.UUID, token: str, status: str, money: Money) -> str:
    """Enter a charge; the status is another than the given one if the key was there already."""
    values = {"key": key, "token": token, "status": status, "amount": money.amount, "currency": money.currency}
    with db.engine.begin() as books:
        entered: str = books.execute(_ENTER, values).scalar_one()
    return entered


def _outcome(key: uuid.UUID, status: Any) -> Outcome:
    return Outcome(status, f"sandbox_{key.hex}", "The sandbox was told to decline." if status == "declined" else "")
