"""`make run`: everything that the shop needs on one machine, until Ctrl-C.

It finds the servers, brings the database up to date, fills an empty one with the demo retailer, and keeps the
processes in `programs` alive. Nothing here is needed in production, where the same processes run under something else.
"""

import fcntl
import http.client
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from pickup.config import ROOT, Settings
from pickup.dev.embedded import EmbeddedServers
from pickup.dev.server_user import EmbeddedServerError
from pickup.dev.supervisor import Output, Program, Stopped, Supervisor

QUEUES = ("reservations", "payments", "notifications")
SHOP_KEY = "shop_key"
FIRST = ("mail", "web")
FIRST_PATIENCE_SECONDS = 10.0
WEB_BACKLOG = 1024
MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - gunicorn puts unnamed files there
# How long the processes of a killed run may need to finish what they were doing.
PORT_PATIENCE_SECONDS = 20.0


class Refused(Exception):
    """It cannot run here and now; the message says why."""


def main() -> int:
    """Run until a signal; the exit code: 0 after a signal, 1 when it could not start."""
    settings = Settings.from_environment()
    output = Output(sys.stdout)
    try:
        with ExitStack() as stack:
            supervisor = stack.enter_context(
                Supervisor(cwd=ROOT, environment=os.environ | _environment(settings), output=output)
            )
            _run(settings, supervisor, output, stack)
    except Stopped:
        pass
    except (Refused, EmbeddedServerError) as refusal:
        print(f"make run: {refusal}", file=sys.stderr)
        return 1
    output.text("Stopped. Everything is kept; `make run` goes on from here.")
    return 0


def _run(settings: Settings, supervisor: Supervisor, output: Output, stack: ExitStack) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    was_killed = stack.enter_context(_only_run(settings))
    web_socket = stack.enter_context(closing(_reserve(settings.port, PORT_PATIENCE_SECONDS if was_killed else 0)))
    servers = stack.enter_context(EmbeddedServers(settings))
    # Entered last, left first: the servers outlive the last of their clients.
    stack.callback(supervisor.stop)
    supervisor.check()
    _step(supervisor, "migrate", "db", "upgrade")
    if settings.seed == "demo" and _is_empty(settings):
        _step(supervisor, "seed", "dev", "seed")
    if settings.shop_api_key is None:
        settings = replace(settings, shop_api_key=_shop_key(settings, supervisor))
    _empty(settings.home / "metrics")
    _listen(web_socket, settings.port)
    table = programs(settings, web_socket.fileno(), _mail_port(settings))
    # The web server first: side by side with all others it would take three times as long to come up.
    waiting = [program for program in table if program.name not in FIRST]
    supervisor.start(program for program in table if program.name in FIRST)
    announcement = Announcement(settings, output)
    start_all_at = time.monotonic() + FIRST_PATIENCE_SECONDS

    def look_after() -> None:
        try:
            for name in servers.ensure_running():
                output.line("run", f"{name} had died and runs again")
        except EmbeddedServerError as error:
            output.line("run", str(error))
        announcement.make_when_ready()
        if announcement.made or time.monotonic() > start_all_at:
            supervisor.start(waiting)
            waiting.clear()

    supervisor.keep(look_after)


def programs(settings: Settings, web_socket: int, mail_port: int | None) -> list[Program]:
    """The table of everything that runs.

    Args:
        web_socket: a listening socket. It stays open here while the web server starts again, and so
            a caller waits for a moment where otherwise it would be refused.
        mail_port: where the mail catcher listens; None without one.
    """
    python = sys.executable
    mail = {"PICKUP_SMTP_URL": f"smtp://127.0.0.1:{mail_port}"} if mail_port else {}
    shop = {"PICKUP_SHOP_API_KEY": settings.shop_api_key} if settings.shop_api_key else {}
    catcher = (python, "-m", "pickup.dev.mailcatcher", str(mail_port), str(settings.home / "mail"))
    return [
        *([Program("mail", catcher, stop_last=True)] if mail_port else []),
        Program("web", (python, *_web(settings, web_socket)), mail | shop, keep_open=(web_socket,)),
        Program("relay", (python, "-m", "worker.relay"), mail),
        Program("schedule", (python, "-m", "worker.schedule"), mail),
        Program("webhooks", (python, "-m", "worker.webhooks"), mail),
        *(Program(queue, (python, "-m", "worker.work", queue), mail) for queue in QUEUES),
    ]


def _web(settings: Settings, web_socket: int) -> tuple[str, ...]:
    return (
        *("-m", "gunicorn", "wsgi:app", "--bind", f"fd://{web_socket}", "--workers", str(settings.web_workers)),
        *("--keep-alive", "15", "--no-control-socket", "--log-level", "warning"),
        # Workers show that they live by touching a file; on a busy disk that can take too long.
        *(("--worker-tmp-dir", MEMORY_FOLDER) if os.access(MEMORY_FOLDER, os.W_OK) else ()),
    )


class Announcement:
    """Says once, when the shop is ready, where everything is."""

    def __init__(self, settings: Settings, output: Output) -> None:
        self._settings = settings
        self._output = output
        self.made = False

    def make_when_ready(self) -> None:
        """Ask /readyz until it agrees; afterwards do nothing."""
        if not self.made and _is_ready(self._settings.port):
            self.made = True
            self._output.text(self.text())

    def text(self) -> str:
        """The addresses, and how to sign in to the demo."""
        url = f"http://127.0.0.1:{self._settings.port}"
        places = [
            ("The demo shop", "/shop"),
            ("The store's tablet", "/staff"),
            ("Management", "/admin"),
            ("The API", "/docs"),
        ]
        if self._settings.smtp_url is None:
            places.append(("Mail it has sent", "/dev/mail"))
        lines = ["", *(f"  {what:<20}{url}{path}" for what, path in places), ""]
        demo = self._settings.home / "demo.txt"
        if demo.exists():
            lines += [*(f"  {line}" for line in demo.read_text().splitlines()), ""]
        return "\n".join([*lines, "  Ctrl-C stops everything and loses nothing.", ""])


def _environment(settings: Settings) -> dict[str, str]:
    environment = {
        "PICKUP_HOME": str(settings.home),
        "PICKUP_DEVELOPMENT": "true",
        "PROMETHEUS_MULTIPROC_DIR": str(settings.home / "metrics"),
        "PYTHONUNBUFFERED": "1",
    }
    if settings.smtp_url is None:
        environment["PICKUP_MAIL_FOLDER"] = str(settings.home / "mail")
    return environment


@contextmanager
def _only_run(settings: Settings) -> Iterator[bool]:
    """Be the only `make run` of this home. Tells whether the one before was killed: then its note is still there.

    Raises:
        Refused: another one runs.
    """
    with (settings.home / "run.lock").open("a+") as lock:
        lock.seek(0)
        note = lock.read()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"{settings.home} is in use by another `make run` ({note.strip() or 'just starting'})."
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, port {settings.port}")
        lock.flush()
        yield bool(note)
        lock.truncate(0)


def _reserve(port: int, patience_seconds: float) -> socket.socket:
    """Take the web server's port, so that a taken one is known before anything has been started.

    Raises:
        Refused: another program has it.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        web_socket = socket.socket()
        web_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            web_socket.bind(("127.0.0.1", port))
        except OSError as error:
            web_socket.close()
            if time.monotonic() > deadline:
                raise _port_refused(port, error) from None
            time.sleep(0.1)
        else:
            return web_socket


def _listen(web_socket: socket.socket, port: int) -> None:
    try:
        web_socket.listen(WEB_BACKLOG)
    except OSError as error:
        # Two that reserved it at the same moment: only one may listen.
        raise _port_refused(port, error) from None


def _port_refused(port: int, error: OSError) -> Refused:
    return Refused(f"port {port}: {error.strerror}. Try another one: PORT={port + 1} make run")


def _step(supervisor: Supervisor, name: str, *command: str) -> None:
    code = supervisor.complete(Program(name, (sys.executable, "-m", "flask", "--app", "wsgi", *command)))
    if code:
        raise Refused(f"`flask {' '.join(command)}` ended with {code}, see above.")


def _is_empty(settings: Settings) -> bool:
    """Whether no store has been entered yet."""
    url = settings.sqlalchemy_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT NOT EXISTS (SELECT FROM stores)").fetchone() == (True,)


def _shop_key(settings: Settings, supervisor: Supervisor) -> str:
    """The demo shop's key for the API: made once, and once more where the database is another one."""
    note = settings.home / SHOP_KEY
    if not (note.exists() and _knows_key(settings, note.read_text())):
        _step(supervisor, "shop", "dev", "shop-key")
    return note.read_text()


def _knows_key(settings: Settings, key: str) -> bool:
    """Whether the key was made here. A revoked one was, and stays revoked."""
    url = settings.sqlalchemy_url.replace("postgresql+psycopg://", "postgresql://", 1)
    statement = "SELECT EXISTS (SELECT FROM api_keys WHERE digest = sha256(convert_to(%s, 'UTF8')))"
    with psycopg.connect(url) as connection:
        return connection.execute(statement, [key]).fetchone() == (True,)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _mail_port(settings: Settings) -> int | None:
    """A free port for the mail catcher: the one it had, so that nobody's mail program has to be told a new one."""
    if settings.smtp_url is not None:
        return None
    note = settings.home / "mail" / "port"
    note.parent.mkdir(exist_ok=True)
    before = 0
    with suppress(FileNotFoundError, ValueError):
        before = int(note.read_text())
    for port in (before, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found = int(probe.getsockname()[1])
            note.write_text(str(found))
            return found
    raise Refused("no port is free for the mail catcher")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    return False


if __name__ == "__main__":
    sys.exit(main())
