"""Runs a table of programs: starts them, starts them again when they die, and stops them together.

One thread and one `select` wait for everything that can happen: a line of output, the death of a child, a signal.

Ctrl-C goes to a whole process group, and `make` passes SIGTERM on to its children a second time. A worker must get
exactly one SIGTERM (RQ takes the second for "drop your job"), so every child lives in a session of its own, where
nobody but the supervisor signals it. The price is that the kernel must be told to end the children of a supervisor
that was killed.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Self, TextIO, cast

STOP_SECONDS = 20.0
TURN_SECONDS = 0.5
RESTART_DELAYS_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0)
# Who has lived this long and dies, died of something new.
STEADY_SECONDS = 10.0
# One press of Ctrl-C may arrive twice, by the terminal and by a program in between.
FORCE_AFTER_SECONDS = 0.5

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Stopped(Exception):
    """A signal ended the run before it was complete."""


@dataclass(frozen=True)
class Program:
    """One line of the table."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    # File descriptors that it inherits.
    keep_open: tuple[int, ...] = ()
    # Whether the others may need it until they have ended.
    stop_last: bool = False


class Output:
    """Lines of many programs in one stream, each behind its program's name; in colour on a terminal."""

    def __init__(self, stream: TextIO, width: int = 14) -> None:
        self._descriptor: int | None = stream.fileno()
        self._width = width
        self._colours = stream.isatty() and "NO_COLOR" not in os.environ
        self._names: list[str] = []

    def line(self, name: str, text: str) -> None:
        """Write one line of the program `name`."""
        if name not in self._names:
            self._names.append(name)
        prefix = f"{name:<{self._width}}|"
        if self._colours:
            prefix = f"\033[{COLOURS[self._names.index(name) % len(COLOURS)]}m{prefix}\033[0m"
        self.text(f"{prefix} {text}")

    def text(self, text: str) -> None:
        """Write as it is. A reader that has gone away, as in `make run | head`, must not end the shop."""
        # Not print(): an unbuffered one forgets the rest of a write that a signal has cut short.
        data = f"{text}\n".encode()
        while data and self._descriptor is not None:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:
                self._descriptor = None


class _Child:
    """A program and its present process."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes], deaths: int) -> None:
        self.program = program
        self.process = process
        self.deaths = deaths
        self.started_at = time.monotonic()

    def has_ended(self) -> bool:
        """Whether the process is gone; takes its exit status off the system's hands."""
        return self.process.poll() is not None

    def restart_delay(self) -> float:
        """Seconds to wait before its successor: none at first, more when one keeps dying."""
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.deaths = 0
        return RESTART_DELAYS_SECONDS[min(self.deaths, len(RESTART_DELAYS_SECONDS) - 1)]


class Supervisor:
    """Keeps programs alive while it is entered; to be used by the main thread, and once."""

    def __init__(self, *, cwd: Path, environment: Mapping[str, str], output: Output) -> None:
        self._cwd = cwd
        self._environment = dict(environment)
        self._output = output
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._due: list[tuple[float, Program, int]] = []
        self._sessions: set[int] = set()
        self._stop_asked_at: float | None = None
        self._forced = False

    def __enter__(self) -> Self:
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)
        self._selector.register(self._wakened, selectors.EVENT_READ, None)
        self._old_wakeup = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._old_handlers = {number: signal.signal(number, self._ask_to_stop) for number in STOP_SIGNALS}
        # A handler of its own, however idle, lets the death of a child end the wait.
        self._old_handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                key.data.close()
        self._selector.close()
        self._waker.close()
        self._wakened.close()

    def complete(self, program: Program) -> int:
        """Run one program to its end and return its exit code.

        Raises:
            Stopped: a signal asked for the end; the program has been stopped.
        """
        child = self._spawn(program, deaths=0)
        while not child.has_ended() and self._stop_asked_at is None:
            self._turn(TURN_SECONDS)
        if self._stop_asked_at is not None:
            self._end([child])
            raise Stopped
        self._turn(0)
        return int(child.process.returncode)

    def start(self, programs: Iterable[Program]) -> None:
        """Start programs, and from now on keep them alive."""
        for program in programs:
            self._children[program.name] = self._spawn(program, deaths=0)

    def keep(self, look_after: Callable[[], None] = lambda: None) -> None:
        """Keep everything alive until a signal asks for the end.

        Args:
            look_after: called every TURN_SECONDS, and at once when a child of this process has died.
        """
        next_look = 0.0
        while self._stop_asked_at is None:
            self._restart_the_dead()
            if time.monotonic() >= next_look:
                look_after()
                next_look = time.monotonic() + TURN_SECONDS
            if self._turn(TURN_SECONDS):
                next_look = 0.0

    def stop(self) -> None:
        """End all programs: SIGTERM once, SIGKILL after STOP_SECONDS, and nothing that they started is left."""
        self._due.clear()
        for last in (False, True):
            self._end([child for child in self._children.values() if child.program.stop_last is last])
        self._children.clear()
        for session in self._sessions:
            _kill_session(session)
        self._sessions.clear()
        self._turn(0)

    def check(self) -> None:
        """Raise `Stopped` when a signal has asked for the end."""
        if self._stop_asked_at is not None:
            raise Stopped

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._stop_asked_at is None:
            self._stop_asked_at = now
        elif number == signal.SIGINT and now - self._stop_asked_at > FORCE_AFTER_SECONDS:
            self._forced = True

    def _spawn(self, program: Program, deaths: int) -> _Child:
        process = subprocess.Popen(  # noqa: S603 - the table is ours
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._cwd,
            env={**self._environment, **program.environment},
            pass_fds=program.keep_open,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
        pipe = cast(IO[bytes], process.stdout)
        self._selector.register(pipe, selectors.EVENT_READ, _Reader(pipe, program.name, self._output))
        self._sessions.add(process.pid)
        return _Child(program, process, deaths)

    def _turn(self, seconds: float) -> bool:
        """Wait for something to happen, at most so long, and pass on what was said. True when a signal came."""
        signalled = False
        for key, _ in self._selector.select(self._until_due(seconds)):
            if key.data is None:
                signalled = bool(self._wakened.recv(4096))
            elif not key.data.read():
                self._selector.unregister(key.fileobj)
                key.data.close()
        return signalled

    def _until_due(self, seconds: float) -> float:
        soonest = min((at for at, _, _ in self._due), default=float("inf")) - time.monotonic()
        return max(0.0, min(seconds, soonest))

    def _restart_the_dead(self) -> None:
        for name, child in list(self._children.items()):
            if child.has_ended():
                delay = child.restart_delay()
                self._output.line(name, f"ended with {child.process.returncode}; starts again{_in(delay)}")
                self._due.append((time.monotonic() + delay, child.program, child.deaths + 1))
                del self._children[name]
        now = time.monotonic()
        for due in [due for due in self._due if due[0] <= now]:
            self._due.remove(due)
            self._children[due[1].name] = self._spawn(due[1], due[2])
        alive = {child.process.pid for child in self._children.values()}
        self._sessions = {one for one in self._sessions if one in alive or _session_members(one)}

    def _end(self, children: list[_Child]) -> None:
        for child in children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while not self._forced and time.monotonic() < deadline and not all(child.has_ended() for child in children):
            self._turn(0.1)
        for child in children:
            if not child.has_ended():
                self._output.line(child.program.name, "did not end when asked, and is killed")
                _kill_session(child.process.pid)
                child.process.wait()


class _Reader:
    """Turns what a pipe brings into whole lines."""

    def __init__(self, pipe: IO[bytes], name: str, output: Output) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self._name = name
        self._output = output
        self._rest = b""

    def read(self) -> bool:
        """Take what is there; False at the end of the stream."""
        try:
            data = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            self._output.line(self._name, line.decode(errors="replace"))
        return bool(data)

    def close(self) -> None:
        """Read no more; a process that still writes gets SIGPIPE."""
        self._pipe.close()


def _in(seconds: float) -> str:
    return f" in {seconds:g} s" if seconds else ""


def _die_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: ask for SIGTERM at the death of `parent`, on Linux."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    set_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>

    def prepare() -> None:
        if prctl is not None:
            prctl(set_death_signal, int(signal.SIGTERM))
            if os.getppid() != parent:  # It died before we asked.
                os._exit(1)

    return prepare


def _kill_session(session: int) -> None:
    """End what a program has left: an RQ work-horse has a process group of its own, but not a session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    for pid in _session_members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _session_members(session: int) -> list[int]:
    """The living processes of a session; none where there is no /proc to ask."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name before the last ")" may hold anything; then come state, parent, group, session.
            state, _parent, _group, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                members.append(int(stat.parent.name))
    return members
