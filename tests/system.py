"""Everything that `make run` starts, in a home of its own; and its processes, to be killed one by one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import redis
from psutil import Process

from pickup.config import ROOT, Settings

# Otherwise the system under test would use the servers of the other tests.
NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "PICKUP_HOME", "PICKUP_SMTP_URL", "PROMETHEUS_MULTIPROC_DIR")
LEASE_SECONDS = 3
POLL_SECONDS = 0.1
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 30.0


def until(condition: Callable[[], Any], *, within: float, what: str) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within:g} s")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Answer:
    """What came over HTTP; status 0 when nothing did."""

    status: int
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class System:
    """The supervisor and all that it keeps alive."""

    def __init__(
        self, home: Path, *, lease_seconds: int = LEASE_SECONDS, environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.port = _free_port()
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self._environment = inherited | {
            "PORT": str(self.port),
            "PICKUP_HOME": str(home),
            "PICKUP_SEED": "none",
            "PICKUP_OUTBOX_LEASE_SECONDS": str(lease_seconds),
            **(environment or {}),
        }
        self._log = home.parent / "run.log"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self._log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "pickup.dev.run"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: self.call("GET", "/readyz").status == 200, within=READY_SECONDS, what=f"ready ({self._log})")

    @property
    def is_running(self) -> bool:
        """Whether the supervisor lives."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def stop(self) -> int:
        """SIGTERM to the process group; the exit code."""
        assert self._supervisor is not None
        os.killpg(self._supervisor.pid, signal.SIGTERM)
        try:
            return self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            raise

    def flask(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours in this system."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *command],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
        )

    @contextmanager
    def one_more(self, module: str) -> Iterator[None]:
        """One more process of ours, `python -m` MODULE, beside those that the supervisor keeps."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module.split()], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        try:
            yield
            assert process.poll() is None, f"{module} has ended ({self._log})"
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request, on a connection of its own."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        # http.client has a dozen names for a connection that broke off, be it in the midst of a refusal.
        with suppress(OSError, http.client.HTTPException):
            try:
                with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                    return Answer(response.status, response.read())
            except urllib.error.HTTPError as refusal:
                return Answer(refusal.code, refusal.read())
        return Answer(0)

    def connected(self) -> psycopg.Connection:
        """A connection to its database, in autocommit."""
        return psycopg.connect(self.database_url, autocommit=True)

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Ask its database."""
        with self.connected() as connection:
            return connection.execute(query).fetchall()

    def execute(self, *statements: LiteralString) -> None:
        """Tell its database, each statement a transaction of its own."""
        with self.connected() as connection:
            for statement in statements:
                connection.execute(statement)

    @property
    def database_url(self) -> str:
        """Its database, as psycopg names it."""
        return self.settings.sqlalchemy_url.replace("+psycopg", "")

    @contextmanager
    def queue(self) -> Iterator[redis.Redis]:
        """Its Redis."""
        with redis.Redis.from_url(self.settings.queue_url) as client:
            yield client

    def log(self) -> str:
        """What all of it has said."""
        return self._log.read_text(errors="replace")

    def programs(self, word: str) -> list[Process]:
        """Those that the supervisor has started and whose command line has the word."""
        assert self._supervisor is not None
        return [child for child in Process(self._supervisor.pid).children() if word in _command(child)]

    def children_of(self, word: str) -> list[Process]:
        """Those that the programs of that word have started."""
        return [child for program in self.programs(word) for child in _children(program)]

    def leftovers(self) -> list[Process]:
        """Every process that has anything to do with this home."""
        return [process for process in psutil.process_iter() if self._concerns(process)]

    def _concerns(self, process: Process) -> bool:
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                traces = (_command(process), process.cwd(), process.environ().get("PICKUP_HOME", ""))
                return any(str(self.home) in trace for trace in traces)
        return False

    @property
    def settings(self) -> Settings:
        """What its processes were told, as far as this one has to know."""
        return replace(Settings.from_environment(), home=self.home, database_url=None, redis_url=None)


def kill(processes: Sequence[Process]) -> None:
    """SIGKILL, as the kernel does it when memory runs out."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _children(process: Process) -> list[Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children()
    return []


def _command(process: Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
