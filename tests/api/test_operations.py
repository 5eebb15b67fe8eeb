"""What an operator asks: does it live, can it work, what does it count, what does the log say."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text

from pickup.core.db import db
from pickup.orders import checkout, queries
from pickup.orders.errors import OrderNotFound, OutOfStock
from tests.api_client import ApiClient
from tests.world import World

OUT_OF_REACH = redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))


def test_it_lives_and_it_can_work(database):
    client = database.test_client()

    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok", "database": "ok", "queue": "ok"}


def test_without_its_queue_it_lives_but_is_not_ready(database, monkeypatch):
    monkeypatch.setitem(database.extensions, "redis", OUT_OF_REACH)
    client = database.test_client()

    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["queue"], answer.json["database"]) == (503, "down", "ok")


def test_orders_are_taken_while_the_queue_is_down(world: World, shop: ApiClient, database, monkeypatch):
    world.stock(world.store("1"), world.product("A"), 5)
    with monkeypatch.context() as broken:
        broken.setitem(database.extensions, "redis", OUT_OF_REACH)
        answer = shop.order(world.order_body({"A": 1}), wait=1)
    assert (answer.status_code, answer.json["status"]) == (201, "placed")

    world.work()

    assert world.order(answer.json["id"]).status == "reserved"


@pytest.fixture
def lose_the_database(services):
    """The connection of the present transaction dies, as all do when the server is killed."""

    def lose():
        (session,) = db.session.execute(text("SELECT pg_backend_pid()")).one()
        with psycopg.connect(services.sqlalchemy_url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [session])

    return lose


def test_a_refusal_stays_one_where_the_database_dies_before_it_is_said(database, shop, lose_the_database, monkeypatch):
    def find_nothing(*_, **__):
        lose_the_database()
        raise OrderNotFound("There is no order of this id.")

    monkeypatch.setattr(queries, "get_order", find_nothing)

    assert shop.get(f"/v1/orders/{uuid.uuid4()}").status_code == 404
    assert shop.get("/v1/orders").status_code == 200, "and the next request has a connection of its own"


def test_an_order_that_is_refused_while_the_database_dies_is_looked_up_all_the_same(
    world: World, shop: ApiClient, lose_the_database, monkeypatch
):
    """After a refusal the key is looked up, in the same session: whether there was an answer before."""

    def find_nothing(*_, **__):
        lose_the_database()
        raise OutOfStock("No store in reach has the whole basket and is open for it.")

    world.store("1")
    world.product("A")
    monkeypatch.setattr(checkout, "quote", find_nothing)

    answer = shop.order(world.order_body({"A": 1}))

    assert (answer.status_code, answer.json["code"]) == (409, "out_of_stock")


def test_an_answer_stays_one_where_the_database_dies_before_the_request_is_put_away(
    database, shop: ApiClient, lose_the_database
):
    app = database.app_context().app
    app.after_request_funcs.setdefault(None, []).append(lambda answer: lose_the_database() or answer)
    try:
        with ThreadPoolExecutor(1) as elsewhere:  # where no context of the test's is around the request's own
            answer = elsewhere.submit(shop.get, "/v1/orders").result()
    finally:
        app.after_request_funcs[None].pop()

    assert answer.status_code == 200


def test_metrics_count_requests_and_look_at_the_tables(world: World, shop: ApiClient, database):
    world.stock(world.store("1"), world.product("A"), 5)
    world.place(shop, {"A": 1})

    text = database.test_client().get("/metrics").text

    assert 'pickup_orders_open{status="placed"} 1.0' in text
    assert "pickup_outbox_waiting 1.0" in text
    assert "pickup_outbox_dead 0.0" in text
    assert 'pickup_http_requests_total{method="POST",route="/v1/orders",status="201"}' in text


def test_a_request_id_travels_into_the_job(world: World, shop: ApiClient, monkeypatch: pytest.MonkeyPatch, mailbox):
    world.stock(world.store("1"), world.product("A"), 5)
    mailbox.refusals = 1
    logged = []

    class Log:
        def warning(self, event, **details):
            logged.append((event, structlog.contextvars.get_contextvars()["request_id"]))

    monkeypatch.setattr("worker.jobs.log", Log())

    headers = {"Idempotency-Key": "k", "X-Request-Id": "click-4711"}
    answer = shop.post("/v1/orders", world.order_body({"A": 1}), **headers)
    world.work()

    assert answer.headers["X-Request-Id"] == "click-4711"
    assert logged == [("task_failed", "click-4711")]


def test_a_revoked_key_stops_on_the_next_request(world: World, shop: ApiClient, database):
    runner = database.test_cli_runner()
    key = runner.invoke(args=["client", "create", "e-shop", "--scope", "shop"]).output.strip()
    client = ApiClient(database, key)
    assert client.get("/v1/orders").status_code == 200

    assert runner.invoke(args=["client", "revoke", "e-shop"]).exit_code == 0

    assert client.get("/v1/orders").status_code == 401
    assert runner.invoke(args=["client", "revoke", "nobody"]).exit_code == 1
