"""Migrations go up, down and up again, and end where the models are."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

import pickup.tables  # noqa: F401
from pickup.core.db import Base, db


@pytest.fixture
def migrated(database):
    yield database
    upgrade()


def test_models_and_migrations_do_not_differ(migrated):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_to_nothing_and_up_again(migrated):
    db.session.remove()
    downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]

    upgrade()
    assert set(inspect(db.engine).get_table_names()) == {"alembic_version", *Base.metadata.tables}
