"""`flask import`: what comes in files. It spans the features, because stock and prices name stores and products."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Select, select
from sqlalchemy.exc import SQLAlchemyError

from pickup.catalog import imports as catalog
from pickup.catalog.models import Product
from pickup.core.clock import utcnow
from pickup.core.csv_import import CsvImport, Outcome, Plan, Progress, database_reason
from pickup.core.db import db, unit_of_work
from pickup.inventory import imports as inventory
from pickup.pricing import imports as pricing
from pickup.stores import imports as stores
from pickup.stores.models import Store

ERASE_LINE = "\r\x1b[K"

import_group = AppGroup("import", help="Bring in CSV files: UTF-8 with a header row, gzipped if they end in .gz.")


def _ids(keys: Select[str, int]) -> dict[str, int]:
    return dict(db.session.execute(keys).all())


def _store_ids() -> dict[str, int]:
    return _ids(select(Store.ref, Store.id))


def _product_ids() -> dict[str, int]:
    return _ids(select(Product.sku, Product.id))


# In the order in which an empty system needs them.
PLANS: dict[str, Callable[..., Plan]] = {
    "stores": lambda now: stores.plan(),
    "products": lambda now: catalog.plan(),
    "prices": lambda now, **options: pricing.plan(_product_ids(), now=now, **options),
    "stock": lambda now: inventory.plan(_store_ids(), _product_ids()),
}
OPTIONS: dict[str, list[click.Option]] = {
    "prices": [
        click.Option(["--all-or-none"], is_flag=True, help="Record nothing if any row is wrong."),
        click.Option(["--reason"], default="", metavar="TEXT", help="Why, for the history."),
    ],
}


def _add_command(kind: str, make_plan: Callable[..., Plan]) -> None:
    @import_group.command(
        kind, help=f"Bring in {kind}. Rows that are refused go to FILE.rejected.csv.", params=OPTIONS.get(kind, [])
    )
    @click.argument("path", metavar="FILE.csv")
    def command(path: str, **options: Any) -> None:
        outcome = Outcome()
        try:
            _import(path, partial(make_plan, **options), outcome)
        finally:
            # Also when it is stopped midway: what is committed stays.
            click.echo(f"imported {outcome.imported}, updated {outcome.updated}, rejected {outcome.rejected}")
        if not outcome.is_clean:
            raise click.exceptions.Exit(1)


for _kind, _make_plan in PLANS.items():
    _add_command(_kind, _make_plan)


def _import(path: str, make_plan: Callable[[datetime], Plan], outcome: Outcome) -> None:
    erase = ERASE_LINE if sys.stderr.isatty() else ""

    def report(line: int, field: str, reason: str) -> None:
        click.echo(f"{erase}{path}:{line}: {field}: {reason}", err=True)

    try:
        with unit_of_work():
            plan = make_plan(utcnow())
    except SQLAlchemyError as error:
        outcome.is_complete = False
        report(1, "database", database_reason(error))
        return
    with _progress_bar(path) as progress:
        CsvImport(path, plan, outcome, report, progress).run()


@contextmanager
def _progress_bar(path: str) -> Iterator[Progress]:
    """A bar on the terminal, by bytes read; nothing elsewhere."""
    if not sys.stderr.isatty() or not os.path.isfile(path):
        yield lambda position: None
        return
    with click.progressbar(length=os.path.getsize(path), label=os.path.basename(path), file=sys.stderr) as bar:
        yield lambda position: bar.update(position - bar.pos)
