"""What a million old orders cost the new ones: the same load with none and with all that they leave behind."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from tests.benchmarks.figures import Figure, at_most, ratio
from tests.benchmarks.instance import ours, progress
from tests.benchmarks.intake import Intake
from tests.benchmarks.shop import Shop
from tests.system import System

OLD_ORDERS = int(os.environ.get("BENCH_OLD_ORDERS", "1000000"))
SLOWER_MAX = 1.2

# Ids of version 7 that lie in the past, one order every half minute; every table below follows from this one.
ORDERS_OF_OLD = """
    CREATE UNLOGGED TABLE bench_old AS
    SELECT n, at, store_ids[1 + n * 7 % cardinality(store_ids)] AS store_id, client_id,
           (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))
           ::uuid AS id
    FROM generate_series(0, {count} - 1) AS n
    CROSS JOIN LATERAL (VALUES (now() - interval '1 day' - ({count} - n) * interval '30 s')) AS moment (at)
    CROSS JOIN (SELECT array_agg(id ORDER BY id) AS store_ids FROM stores) AS stores
    CROSS JOIN (SELECT min(id) AS client_id FROM api_clients) AS clients
"""
LINES_OF_OLD = """
    CREATE UNLOGGED TABLE bench_old_lines AS
    SELECT n, id, at, store_id, position, product_ids[1 + (n + position * 37) % cardinality(product_ids)] AS product_id
    FROM bench_old CROSS JOIN generate_series(0, 2) AS position
    CROSS JOIN (SELECT array_agg(id ORDER BY id) AS product_ids FROM products WHERE sku LIKE 'SKU-%') AS products
"""
# Two connections fill tables that do not depend on each other: foreign keys are not looked at, see `_fill`.
FIRST = (
    """
    INSERT INTO orders (id, client_id, status, customer_name, customer_email, store_id, origin_lat, origin_lon,
        distance_m, candidates, total_amount, currency, pickup_code, page_token, ready_by, hold_until, placed_at,
        changed_at)
    SELECT id, client_id, 'collected', 'Ada Example', 'old' || n % 300000 || '@example.com', store_id, 36.5, -94.2, 900,
        '[{"store_ref": "1", "distance_m": 900, "verdict": "chosen"}]', 1497, 'USD', lpad((n % 1000000)::text, 6, '0'),
        md5(n::text), at + interval '1 h', at + interval '7 d', at, at + interval '5 h'
    FROM bench_old ORDER BY n
    """,
    """
    INSERT INTO order_lines (order_id, position, product_id, quantity, unit_amount, price_version)
    SELECT id, position, product_id, 1, 499, 1 FROM bench_old_lines ORDER BY n, position
    """,
    """
    INSERT INTO order_history (order_id, at, action, from_status, to_status, actor_kind, actor_name)
    SELECT id, at + step * interval '20 min', action, before, after, actor, 'bench'
    FROM bench_old CROSS JOIN (VALUES
        (0, 'place', NULL, 'awaiting_payment', 'shop'), (1, 'pay', 'awaiting_payment', 'placed', 'gateway'),
        (2, 'reserve', 'placed', 'reserved', 'worker'), (3, 'start_picking', 'reserved', 'picking', 'staff'),
        (4, 'mark_ready', 'picking', 'ready', 'staff'), (5, 'hand_over', 'ready', 'collected', 'staff')
    ) AS steps (step, action, before, after, actor)
    ORDER BY n, step
    """,
    # All claimed within the hours that keys are kept, or they would be swept away.
    """
    INSERT INTO idempotency_keys (client_id, key, fingerprint, subject_id, claimed_at, finished_at, status,
        content_type, body)
    SELECT client_id, gen_random_uuid()::text, decode(md5(n::text) || md5(n::text), 'hex'), id,
        now() - ({count} - n) * interval '20 h' / {count}, now(), 201, 'application/json',
        convert_to('{{"id": "' || id || '"' || repeat(', "member": "value"', 40) || '}}', 'UTF8')
    FROM bench_old ORDER BY n
    """,
)
SECOND = (
    """
    INSERT INTO events (id, type, subject_id, at, data, request_id)
    SELECT last + n * 5 + step, type, id, at + step * interval '20 min', '{{"store_id": 1}}', md5(n::text)
    FROM bench_old CROSS JOIN (SELECT coalesce(max(id), 0) AS last FROM events) AS latest CROSS JOIN (VALUES
        (1, 'order.placed'), (2, 'order.reserved'), (3, 'order.ready'), (4, 'order.collected'), (5, 'payment.captured')
    ) AS steps (step, type)
    ORDER BY n, step
    """,
    "SELECT setval(pg_get_serial_sequence('events', 'id'), max(id)) FROM events",
    """
    INSERT INTO messages (id, event_id, order_id, kind, channel, recipient, subject, text_body, html_body, created_at,
        sent_at)
    SELECT gen_random_uuid(), events.id, subject_id, split_part(type, '.', 2), 'email', 'old@example.com',
        'Your order', repeat('What there is to say. ', 8), repeat('<p>What there is to say.</p> ', 16), at, at
    FROM events WHERE type IN ('order.reserved', 'order.ready', 'order.collected')
      AND subject_id <= (SELECT id FROM bench_old ORDER BY n DESC LIMIT 1)
    ORDER BY events.id
    """,
    """
    INSERT INTO payments (id, order_id, method, token, status, amount, currency, authorised, captured,
        gateway_reference, created_at)
    SELECT id, id, 'sandbox', 'tok_ok', 'captured', 1497, 'USD', 1497, 1497, id::text, at FROM bench_old ORDER BY n
    """,
    """
    INSERT INTO payment_entries (payment_id, kind, amount, at)
    SELECT id, kind, 1497, at FROM bench_old CROSS JOIN (VALUES ('authorisation'), ('capture')) AS kinds (kind)
    ORDER BY n
    """,
    """
    INSERT INTO sandbox_charges (key, token, status, amount, captured, currency)
    SELECT id, 'tok_ok', 'captured', 1497, 1497, 'USD' FROM bench_old ORDER BY n
    """,
    """
    INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change, reserved_change, order_id, at)
    SELECT store_id, product_id, kind, on_hand, reserved, id, at
    FROM bench_old_lines CROSS JOIN (VALUES ('reservation', 0, 1), ('handover', -1, -1)) AS k (kind, on_hand, reserved)
    ORDER BY n, kind DESC
    """,
    """
    UPDATE stock_levels SET on_hand = on_hand - sold
    FROM (SELECT store_id, product_id, count(*)::int AS sold FROM bench_old_lines GROUP BY 1, 2) AS gone
    WHERE gone.store_id = stock_levels.store_id AND gone.product_id = stock_levels.product_id
    """,
)
# Nothing happens on the side while tables are filled, and nothing of it is left to be done while orders are measured.
BEFORE = (
    "ALTER SYSTEM SET autovacuum = off",
    "ALTER SYSTEM SET max_wal_size = '20GB'",
    "ALTER SYSTEM SET checkpoint_timeout = '1h'",
    "SELECT pg_reload_conf()",
    "DROP TABLE IF EXISTS bench_old, bench_old_lines",
)
AFTER = (
    "DROP TABLE bench_old, bench_old_lines",
    "VACUUM ANALYZE",
    "ALTER SYSTEM RESET autovacuum",
    "ALTER SYSTEM RESET max_wal_size",
    "ALTER SYSTEM RESET checkpoint_timeout",
    "SELECT pg_reload_conf()",
    "CHECKPOINT",
)


def make(system: System) -> float:
    """Write the old orders, whole: lines, history, movements, payments, events, messages, keys. Returns seconds."""
    progress(f"writing {OLD_ORDERS:,} old orders")
    started = perf_counter()
    system.execute(*BEFORE, ORDERS_OF_OLD.format(count=OLD_ORDERS), LINES_OF_OLD, "ANALYZE bench_old, bench_old_lines")
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_fill, system, statements) for statements in (FIRST, SECOND)]:
            done.result()
    progress("vacuuming")
    system.execute(*AFTER)
    return perf_counter() - started


def _fill(system: System, statements: Sequence[str]) -> None:
    filled = [
        statement.replace("{count}", str(OLD_ORDERS)).replace("{{", "{").replace("}}", "}") for statement in statements
    ]
    # As a replica, which trusts what it is sent: no trigger looks up 30 million foreign keys.
    system.execute("SET session_replication_role = replica", *filled)


def figures(shop: Shop, none: Intake, old: Intake, seconds: float) -> list[Figure]:
    """The two measurements side by side, each by the reference beside it, which drifts as the machine does."""
    ((sizes,),) = shop.system.select("SELECT pg_database_size('pickup') / 1e9::float8")
    slower = ratio(none.part_of_reference, old.part_of_reference)
    costlier = ratio(old.cpu_to_reference, none.cpu_to_reference)
    raw = f"without the reference {ratio(none.rate, old.rate):.2f}"
    raw_cpu = f"without the reference {ratio(old.cpu_ms(ours(old.cost)), none.cpu_ms(ours(none.cost))):.2f}"
    return [
        Figure(f"orders taken and reserved, {OLD_ORDERS:,} old ones", old.rate, "orders/s"),
        Figure("  by the reference", old.part_of_reference, "×"),
        Figure("  time by the time with none", slower, "×", at_most(SLOWER_MAX), raw),
        Figure(f"CPU of all processes, {OLD_ORDERS:,} old ones", old.cpu_ms(ours(old.cost)), "ms/order"),
        Figure("  by the CPU with none", costlier, "×", at_most(SLOWER_MAX), raw_cpu),
        Figure("  the database", float(sizes), "GB", note=f"written in {seconds:.0f} s"),
    ]
