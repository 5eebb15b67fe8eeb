"""Counters that tell a process when what it keeps in memory has become old."""

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db
from pickup.core.models import Revision


def bump(name: str) -> None:
    """Say that the data behind `name` changes with the present transaction."""
    db.session.execute(
        insert(Revision)
        .values(name=name, value=1)
        .on_conflict_do_update(index_elements=[Revision.name], set_={"value": Revision.value + 1})
    )


def current(name: str) -> ScalarSelect[int]:
    """The counter as a subquery, to ride along with a statement that is made anyway; 0 before the first change."""
    return select(func.coalesce(func.max(Revision.value), 0)).where(Revision.name == name).scalar_subquery()
