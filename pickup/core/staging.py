"""The temporary table that carries a chunk of a file into the database, and the plain way on from there."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from pickup.core.db import db


def stage(columns: Mapping[str, sa.types.TypeEngine[Any]], rows: Iterable[tuple[Any, ...]]) -> sa.Table:
    """A temporary table with the rows, gone at the end of the transaction."""
    staged = sa.Table(
        "staged",
        sa.MetaData(),
        *(sa.Column(name, sql_type) for name, sql_type in columns.items()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    db.session.execute(CreateTable(staged))
    connection = cast("psycopg.Connection[Any]", db.session.connection().connection.driver_connection)
    with connection.cursor() as cursor, cursor.copy("COPY staged FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    db.session.execute(sa.text("ANALYZE staged"))
    return staged


def upsert(target: sa.FromClause, staged: sa.Table, *, key: str) -> int:
    """Bring staged rows into a table that has the same column names; returns how many are new.

    Rows that stay the same are not written. Locks are taken in key order, so two imports at once do not deadlock.
    """
    table = cast(sa.Table, target)
    same_key = table.c[key] == staged.c[key]
    new = _insert_missing(table, staged, key, same_key)
    locked = (
        sa.select(table.c[key]).join(staged, same_key).order_by(table.c[key]).with_for_update(key_share=True, of=table)
    )
    db.session.execute(sa.select(sa.func.count()).select_from(locked.subquery()))
    values = {column.name: column for column in staged.c if column.name != key}
    differs = sa.or_(*(table.c[name].is_distinct_from(value) for name, value in values.items()))
    db.session.execute(sa.update(table).where(same_key, differs).values(values))
    return new


def _insert_missing(table: sa.Table, staged: sa.Table, key: str, same_key: sa.ColumnElement[bool]) -> int:
    # Looked for before the conflict: a row that only conflicts uses up a number of the identity column all the same.
    missing = sa.select(staged).where(~sa.exists().where(same_key)).order_by(staged.c[key])
    inserted = (
        insert(table).from_select(staged.c.keys(), missing).on_conflict_do_nothing().returning(table.c[key]).cte()
    )
    return db.session.execute(sa.select(sa.func.count()).select_from(inserted)).scalar_one()
