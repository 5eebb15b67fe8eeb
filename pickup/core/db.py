"""The database: base class, engine settings, units of work, retries.

Entry points (views, jobs, commands) commit, services never do: see `unit_of_work`.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, cast

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Compiled,
    DateTime,
    Executable,
    Identity,
    MetaData,
    Table,
    Text,
    Uuid,
    event,
)
from sqlalchemy import Result as Rows
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, mapped_column

from pickup.config import Settings

Result = TypeVar("Result")

BigInt = Annotated[int, mapped_column(BigInteger)]
BigKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
IntKey = Annotated[int, mapped_column(Identity(), primary_key=True)]

RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
# The database is busy, out of connections, or going down (PostgreSQL, appendix A); anything else is a fault of ours.
BUSY_SQLSTATES = RETRYABLE_SQLSTATES | {"55P03", "57014", "53300", "57P01", "57P02", "57P03", "25P03"}
ATTEMPTS_MAX = 3
# A process that hangs in the midst of a transaction must not hold its locks for ever.
IDLE_IN_TRANSACTION_SECONDS = 60
# A connection that was in use this short a time ago is taken to work still.
PING_AFTER_SECONDS = 2.0


class Base(DeclarativeBase):
    """Every table of the house. Constraint names follow one convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: DateTime(timezone=True),
        uuid.UUID: Uuid(),
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB(none_as_null=True),
    }


def table_of(model: type[Base]) -> Table:
    """A model's table, for rows that are only written: the ORM's share of an insert exceeds the insert's own."""
    return cast(Table, model.__table__)


# Nothing is read again after a commit: what an answer shows was loaded before (measured: expiry costs 1.4 ms an order).
db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the database. The time-outs are settings of the session, so every statement of ours has them."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": settings.database_pool_size,
        "max_overflow": settings.web_threads,
        "pool_timeout": 10,
        "hide_parameters": True,  # what customers are called, and pay with, is nothing for a log
        "connect_args": {
            "connect_timeout": 5,
            "options": f"-c timezone=UTC -c lock_timeout={settings.database_lock_timeout_seconds}s"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s",
        },
    }
    db.init_app(app)
    app.teardown_appcontext(lambda _: undo())  # first: what is only put away afterwards cannot cost an answer any more
    with app.app_context():
        event.listen(db.engine, "checkin", _remember_use)
        event.listen(db.engine, "checkout", _ask_if_long_unused)


def _remember_use(_: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _ask_if_long_unused(connection: Any, record: Any, _: Any) -> None:
    """See that a connection still works before it is given out, unless it has just been in use.

    `pool_pre_ping` would ask each time, which is a fifth of an order's round trips.
    """
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < PING_AFTER_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool connects anew


def run(statement: Executable, values: Mapping[str, Any]) -> Rows[*tuple[Any, ...]]:
    """Execute a statement that is a constant of ours, in the present transaction of the session.

    `session.execute` would find out anew with each call what never changes: it takes 210 µs where this takes 90, and an
    order has ten of them. What comes back are the driver's own values.
    """
    sql, constants, processors = _compiled(statement)
    bound = {**constants, **values}
    for name, process in processors:
        bound[name] = process(bound[name])
    return db.session.connection().exec_driver_sql(sql, bound)


@cache
def _compiled(statement: Executable) -> tuple[str, dict[str, Any], tuple[tuple[str, Callable[[Any], Any]], ...]]:
    """The driver's SQL, the values that the statement itself holds, and what has to be done to some of the others."""
    compiled = cast(Compiled, cast(Any, statement).compile(dialect=db.engine.dialect))
    constants = {name: value for name, value in (compiled.params or {}).items() if value is not None}
    return compiled.string, constants, tuple(cast(Any, compiled)._bind_processors.items())


def sqlstate(error: DBAPIError) -> str | None:
    """The five-character code of PostgreSQL behind an SQLAlchemy error, if there is one."""
    return getattr(error.orig, "sqlstate", None)


@contextmanager
def unit_of_work() -> Iterator[None]:
    """One transaction: committed at the end, rolled back by any exception."""
    try:
        yield
        db.session.commit()
    except BaseException:
        undo()
        raise


def undo() -> None:
    """Roll back. A database that has died meanwhile has done so by itself: what was to be said is said all the same."""
    with suppress(DBAPIError):
        db.session.rollback()


def in_transaction(work: Callable[[], Result]) -> Result:
    """Run `work` as one unit of work; a deadlock or a serialization failure starts it again, three times at most.

    `work` must do nothing that a rollback does not undo.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            with unit_of_work():
                return work()
        except DBAPIError as error:
            if sqlstate(error) not in RETRYABLE_SQLSTATES or attempt == ATTEMPTS_MAX:
                raise
    raise AssertionError("unreachable")
