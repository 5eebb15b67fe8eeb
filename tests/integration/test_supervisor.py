"""The process runner, with real processes: it must lose no program while it runs, and leave none when it ends."""

import json
import os
import selectors
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest
from flask import Flask

from pickup.config import ROOT, Settings
from pickup.dev import run, views
from pickup.dev.supervisor import RESTART_DELAYS_SECONDS

SUPERVISOR = """
    import json, os, sys
    from pathlib import Path
    from pickup.dev import supervisor
    from pickup.dev.supervisor import Output, Program, Stopped, Supervisor

    supervisor.STOP_SECONDS = float(sys.argv[2])
    codes = json.loads(sys.argv[1])
    table = [Program(name, (sys.executable, "-c", code), stop_last=name == "last") for name, code in codes]
    with Supervisor(cwd=Path("."), environment=os.environ, output=Output(sys.stdout, width=6)) as running:
        running.start(table)
        running.keep()
    print("stopped")
"""

# Says its pid, and good-bye as often as it is asked to end.
POLITE = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), time.sleep(0.3), sys.exit()))
print("up", os.getpid(), flush=True)
while True: signal.pause()
"""
# Ignores SIGTERM, and has a child in a process group of its own, as an RQ worker has its work-horse.
STUBBORN = r"""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0: os.setpgrp()
os.write(1, f"up {os.getpid()}\n".encode())
while True: signal.pause()
"""
BRIEF = "print('up', 0)"


class Run:
    """A supervisor in a process group of its own, as a terminal makes one, and the lines that it prints."""

    def __init__(self, table: dict[str, str], stop_seconds: float) -> None:
        script = textwrap.dedent(SUPERVISOR)
        command = [sys.executable, "-c", script, json.dumps(list(table.items())), str(stop_seconds)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True, bufsize=0)
        self.lines: list[str] = []
        self._rest = b""

    def line(self, wanted: str, seconds: float = 15) -> str:
        """Read on until a line that contains `wanted`."""
        assert self.process.stdout
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                while b"\n" in self._rest:
                    head, _, self._rest = self._rest.partition(b"\n")
                    self.lines.append(head.decode())
                    if wanted in self.lines[-1]:
                        return self.lines[-1]
                assert selector.select(deadline - time.monotonic()), f"no {wanted!r} in {self.lines}"
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"ended without {wanted!r}: {self.lines}"
                self._rest += data

    def pid(self, name: str) -> int:
        """The pid that a program says when it comes up."""
        return int(self.line(f"{name:<6}| up").split()[-1])

    def kill_all(self) -> None:
        assert self.process.stdout
        # Nobody reads on, as when the terminal is closed.
        self.process.stdout.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(15)


class Start(Protocol):
    def __call__(self, table: dict[str, str], stop_seconds: float = 10) -> Run: ...


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Run] = []

    def begin(table: dict[str, str], stop_seconds: float = 10) -> Run:
        started.append(Run(table, stop_seconds))
        return started[-1]

    yield begin
    for one in started:
        one.kill_all()


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pickup-test-") as folder:
        yield Path(folder)


@pytest.fixture
def settings(home: Path) -> Settings:
    return replace(Settings.from_environment(), home=home, database_url=None, redis_url=None, smtp_url=None)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(parent: int) -> list[int]:
    """The living children of a process."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_a_killed_program_is_started_again(start: Start) -> None:
    one = start({"a": POLITE})
    first = one.pid("a")
    os.kill(first, signal.SIGKILL)
    assert "ended with -9; starts again" in one.line("ended")
    assert one.pid("a") != first


def test_one_that_keeps_dying_is_given_ever_more_time(start: Start) -> None:
    one = start({"a": BRIEF})
    delays = [one.line("ended").partition("again")[2] for _ in range(3)]
    assert delays == ["", " in 0.25 s", " in 0.5 s"]
    assert max(RESTART_DELAYS_SECONDS) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_reaches_each_program_once_and_ends_all(start: Start, number: signal.Signals) -> None:
    one = start({"last": POLITE, "a": POLITE, "b": POLITE})
    while len([line for line in one.lines if " up " in line]) < 3:
        one.line(" up ")
    pids = children(one.process.pid)
    os.killpg(one.process.pid, number)
    os.killpg(one.process.pid, number)  # as make does when it gets SIGTERM itself
    one.line("stopped")
    assert one.process.wait(5) == 0
    goodbyes = [line.split("|")[0].strip() for line in one.lines if "bye" in line]
    assert sorted(goodbyes) == ["a", "b", "last"]
    assert goodbyes[-1] == "last"
    assert not any(lives(pid) for pid in pids)


def test_who_does_not_end_is_killed_with_all_it_has_started(start: Start) -> None:
    one = start({"deaf": STUBBORN}, stop_seconds=0.5)
    pids = [one.pid("deaf"), one.pid("deaf")]
    os.kill(one.process.pid, signal.SIGTERM)
    assert "is killed" in one.line("deaf  | did not")
    assert one.process.wait(5) == 0
    until(lambda: not any(lives(pid) for pid in pids))


def test_a_later_second_ctrl_c_does_not_wait(start: Start) -> None:
    one = start({"deaf": STUBBORN.replace("signal.SIG_IGN", "lambda *_: print('asked', flush=True)")}, stop_seconds=60)
    one.pid("deaf")
    os.kill(one.process.pid, signal.SIGINT)
    one.line("asked")

    def ends_when_pressed_again() -> bool:
        os.kill(one.process.pid, signal.SIGINT)
        return one.process.poll() is not None

    until(ends_when_pressed_again)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_programs_end_with_a_killed_supervisor(start: Start) -> None:
    one = start({"a": POLITE})
    pid = one.pid("a")
    one.process.kill()
    until(lambda: not lives(pid))


def test_output_of_many_programs_stays_in_lines(start: Start) -> None:
    one = start({"a": "import time\nprint('x' * 100000)\nprint('half', end='', flush=True)"})
    assert one.line("x") == "a     | " + "x" * 100_000
    assert one.line("half") == "a     | half"


def test_a_port_that_is_taken_is_said_before_anything_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        for name, value in {"PORT": str(port), "PICKUP_HOME": str(settings.home)}.items():
            monkeypatch.setenv(name, value)
        assert run.main() == 1
    assert f"PORT={port + 1} make run" in capfd.readouterr().err
    assert [path.name for path in settings.home.iterdir()] == ["run.lock"]


def test_a_second_run_of_one_home_is_told_who_has_it(settings: Settings) -> None:
    with (
        run._only_run(settings) as was_killed,
        pytest.raises(run.Refused, match=f"process {os.getpid()}"),
        run._only_run(settings),
    ):
        pass
    assert not was_killed


def test_a_killed_run_leaves_a_note_and_a_finished_one_does_not(settings: Settings) -> None:
    with run._only_run(settings):
        pass
    with run._only_run(settings) as was_killed:
        assert not was_killed
    (settings.home / "run.lock").write_text("process 1, port 8000")
    with run._only_run(settings) as was_killed:
        assert was_killed


def test_every_worker_listens_on_exactly_one_queue(settings: Settings) -> None:
    table = run.programs(settings, web_socket=3, mail_port=2525)
    workers = [one.command[-1] for one in table if "worker.work" in one.command]
    assert workers == ["reservations", "payments", "notifications"]
    assert len({one.name for one in table}) == len(table)
    assert [one.name for one in table if one.stop_last] == ["mail"]
    assert "mail" not in [one.name for one in run.programs(settings, web_socket=3, mail_port=None)]


def test_the_mail_catcher_keeps_its_port_while_it_is_free(settings: Settings) -> None:
    port = run._mail_port(settings)
    assert port
    assert run._mail_port(settings) == port
    with closing(socket.create_server(("127.0.0.1", port))):
        assert run._mail_port(settings) != port
    assert run._mail_port(replace(settings, smtp_url="smtp://mail.example.com")) is None


@pytest.fixture
def catcher(settings: Settings) -> Iterator[int]:
    port = run._mail_port(settings)
    assert port
    command = [sys.executable, "-m", "pickup.dev.mailcatcher", str(port), str(settings.home / "mail")]
    process = subprocess.Popen(command, cwd=ROOT)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    yield port
    process.terminate()
    assert process.wait(10) == 0


def a_mail(subject: str = "Ready: Köln") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", "ada@example.com", subject
    mail["Message-ID"] = f"<{subject.encode().hex()}@example.com>"
    mail.set_content("Your order is ready: https://shop.example.com/p/1 <b>")
    mail.add_alternative('<p>Ready</p><img src="cid:code"><script>bad()</script>', subtype="html")
    mail.get_payload()[1].add_related(b"PNG", "image", "png", cid="<code>")  # type: ignore[union-attr,index]
    return mail


def test_a_mail_sent_twice_is_one_mail(catcher: int, settings: Settings) -> None:
    with smtplib.SMTP("127.0.0.1", catcher) as client:
        for mail in (a_mail(), a_mail(), a_mail("Another")):
            client.send_message(mail)
    assert len(list((settings.home / "mail").glob("*.eml"))) == 2


def test_the_mail_pages(catcher: int, settings: Settings) -> None:
    with smtplib.SMTP("127.0.0.1", catcher) as client:
        client.send_message(a_mail())
    app = Flask("test", static_folder=None)
    app.extensions["settings"] = SimpleNamespace(mail_catcher_folder=settings.home / "mail")
    app.register_blueprint(views.blueprint)
    client_of = app.test_client()

    listed = client_of.get("/dev/mail").text
    assert "ada@example.com" in listed
    assert "Ready: Köln" in listed
    address = listed.partition('href="/dev/mail/')[2].partition('"')[0]
    page = client_of.get(f"/dev/mail/{address}").text
    assert '<a href="https://shop.example.com/p/1"' in page
    assert "&lt;b&gt;" in page
    assert "sandbox=" in page
    html = client_of.get(f"/dev/mail/{address}/html")
    assert 'src="data:image/png;base64,UE5H"' in html.text
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]
    assert "script-src" not in html.headers["Content-Security-Policy"]
    for wrong in ("0" * 32, "port", "..%2fport"):
        assert client_of.get(f"/dev/mail/{wrong}").status_code == 404


def test_the_demo_shop_gets_its_key(settings: Settings) -> None:
    web = {one.name: one for one in run.programs(replace(settings, shop_api_key="pk_1"), web_socket=3, mail_port=None)}

    assert [name for name, one in web.items() if "PICKUP_SHOP_API_KEY" in one.environment] == ["web"]
