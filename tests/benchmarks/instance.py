"""A whole system for the benchmarks, and what it costs."""

import csv
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from pickup.app import create_app
from pickup.config import Settings
from tests.system import System

# As in production: the tests' short lease would give tasks out again that only wait in a long queue.
LEASE_SECONDS = 30
DONE_SECONDS_MAX = 600
LOOK_SECONDS = 0.05

# The first word found in a process's command line says what kind it is.
KINDS = {
    "pickup.dev.run": "supervisor",
    "pickup.dev.mailcatcher": "mail catcher",
    "gunicorn": "web",
    "worker.relay": "relay",
    "worker.schedule": "schedule",
    "worker.webhooks": "webhooks",
    "worker.work": "worker",
    "valkey": "Valkey",
    "postgres": "PostgreSQL",
}
# In production nobody needs them.
NOT_OURS = frozenset({"supervisor", "mail catcher"})

# None of an order's goods are decided on before its last step out of these.
UNDECIDED = "SELECT FROM orders WHERE status IN ('awaiting_payment', 'placed') LIMIT 1"
UNDONE = "SELECT FROM outbox_tasks WHERE dead_at IS NULL LIMIT 1"


def progress(text: str) -> None:
    """Say on stderr what is going on."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def running(home: Path) -> Iterator[System]:
    """Everything that `make run` starts, for a while."""
    system = System(home, lease_seconds=LEASE_SECONDS)
    system.start()
    try:
        yield system
    finally:
        system.stop()


def application(system: System) -> Flask:
    """The application in this process, on the system's database."""
    return create_app(replace(Settings.from_environment(), home=system.home, database_url=None, redis_url=None))


def command(system: System, *words: str) -> str:
    """Run a command of ours in the system; what it printed."""
    done = system.flask(*words)
    if done.returncode:
        raise RuntimeError(f"flask {' '.join(words)}: {done.stdout[-300:]} {done.stderr[-1000:]}")
    return done.stdout.strip()


def load(system: System, kind: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> float:
    """Import rows; the seconds it took."""
    path = system.home / f"{kind}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    started = time.perf_counter()
    command(system, "import", kind, str(path))
    return time.perf_counter() - started


def wait_until_decided(system: System) -> None:
    """Until every order has its goods or was refused them."""
    _wait_until_none(system, UNDECIDED, "orders stay undecided")


def wait_until_done(system: System) -> None:
    """Until nothing is left to be done, messages included."""
    _wait_until_none(system, UNDONE, "tasks stay in the outbox")


def _wait_until_none(system: System, query: str, complaint: str) -> None:
    deadline = time.monotonic() + DONE_SECONDS_MAX
    with system.connected() as connection:
        while connection.execute(query).fetchone() is not None:
            if time.monotonic() > deadline:
                raise RuntimeError(complaint)
            time.sleep(LOOK_SECONDS)


def spent(system: System) -> Counter[str]:
    """Seconds of CPU that each kind of process of the system has used since it started."""
    processes = {process.pid: process for found in system.leftovers() for process in with_children(found)}
    found: Counter[str] = Counter()
    for process in processes.values():
        found[_kind(process)] += cpu_of(process)
    return found


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two looks, kind by kind."""
    return {kind: seconds - before.get(kind, 0.0) for kind, seconds in after.items()}


def ours(cost: Mapping[str, float]) -> float:
    """The part of a cost that production has, too."""
    return sum(seconds for kind, seconds in cost.items() if kind not in NOT_OURS)


def _kind(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return "gone"
    kind = next((kind for word, kind in KINDS.items() if word in " ".join(words)), "other")
    return f"worker, {words[-1]}" if kind == "worker" else kind


def with_children(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_of(process: psutil.Process) -> float:
    """User and system seconds, with those of children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
