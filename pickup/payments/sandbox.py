"""The sandbox gateway: no money, every outcome, chosen by the token.

It stands for a machine far away. So it keeps its own books, in transactions of its own: what it did is done, whatever
becomes of the transaction that asked.
"""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import RowMapping, Update, Uuid, bindparam, case, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pickup.config import Settings
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.core.types import Money, first_id_at, time_of_id
from pickup.payments.gateway import (
    BadSignature,
    Charge,
    ChargeView,
    Gateway,
    GatewayEvent,
    GatewayRefused,
    GatewayUnreachable,
)
from pickup.payments.models import SandboxCharge, SandboxRefund

# What each token makes of an authorisation.
TOKENS = {
    "tok_ok": "authorised",
    "tok_declined": "declined",
    "tok_timeout": "authorised",
    "tok_needs_action": "requires_action",
    "tok_capture_refused": "authorised",
}
LOSES_THE_ANSWER = frozenset({"tok_timeout"})
REFUSES_TO_CAPTURE = frozenset({"tok_capture_refused"})
# As most cards do.
HOLD = timedelta(days=7)


class SandboxGateway(Gateway):
    """See the module."""

    def refusal(self, token: str) -> str | None:
        """Only the sandbox's own tokens exist."""
        return None if token in TOKENS else f"must be one of {', '.join(TOKENS)}"

    def refusal_of_amount(self, money: Money) -> str | None:
        """It takes everything."""
        return None

    def authorise(self, charge: Charge) -> ChargeView:
        """Do as the token says; with `tok_timeout` the charge happens and the answer gets lost."""
        view = _open(charge, TOKENS[charge.token])
        if charge.token in LOSES_THE_ANSWER:
            raise GatewayUnreachable("the sandbox was told to lose its answer")
        return view

    def view(self, charge: Charge) -> ChargeView | None:
        """Look into the books."""
        with db.engine.begin() as books:
            row = books.execute(select(SandboxCharge.__table__).where(SandboxCharge.key == charge.key)).mappings()
            found = row.one_or_none()
        return None if found is None else _view(found)

    def capture(self, charge: Charge, amount: int) -> ChargeView:
        """Take what was authorised, once, and never more; a hold that has lapsed is gone."""
        if charge.token in REFUSES_TO_CAPTURE:
            raise GatewayRefused("the sandbox was told to refuse")
        if utcnow() >= _capture_before(charge.key):
            self.release(charge)
            raise GatewayRefused("the hold has lapsed")
        view = _change(
            charge,
            update(SandboxCharge)
            .where(SandboxCharge.status == "authorised", SandboxCharge.amount >= amount)
            .values(status="captured", captured=amount, voided=SandboxCharge.amount - amount),
        )
        if view.status != "captured":
            raise GatewayRefused(f"a charge that is {view.status} cannot be captured")
        return view

    def release(self, charge: Charge) -> ChargeView:
        """Void an authorisation; a charge that has not come in yet never will."""
        _open(charge, "voided")
        return _change(
            charge,
            update(SandboxCharge)
            .where(SandboxCharge.status.in_(("authorised", "requires_action")))
            .values(
                status="voided", voided=case((SandboxCharge.status == "authorised", SandboxCharge.amount), else_=0)
            ),
        )

    def refund(self, charge: Charge, key: uuid.UUID, amount: int) -> ChargeView:
        """Give back what was captured, no more than that, and once for each key."""
        with db.engine.begin() as books:
            locked = select(SandboxCharge.__table__).where(SandboxCharge.key == charge.key).with_for_update()
            row = books.execute(locked).mappings().one()
            entry = insert(SandboxRefund).values(key=key, charge_key=charge.key, amount=amount)
            is_new = books.execute(entry.on_conflict_do_nothing().returning(SandboxRefund.key)).one_or_none()
            if is_new is None:
                return _view(row)
            if row["captured"] - row["refunded"] < amount:
                raise GatewayRefused("more than is left of the charge")
            change = update(SandboxCharge).values(refunded=SandboxCharge.refunded + amount)
            refunded = change.where(SandboxCharge.key == charge.key).returning(SandboxCharge.__table__)
            return _view(books.execute(refunded).mappings().one())

    def charges(self, since: datetime, until: datetime) -> Iterator[ChargeView]:
        """Read the books; the keys are in the order of time."""
        span = SandboxCharge.key.between(first_id_at(since), first_id_at(until))
        with db.engine.connect().execution_options(yield_per=1000) as books:
            for row in books.execute(select(SandboxCharge.__table__).where(span)).mappings():
                yield _view(row)

    def read_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
        """It sends none: its bank is a page of ours, which says so itself."""
        raise BadSignature("the sandbox sends no messages")

    def answer_action(self, key: uuid.UUID, *, is_confirmed: bool) -> ChargeView | None:
        """The customer has confirmed the payment at the bank, or refused; None if there is no such charge."""
        with db.engine.begin() as books:
            answered = (
                update(SandboxCharge)
                .where(SandboxCharge.key == key, SandboxCharge.status == "requires_action")
                .values(status="authorised" if is_confirmed else "declined")
            )
            books.execute(answered)
            found = books.execute(select(SandboxCharge.__table__).where(SandboxCharge.key == key)).mappings()
            row = found.one_or_none()
        return None if row is None else _view(row)


_ENTER = text("""
    INSERT INTO sandbox_charges (key, token, status, amount, currency)
    VALUES (:key, :token, :status, :amount, :currency)
    ON CONFLICT (key) DO UPDATE SET key = excluded.key
    RETURNING *
""").bindparams(bindparam("key", type_=Uuid()))


def _open(charge: Charge, status: str) -> ChargeView:
    """Enter a charge; it stays as it is if its key was there already. Of what never came in, nothing was held."""
    values = {
        "key": charge.key,
        "token": charge.token,
        "status": status,
        "amount": 0 if status == "voided" else charge.money.amount,
        "currency": charge.money.currency,
    }
    with db.engine.begin() as books:
        return _view(books.execute(_ENTER, values).mappings().one())


def _change(charge: Charge, change: Update) -> ChargeView:
    with db.engine.begin() as books:
        books.execute(change.where(SandboxCharge.key == charge.key))
        row = books.execute(select(SandboxCharge.__table__).where(SandboxCharge.key == charge.key)).mappings().one()
    return _view(row)


def _capture_before(key: uuid.UUID) -> datetime:
    return time_of_id(key) + HOLD


def _view(row: RowMapping) -> ChargeView:
    key, status = row["key"], row["status"]
    was_held = status in ("authorised", "captured") or row["voided"]
    return ChargeView(
        status=status,
        reference=f"sandbox_{key.hex}",
        key=key,
        currency=row["currency"],
        authorised=row["amount"] if was_held else 0,
        captured=row["captured"],
        voided=row["voided"],
        refunded=row["refunded"],
        capture_before=_capture_before(key) if status == "authorised" else None,
        action=_action(key) if status == "requires_action" else None,
        detail="The sandbox was told to decline." if status == "declined" else "",
    )


def _action(key: uuid.UUID) -> dict[str, Any]:
    settings: Settings = current_app.extensions["settings"]
    return {"type": "redirect", "url": f"{settings.public_url}/bank/{key}"}
