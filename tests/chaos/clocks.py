"""Schedulers with a clock that a test turns: real processes, which die in the midst of their work, and are replaced.

Each is told what time it is, runs every job of the real schedule that is about orders, in an order of its own, and says
so.
"""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

DEADLY = 0.04
"""How likely a scheduler dies after it has taken some rows, before its commit or after it."""

# Whoever is forked has the modules already.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["worker.schedule", "tests.chaos.clocks"])


def keep_time(orders: Connection, seed: int) -> None:
    """Until nobody tells the time any more."""
    from worker import schedule

    chance = random.Random(seed)
    _make_mortal(chance)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the log of thousands of turns
    jobs = [job for _, job in schedule.SCHEDULE if job.__module__.startswith("pickup.orders")]
    with schedule.app.app_context(), suppress(EOFError):
        while True:
            now = orders.recv()
            schedule.utcnow = lambda now=now: now
            for job in chance.sample(jobs, len(jobs)):
                schedule.run_job(job)
            orders.send(now)


def _make_mortal(chance: random.Random) -> None:
    from pickup.core import db
    from pickup.orders import due

    take, in_transaction = due._take, due.in_transaction

    def take_and_perhaps_die(*args):
        taken = take(*args)
        if taken:
            db.db.session.flush()
            _perhaps_die(chance)
        return taken

    def commit_and_perhaps_die(work):
        done = in_transaction(work)
        if done:
            _perhaps_die(chance)
        return done

    due._take, due.in_transaction = take_and_perhaps_die, commit_and_perhaps_die


def _perhaps_die(chance: random.Random) -> None:
    if chance.random() < DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)


class Clocks:
    """So many schedulers, always.

    Args:
        await_calm: returns when the database has noticed of everybody who died that they are gone.
    """

    def __init__(self, number: int, seed: int, await_calm: Callable[[], None]) -> None:
        self.deaths = 0
        self._await_calm = await_calm
        self._chance = random.Random(seed)
        self._running: dict[Connection, ForkServerProcess] = {}
        for _ in range(number):
            self._start()

    def turn_to(self, now: datetime, *, kill_one: bool = False) -> None:
        """It is `now`, for all of them; returns once each has done all that is due, and none has died of it.

        What somebody who died had in hand, the others have passed by: so after a death it is the same time once more.
        """
        while not self._turn(now, kill_one=kill_one):
            kill_one = False
            self._await_calm()

    def stop(self) -> None:
        """End all of them."""
        for connection, process in self._running.items():
            connection.close()
            process.join(30)
            process.kill()

    def _turn(self, now: datetime, *, kill_one: bool) -> bool:
        waiting = set(self._running)
        for connection in waiting:
            with suppress(BrokenPipeError):
                connection.send(now)
        if kill_one:
            self._running[self._chance.choice(list(self._running))].kill()
        before = self.deaths
        while waiting:
            for connection in wait(list(waiting)):
                waiting.remove(connection)
                try:
                    connection.recv()
                except (EOFError, ConnectionResetError):
                    self._bury(connection)
        return self.deaths == before

    def _bury(self, connection: Connection) -> None:
        process = self._running.pop(connection)
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"a scheduler ended by itself: {process.exitcode}"
        connection.close()
        self.deaths += 1
        self._start()

    def _start(self) -> None:
        ours, theirs = _FORKS.Pipe()
        process = _FORKS.Process(target=keep_time, args=(theirs, self._chance.getrandbits(32)), daemon=True)
        process.start()
        theirs.close()
        self._running[ours] = process
