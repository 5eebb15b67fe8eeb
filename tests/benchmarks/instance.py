"""A whole system of its own for the benchmarks: everything that `make run` starts, in a temporary home."""

import csv
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from pickup.config import ROOT, Settings

READY_SECONDS = 120


@dataclass(frozen=True)
class Cost:
    """What a stretch of work cost the whole system."""

    cpu_seconds: float
    commits: int


class Instance:
    """Use it with `with`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        outside = ("DATABASE_URL", "REDIS_URL")
        self.environment = {name: value for name, value in os.environ.items() if name not in outside} | {
            "PORT": str(self.port),
            "PICKUP_HOME": str(home),
            "PICKUP_SEED": "none",
        }

    def __enter__(self) -> Self:
        self._log = (self.home / "run.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pickup.dev.run"],
            cwd=ROOT,
            env=self.environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.home / "run.log").read_text()[-1000:])
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(60)
        self._log.close()

    def flask(self, *command: str) -> str:
        """Run a command of ours in this system; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"flask {' '.join(command)}: {done.stdout[-300:]} {done.stderr[-1000:]}")
        return done.stdout.strip()

    def load(self, kind: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> float:
        """Import rows; the seconds it took."""
        path = self.home / f"{kind}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        started = time.perf_counter()
        self.flask("import", kind, str(path))
        return time.perf_counter() - started

    @property
    def database_url(self) -> str:
        """The database, as psycopg names it."""
        before = os.environ.copy()
        try:
            os.environ.clear()
            os.environ.update(self.environment)
            return Settings.from_environment().sqlalchemy_url.replace("+psycopg", "")
        finally:
            os.environ.clear()
            os.environ.update(before)

    def query(self, statement: str) -> Any:
        """The first value of the first row; None for a statement without rows."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            answer = connection.execute(statement)
            row = answer.fetchone() if answer.description else None
            return row[0] if row else None

    def spent(self) -> Cost:
        """What all processes of this system have used since they started."""
        commits = self.query("SELECT xact_commit FROM pg_stat_database WHERE datname = 'pickup'")
        return Cost(sum(cpu_of(process) for process in self.processes()), commits)

    def processes(self) -> list[psutil.Process]:
        """Supervisor, web, relay, workers, PostgreSQL, Valkey: whatever runs for this home."""
        mine = [psutil.Process(self._process.pid)]
        mine += mine[0].children(recursive=True)
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = " ".join(process.info["cmdline"] or ())
            if str(self.home) in words and process.pid not in {known.pid for known in mine}:
                mine += [process, *process.children(recursive=True)]
        return list({process.pid: process for process in mine}.values())

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def cpu_of(process: psutil.Process) -> float:
    """User and system seconds, with those of children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
