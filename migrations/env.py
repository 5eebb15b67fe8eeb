"""Alembic's entry: the tables of `pickup` against the database of the running app."""

from alembic import context
from flask import current_app

import pickup.tables  # noqa: F401  every table, so that autogenerate sees them
from pickup.core.db import Base

engine = current_app.extensions["migrate"].db.engine

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
