"""What is known of a person is removed; what was sold, when, where and for how much stays.

`PLACES` is the whole list of where an order says whose it is. A column that is added elsewhere belongs into it: the
test that looks for five planted words in every table finds out.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ARRAY, Boolean, DateTime, Text, Uuid, bindparam, text

from pickup.config import Settings
from pickup.core.db import in_transaction, run
from pickup.orders import queries
from pickup.orders.lifecycle import FINAL

AT_ONCE = 200

# By what is emptied. Each statement is told the orders, and the time.
PLACES: dict[str, str] = {
    "the order": """
        UPDATE orders SET
            customer_name = '', customer_email = '', customer_phone = '',
            collector_name = NULL, collector_email = NULL, collector_phone = NULL,
            collector_code = NULL, collector_token = NULL,
            arrival_note = NULL, arrival_bay = NULL, arrival_car = NULL,
            origin_lat = NULL, origin_lon = NULL, distance_m = NULL,
            -- From the distances to a few stores one can reckon where somebody lives.
            candidates = (
                SELECT coalesce(jsonb_agg(candidate - 'distance_m' ORDER BY place), '[]')
                FROM jsonb_array_elements(candidates) WITH ORDINALITY AS looked_at (candidate, place)
            ),
            -- The links in old messages lead nowhere any more.
            page_token = gen_random_uuid()::text,
            erase_requested_at = NULL, erased_at = :now
        WHERE id = ANY(:orders)
    """,
    "words in its history": """
        UPDATE order_history SET
            note = NULL, actor_name = CASE WHEN actor_kind = 'customer' THEN '' ELSE actor_name END
        WHERE order_id = ANY(:orders) AND (action = 'hand_over' OR actor_kind = 'customer' OR note LIKE '%@%')
    """,
    "why it came back": "UPDATE returns SET reason = NULL WHERE order_id = ANY(:orders)",
    "its signature": "DELETE FROM signatures WHERE order_id = ANY(:orders)",
    "its messages": """
        UPDATE messages SET
            -- What wakes tablets goes to a store.
            recipient = CASE WHEN channel = 'push' THEN recipient ELSE '' END,
            subject = '', text_body = '', html_body = '', failure = NULL
        WHERE order_id = ANY(:orders)
    """,
    "why messages failed": "UPDATE outbox_tasks SET last_error = NULL WHERE subject_id = ANY(:orders)",
    # The keys stay, lest a repetition orders once more; whoever repeats it now is told that there is nothing to tell.
    "answers that are kept for repetitions": """
        UPDATE idempotency_keys SET
            status = 404, content_type = 'application/problem+json',
            body = convert_to(
                '{"type": "/docs/problems#not_found", "title": "Not found", "status": 404, "code": "not_found", '
                || '"detail": "What this request made was erased since."}', 'UTF8'
            )
        WHERE subject_id = ANY(:orders) AND finished_at IS NOT NULL
    """,
    "the means of payment": """
        UPDATE payments SET token = '', action = NULL, detail = NULL WHERE order_id = ANY(:orders)
    """,
    "what the gateway said": """
        UPDATE gateway_events SET body = ''
        WHERE payment_id IN (SELECT id FROM payments WHERE order_id = ANY(:orders))
    """,
}

_ERASE = [
    text(statement).bindparams(
        bindparam("orders", type_=ARRAY(Uuid())),
        *([bindparam("now", type_=DateTime(timezone=True))] if ":now" in statement else []),
    )
    for statement in PLACES.values()
]
# A wish counts as long as there is an order that it is about.
_FORGET_WISHES = text("""
    DELETE FROM contact_preferences AS wish
    WHERE email = ANY(:emails) AND NOT EXISTS (
        SELECT FROM orders WHERE customer_email = ANY(:emails) AND lower(customer_email) = wish.email
    )
""").bindparams(bindparam("emails", type_=ARRAY(Text())))
_DUE = text("""
    SELECT id FROM orders
    WHERE status IN ('collected', 'cancelled', 'expired') AND erased_at IS NULL
      AND (changed_at < :before OR erase_requested_at IS NOT NULL)
    ORDER BY changed_at LIMIT :limit
""").bindparams(bindparam("before", type_=DateTime(timezone=True)))
_ASK = text("""
    UPDATE orders SET erase_requested_at = :now
    WHERE lower(customer_email) = lower(:email) AND erased_at IS NULL
    RETURNING id
""").bindparams(bindparam("now", type_=DateTime(timezone=True)))
_WAITING = text("SELECT count(*) FROM orders WHERE lower(customer_email) = lower(:email) AND erased_at IS NULL")
# Somebody who only collected: the order stays its customer's.
_FORGET_COLLECTOR = text("""
    WITH theirs AS (
        UPDATE orders SET
            collector_name = NULL, collector_email = NULL, collector_phone = NULL,
            collector_code = NULL, collector_token = NULL
        WHERE lower(collector_email) = lower(:email)
        RETURNING id
    ), said AS (
        UPDATE order_history SET note = NULL FROM theirs
        WHERE order_history.order_id = theirs.id AND action = 'hand_over'
    ), written AS (
        -- The customer was told, too, who may collect.
        UPDATE messages SET
            recipient = CASE WHEN kind = 'collector' THEN '' ELSE recipient END,
            subject = '', text_body = '', html_body = '', failure = NULL
        FROM theirs
        WHERE order_id = theirs.id AND (kind = 'collector' OR (kind = 'ready' AND sent_at IS NOT NULL))
    )
    SELECT id FROM theirs
""")
_FORGET_MESSAGES_TO = text("""
    UPDATE messages SET recipient = '', subject = '', text_body = '', html_body = '', failure = NULL
    WHERE lower(recipient) = lower(:email) AND (kind = 'collector' OR :is_all)
""").bindparams(bindparam("is_all", type_=Boolean()))


def erase_due(now: datetime) -> int:
    """Remove the people from orders that were closed long enough ago, or whose customers have asked for it.

    How long that is says `PICKUP_KEEP_PERSONAL_DATA_DAYS`; 0 keeps them until somebody asks.
    """
    settings: Settings = current_app.extensions["settings"]
    days = settings.keep_personal_data_days
    before = now - timedelta(days=days) if days else datetime.min.replace(tzinfo=now.tzinfo)
    count = 0
    while erased := in_transaction(lambda: _erase_some(before, now)):
        count += erased
    return count


def ask_for_erasure(email: str, *, now: datetime) -> int:
    """Somebody wants to be forgotten: their orders are erased as soon as they are closed; returns how many there are.

    What they are to others, a collector or the reader of a message, is forgotten at once.
    """
    orders = run(_ASK, {"email": email, "now": now}).all()
    run(_FORGET_COLLECTOR, {"email": email})
    # Those about orders of their own go with the orders.
    run(_FORGET_MESSAGES_TO, {"email": email, "is_all": not orders})
    if not orders:
        run(_FORGET_WISHES, {"emails": [email.lower()]})
    return len(orders)


def waiting(email: str) -> int:
    """How many orders of somebody who wants to be forgotten are not closed yet."""
    return int(run(_WAITING, {"email": email}).scalar_one())


def _erase_some(before: datetime, now: datetime) -> int:
    ids: Sequence[uuid.UUID] = run(_DUE, {"before": before, "limit": AT_ONCE}).scalars().all()
    orders = [order for order in queries.lock_orders(ids) if order.status in FINAL and order.erased_at is None]
    if not orders:
        return 0
    emails = {email for order in orders for email in (order.customer_email, order.customer_email.lower()) if email}
    for statement in _ERASE:
        run(statement, {"orders": [order.id for order in orders], "now": now})
    run(_FORGET_WISHES, {"emails": sorted(emails)})
    return len(orders)
