"""A whole system for the benchmarks, and what it costs."""

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.system import System


@dataclass(frozen=True)
class Cost:
    """What a stretch of work cost the whole system."""

    cpu_seconds: float
    commits: int


@contextmanager
def running(home: Path) -> Iterator[System]:
    """Everything that `make run` starts, for a while."""
    system = System(home)
    system.start()
    try:
        yield system
    finally:
        system.stop()


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


def spent(system: System) -> Cost:
    """What all its processes have used since they started: supervisor, web, relay, workers, PostgreSQL, Valkey."""
    ((commits,),) = system.select("SELECT xact_commit FROM pg_stat_database WHERE datname = 'pickup'")
    processes = {process.pid: process for found in system.leftovers() for process in with_children(found)}
    return Cost(sum(cpu_of(process) for process in processes.values()), commits)


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
