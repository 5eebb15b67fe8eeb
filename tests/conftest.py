"""What every test may ask for: real servers, a migrated database of one's own, the app, an HTTP client, a world.

The servers are the embedded ones in `var/tests`, or those that DATABASE_URL and REDIS_URL name. Each test process makes
a database of its own there and drops it at the end; nothing that was there before is touched. (On a Redis of yours, the
database numbers from 15 down are emptied.)
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from hypothesis import settings
from werkzeug.serving import make_server

from pickup.config import ROOT, Settings
from tests.api_client import ApiClient
from tests.mailbox import Mailbox
from tests.world import World, begin_anew

# No test looks at the time: a machine that is busy is not wrong.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# What it asserts should say what it has found, as a test does.
pytest.register_assert_rewrite("tests.integration.life")

_MAILBOXES: list[Mailbox] = []
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def redis_number() -> Iterator[int]:
    """A database of Redis that no other test process uses: the kernel gives the lock back, whatever becomes of us."""
    folder = ROOT / "var" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(15, -1, -1):
        with (folder / f"redis-{number}.lock").open("w") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield number
            return
    raise RuntimeError("sixteen test processes are running already")


@pytest.fixture(scope="session")
def services(redis_number: int) -> Iterator[Settings]:
    """Real servers, with a database of our own; the environment names them, for processes that a test starts."""
    outside = Settings.from_environment()
    settings = replace(outside, home=ROOT / "var" / "tests")
    servers = None
    if settings.uses_embedded_postgres or settings.uses_embedded_redis:
        from pickup.dev.embedded import EmbeddedServers

        servers = EmbeddedServers(settings)
        servers.acquire()
    name = f"pickup_test_{os.getpid()}"
    admin_url = settings.sqlalchemy_url.replace("+psycopg", "")
    base, _, options = admin_url.partition("?")
    own_url = f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    home = settings.home / name
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        catcher = Mailbox()
        environment = {
            "PICKUP_SMTP_URL": catcher.start(),
            "DATABASE_URL": own_url,
            "REDIS_URL": f"{settings.queue_url}{'?db=' if settings.uses_embedded_redis else '/'}{redis_number}",
            "PICKUP_HOME": str(home),
            "PICKUP_POST_TO_LOOPBACK": "true",
        }
        before = {variable: os.environ.get(variable) for variable in environment}
        os.environ.update(environment)
        _MAILBOXES[:] = [catcher]
        yield Settings.from_environment()
        catcher.stop()
        for variable, value in before.items():
            os.environ.pop(variable) if value is None else os.environ.update({variable: value})
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    for file in home.rglob("*"):
        if file.is_file():
            file.unlink()
    if servers:
        servers.release()


@pytest.fixture(scope="session")
def app(services: Settings) -> Iterator[Flask]:
    """The application on those servers, migrated."""
    from flask_migrate import upgrade

    from pickup.app import create_app

    made = create_app(services)
    made.config["TESTING"] = False  # faults are to be answered as in production
    with made.app_context():
        upgrade()
    yield made
    made.extensions["order_waiters"].stop()


@pytest.fixture
def database(app: Flask) -> Iterator[Flask]:
    """An application context on empty tables; what the test leaves behind is removed."""
    from pickup.core.db import db

    with app.app_context():
        yield app
        begin_anew(app)
        db.session.remove()


@pytest.fixture
def mailbox(services: Settings) -> Mailbox:
    """The mails that a real SMTP server got during the test."""
    _MAILBOXES[0].reset()
    return _MAILBOXES[0]


@pytest.fixture
def world(database: Flask) -> World:
    """Makes stores, products, prices, stock, and lets the workers work."""
    return World(database)


@pytest.fixture
def shop(world: World) -> ApiClient:
    """An HTTP client with a key of the scope `shop`."""
    return world.client("shop")


@pytest.fixture
def admin(world: World) -> ApiClient:
    """An HTTP client with a key of the scope `admin`."""
    return world.client("admin")


@pytest.fixture
def live_server(database: Flask) -> Iterator[str]:
    """The app behind a real socket; yields its address."""
    server = make_server("127.0.0.1", 0, database, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout, where there is some."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED_DATA
