"""The yardstick: a bare Flask endpoint that does the six statements of an order, and nothing else.

No routing, no idempotency, no payment, no reservation by a worker: what a machine could do if an order were only that.
Every figure of ours is given as a part of what this reaches on the same machine in the same run.
"""

import os
import threading

import psycopg
from flask import Flask, request

app = Flask(__name__)
_local = threading.local()

TABLES = """
    CREATE TABLE IF NOT EXISTS reference_orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text);
    CREATE TABLE IF NOT EXISTS reference_lines (order_id bigint, sku text, quantity int, amount bigint);
    CREATE TABLE IF NOT EXISTS reference_stock (sku text PRIMARY KEY, amount bigint, on_hand int, reserved int);
"""


def connection() -> psycopg.Connection:
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["REFERENCE_DATABASE_URL"])
    return _local.connection


@app.post("/reference")
def order():
    body = request.get_json()
    items = sorted((item["sku"], item["quantity"]) for item in body["items"])
    skus = [sku for sku, _ in items]
    database = connection()
    cursor = database.cursor()
    cursor.execute("SELECT 1")
    cursor.execute("SELECT sku, amount FROM reference_stock WHERE sku = ANY(%s)", (skus,))
    prices = dict(cursor.fetchall())
    cursor.execute("INSERT INTO reference_orders (email) VALUES (%s) RETURNING id", (body["customer"]["email"],))
    (order_id,) = cursor.fetchone()
    cursor.execute(
        "INSERT INTO reference_lines SELECT %s, * FROM unnest(%s::text[], %s::int[], %s::bigint[])",
        (order_id, skus, [quantity for _, quantity in items], [prices[sku] for sku in skus]),
    )
    cursor.execute("SELECT sku FROM reference_stock WHERE sku = ANY(%s) ORDER BY sku FOR UPDATE", (skus,))
    cursor.execute("UPDATE reference_stock SET reserved = reserved + 1 WHERE sku = ANY(%s)", (skus,))
    database.commit()
    return {"id": order_id, "total": sum(prices[sku] * quantity for sku, quantity in items)}, 201
