"""Making things happen at the same time, on purpose and not by luck."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import TextClause, text

from pickup.core.db import db, in_transaction

Result = TypeVar("Result")
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 60.0

_LOCK_WAITERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def until(condition: Callable[[], Any], *, within: float = PATIENCE_SECONDS, what: str = "what was waited for") -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within:g} s")
        time.sleep(POLL_SECONDS)


def at_once(works: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run each on a thread of its own, all from one barrier; the results in order, or the first fault."""
    gate = threading.Barrier(len(works))
    results: dict[int, Result] = {}
    faults: list[BaseException] = []

    def run(position: int, work: Callable[[], Result]) -> None:
        gate.wait()
        try:
            results[position] = work()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return [results[position] for position in range(len(works))]


def in_own_session(app: Flask, work: Callable[[], Result]) -> Callable[[], Result]:
    """The work as one transaction with a session of its own, as a request or a job would do it."""

    def run() -> Result:
        with app.app_context():
            return in_transaction(work)

    return run


def somebody_waits_for_a_lock(app: Flask) -> bool:
    """Whether a transaction of our database stands before a lock that another one holds."""
    with app.app_context(), db.engine.connect() as connection:
        return connection.execute(_LOCK_WAITERS).scalar_one() > 0


class Rendezvous:
    """Holds transactions between their read and their write, until all have read or a lock keeps the others out.

    With it a race is no matter of luck: two who could both read before one of them writes are going to.
    """

    def __init__(self, app: Flask, parties: int = 2) -> None:
        self._app = app
        self._parties = parties
        self._arrived = 0
        self._guard = threading.Lock()

    def wait(self) -> None:
        with self._guard:
            self._arrived += 1
        until(lambda: self._arrived >= self._parties or somebody_waits_for_a_lock(self._app))

    def after(self, read: Callable[..., Result]) -> Callable[..., Result]:
        """The same read, and then the waiting."""

        def read_and_wait(*args: Any, **kwargs: Any) -> Result:
            result = read(*args, **kwargs)
            self.wait()
            return result

        return read_and_wait


def without(statement: TextClause, part: str, *, instead: str = "") -> TextClause:
    """A statement of ours with something else, or nothing, in the place of a part of it: for controls."""
    assert part in statement.text
    changed = text(statement.text.replace(part, instead))
    left = [each for name, each in statement._bindparams.items() if name in changed._bindparams]
    return changed.bindparams(*left)


def refused(refusal: type[Exception], work: Callable[[], Any]) -> Callable[[], bool]:
    """Whether the work was refused; any other fault is one."""

    def run() -> bool:
        with suppress(refusal):
            work()
            return False
        return True

    return run
