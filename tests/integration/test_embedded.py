"""The development servers, with real processes: who starts, adopts and stops them, and what no crash may confuse."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from pickup.config import ROOT, Settings
from pickup.dev import embedded
from pickup.dev.embedded import EmbeddedServerError, EmbeddedServers

IS_ROOT = os.geteuid() == 0
SOCKETS = (".s.PGSQL.5432", "redis.sock")

HOLDER = """
    import sys
    from dataclasses import replace
    from pathlib import Path
    from pickup.config import Settings
    from pickup.dev.embedded import EmbeddedServers

    home = Path(sys.argv[1])
    servers = EmbeddedServers(replace(Settings.from_environment(), home=home, database_url=None, redis_url=None))
    with servers:
        print("held", flush=True)
        sys.stdin.read()
"""

COMMAND = """
    import sys
    from dataclasses import replace
    from pathlib import Path
    import click
    from pickup.config import Settings
    from pickup.dev import embedded

    settings = replace(Settings.from_environment(), home=Path(sys.argv[1]), database_url=None, redis_url=None)

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("rest", nargs=-1)
    def command(rest):
        embedded.attach(settings)
        print((settings.socket_folder / "redis.sock").exists())
        raise RuntimeError("a command that fails")

    command()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that only its owner may enter, as `mkdtemp` makes it; nothing may still run in it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pickup-test-"))
    yield folder
    for name in ("postgres.lock", "redis.lock"):
        if (folder / name).exists():
            assert not is_locked(folder / name), f"{name}: a server was left behind"
    shutil.rmtree(folder)


@pytest.fixture
def settings(home: Path) -> Settings:
    return settings_for(home)


def settings_for(home: Path) -> Settings:
    return replace(Settings.from_environment(), home=home, database_url=None, redis_url=None)


def is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not embedded._try_lock(descriptor)
    finally:
        os.close(descriptor)


def database(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(host=str(settings.socket_folder), user="pickup", dbname="pickup", autocommit=True)


def queue(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.queue_url)


def listener(settings: Settings, name: str) -> int | None:
    """The pid behind a socket, as the kernel knows it."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(settings.socket_folder / name))
        except OSError:
            return None
        return int(struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def listeners(settings: Settings) -> list[int | None]:
    return [listener(settings, name) for name in SOCKETS]


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@contextmanager
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the servers until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def test_first_start_makes_a_utf8_database_and_a_queue_that_is_kept_on_disk(settings: Settings) -> None:
    with EmbeddedServers(settings):
        with database(settings) as connection:
            row = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('fsync'), current_setting('TimeZone'), "
                "current_setting('listen_addresses'), upper('ä'), 'Z' < 'a'"
            ).fetchone()
        assert row == ("UTF8", "on", "UTC", "", "Ä", True)
        with queue(settings) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("port") == {"port": "0"}


def test_the_data_is_there_again_after_a_stop(settings: Settings) -> None:
    with EmbeddedServers(settings), database(settings) as connection, queue(settings) as client:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        client.set("kept", "1")
    assert listeners(settings) == [None, None]
    with EmbeddedServers(settings), database(settings) as connection, queue(settings) as client:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        assert client.get("kept") == b"1"


def test_the_last_one_out_stops_them(settings: Settings, home: Path) -> None:
    ours = EmbeddedServers(settings)
    with holder(home):
        started = listeners(settings)
        ours.acquire()
        assert listeners(settings) == started, "adopted, not started again"
    assert listeners(settings) == started, "the other one has left, we have not"
    ours.release()
    assert listeners(settings) == [None, None]


def test_servers_of_a_killed_process_are_adopted_and_then_stopped(settings: Settings, home: Path) -> None:
    with holder(home) as process:
        started = listeners(settings)
        process.kill()
        process.wait()
    assert listeners(settings) == started, "they outlive who started them"
    with EmbeddedServers(settings) as servers:
        assert listeners(settings) == started
        assert servers.ensure_running() == []
    assert listeners(settings) == [None, None]


def test_adopted_servers_that_die_are_started_again(settings: Settings, home: Path) -> None:
    with holder(home) as process:
        process.kill()
        process.wait()
    with EmbeddedServers(settings) as servers:
        for pid in listeners(settings):
            assert pid
            os.kill(pid, signal.SIGKILL)
        until(lambda: listeners(settings) == [None, None])
        assert servers.ensure_running() == ["postgres", "redis"]


def test_a_killed_server_comes_back_with_what_was_committed(settings: Settings) -> None:
    with EmbeddedServers(settings) as servers:
        with closing(database(settings)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
            pid = listener(settings, ".s.PGSQL.5432")
            assert pid
            os.kill(pid, signal.SIGKILL)
        # A backend may outlive the postmaster for a moment: the start must wait for it, not fail.
        until(lambda: servers.ensure_running() == ["postgres"])
        assert servers.ensure_running() == []
        with database(settings) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_lock_files_whose_pid_is_now_another_program_s_do_not_matter(settings: Settings, home: Path) -> None:
    with EmbeddedServers(settings):
        pass
    owner = (home / "postgres").stat().st_uid
    # PostgreSQL believes a pid file when the process belongs to its own user.
    other = subprocess.Popen(["sleep", "60"], user=owner if IS_ROOT else None, cwd="/")
    try:
        stale = f"{other.pid}\n{home / 'postgres'}\n1700000000\n5432\n{settings.socket_folder}\n\n  5432001  0\nready\n"
        for path in (home / "postgres" / "postmaster.pid", settings.socket_folder / ".s.PGSQL.5432.lock"):
            path.write_text(stale)
            os.chown(path, owner, -1)
        for name in SOCKETS:
            with socket.socket(socket.AF_UNIX) as left_over:
                left_over.bind(str(settings.socket_folder / name))
        with EmbeddedServers(settings):
            assert None not in listeners(settings)
        assert other.poll() is None, "nobody has signalled the other program"
    finally:
        other.kill()
        other.wait()


def test_an_interrupted_first_start_is_begun_again(settings: Settings, home: Path) -> None:
    (home / "postgres.new" / "base").mkdir(parents=True)
    with EmbeddedServers(settings):
        assert not (home / "postgres.new").exists()


def test_only_what_has_no_real_server_is_embedded(settings: Settings, home: Path) -> None:
    with EmbeddedServers(replace(settings, database_url="postgresql://real/pickup")):
        assert not (home / "postgres").exists()
        assert listener(settings, "redis.sock")
    with EmbeddedServers(replace(settings, redis_url="redis://real")):
        assert listener(settings, ".s.PGSQL.5432")
        assert listener(settings, "redis.sock") is None


def test_a_home_too_long_for_a_socket(home: Path) -> None:
    settings = settings_for(home / ("long " * 10) / ("x" * 100))
    try:
        with EmbeddedServers(settings):
            assert None not in listeners(settings)
            assert home not in settings.socket_folder.parents
            assert settings.socket_folder.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(settings.socket_folder)


def test_a_socket_folder_that_others_may_enter_is_refused(settings: Settings) -> None:
    settings.socket_folder.mkdir(mode=0o755)
    with pytest.raises(EmbeddedServerError, match="mode 0700"), EmbeddedServers(settings):
        pass


def test_a_server_that_cannot_start_says_why(settings: Settings, home: Path) -> None:
    with EmbeddedServers(settings):
        pass
    (home / "postgres" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(EmbeddedServerError, match=r"(?s)postgres does not start.*incompatible"),
        EmbeddedServers(settings),
    ):
        pass


def test_the_caller_s_environment_does_not_shape_the_data(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TZ": "Asia/Tokyo", "LC_ALL": "xx_XX", "PGDATA": "/nowhere", "PGPORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedServers(settings):
        assert None not in listeners(settings)


def test_a_flask_command_that_fails_leaves_nothing_running(settings: Settings, home: Path) -> None:
    script = [sys.executable, "-c", textwrap.dedent(COMMAND), str(home)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("True\n", 1)
    assert listeners(settings) == [None, None]


def test_outside_of_the_command_line_nothing_is_attached(settings: Settings, home: Path) -> None:
    embedded.attach(settings)
    assert list(home.iterdir()) == []


@pytest.mark.skipif(not IS_ROOT, reason="only root must become somebody else")
def test_root_s_servers_run_as_somebody_else_even_below_a_closed_folder(settings: Settings, home: Path) -> None:
    assert home.stat().st_uid == 0
    assert home.stat().st_mode & 0o777 == 0o700
    with EmbeddedServers(settings):
        for pid in listeners(settings):
            assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert home.stat().st_mode & 0o777 == 0o700, "nobody has opened it"


@pytest.mark.skipif(not IS_ROOT, reason="only root must become somebody else")
def test_without_setpriv_root_needs_an_open_folder(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EmbeddedServerError, match=r"cannot get at .*setpriv"), EmbeddedServers(settings):
        pass
    home.chmod(0o755)
    with EmbeddedServers(settings):
        assert None not in listeners(settings)
