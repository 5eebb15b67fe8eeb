"""Money that does not come by itself, as a manager sees it on the tablet."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from pickup.core.languages import _, later
from pickup.core.pages import clock, money
from pickup.orders.money_problems import MoneyProblem
from pickup.staff.presenting import STATUS_WORDS

# What happened, by the kind of a problem.
WHAT_HAPPENED = {
    "not_paid": later("The bank did not keep the money until it was to be taken."),
    "hold_lapsed": later(
        "The bank gave the money back to the customer before they came. Ask them to pay at the counter."
    ),
    "capture_refused": later("The bank had promised the money, and refuses to pay."),
    "release_refused": later("Nothing is to be paid, but the bank does not let go of the money."),
    "refund_refused": later("The customer is to get money back, and it cannot be sent the way they paid."),
}
AMOUNT_WORDS = {"release_refused": later("%(amount)s still held"), "refund_refused": later("%(amount)s to give back")}
MISSING = later("%(amount)s missing")
# What a manager notes, by the kind of a problem.
HOW = {
    "release_refused": later("The bank lets go of it by itself after some days. From now on nobody is reminded of it."),
    "refund_refused": later("The customer has the money, in cash for example. It is not sent to the bank any more."),
}
HOW_IT_CAME = later("It was paid some other way, or is given up. It is not asked of the bank any more.")


@dataclass(frozen=True, slots=True)
class MoneyCard:
    """An order whose money needs a manager."""

    id: uuid.UUID
    number: int
    customer: str
    status_words: str
    what_happened: str
    amount: str
    how: str
    since: str
    since_at: datetime
    can_try_again: bool


def present_money(problem: MoneyProblem, *, now: datetime) -> MoneyCard:
    """A problem in plain words."""
    order = problem.order
    amount = money(problem.amount, order.currency)
    return MoneyCard(
        id=order.id,
        number=order.number,
        customer=order.customer_name,
        status_words=_(STATUS_WORDS[order.status]),
        what_happened=_(WHAT_HAPPENED[problem.kind]),
        amount=_(AMOUNT_WORDS.get(problem.kind, MISSING), amount=amount),
        how=_(HOW.get(problem.kind, HOW_IT_CAME)),
        since=clock(problem.since, order.store.timezone, now),
        since_at=problem.since,
        can_try_again=problem.can_try_again,
    )
