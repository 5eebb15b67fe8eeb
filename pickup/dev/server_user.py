"""Who the embedded servers run as.

PostgreSQL refuses root, and a checkout of root's may lie where nobody else can go.
"""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# What the caller's environment says (TZ, LC_*, PG*, LD_*) must not decide how the data is stored.
SERVER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedServerError(Exception):
    """A development server cannot run here; the message says why and what to do."""


@dataclass(frozen=True)
class ServerUser:
    """Who the servers run as: whoever starts them, except that PostgreSQL refuses root."""

    uid: int
    gid: int
    # How root becomes this user: by a command in front of the server's, or else by what `subprocess` can do.
    prefix: tuple[str, ...] = ()
    switch: bool = False

    @classmethod
    def of(cls, data: Path) -> Self:
        """Root becomes the owner of the data, and while there is none, `nobody`."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        owner = data.stat().st_uid if data.exists() else 0
        try:
            entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedServerError(
                "PostgreSQL refuses root, and there is no user `nobody`. Set DATABASE_URL."
            ) from None
        prefix = _drop_root_but_pass_closed_folders(entry.pw_uid, entry.pw_gid)
        probe = [*prefix, "true"]
        works = shutil.which(prefix[0]) and subprocess.call(probe, stderr=subprocess.DEVNULL) == 0  # noqa: S603
        return cls(entry.pw_uid, entry.pw_gid, prefix if works else (), switch=not works)

    def run(self, command: Sequence[str], stdin: bytes = b"") -> None:
        """Run a short command as this user.

        Raises:
            EmbeddedServerError: it failed; with the end of what it printed.
        """
        process = self._popen(command, stdin=subprocess.PIPE, output=subprocess.PIPE, cwd=Path("/"), keep=())
        said, _ = process.communicate(stdin)
        if process.returncode:
            reason = said.decode(errors="replace").strip()[-500:]
            raise EmbeddedServerError(f"{Path(command[0]).name} ended with {process.returncode}: {reason}")

    def spawn(self, command: Sequence[str], *, log: Path, cwd: Path, life: int) -> subprocess.Popen[bytes]:
        """Start a server that holds the lock `life`."""
        with log.open("ab") as output:
            return self._popen(command, stdin=subprocess.DEVNULL, output=output.fileno(), cwd=cwd, keep=(life,))

    def own(self, folder: Path) -> None:
        """Make sure that a folder exists and that only this user may enter it.

        Raises:
            EmbeddedServerError: the name is taken by something that somebody else could change.
        """
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, self.uid, self.gid)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.uid or found.st_mode & 0o077:
            raise EmbeddedServerError(f"{folder} is not a folder of mode 0700 of uid {self.uid}. Move it away.")

    def require_reach(self, *paths: Path) -> None:
        """Say in plain words, and before PostgreSQL says it in others, that a closed folder is in the way.

        Raises:
            EmbeddedServerError: this user cannot get at one of the paths.
        """
        if not self.switch:
            return
        for path in paths:
            try:
                self.run(["/bin/sh", "-c", 'test -x "$0"', str(path)])
            except EmbeddedServerError:
                raise EmbeddedServerError(
                    f"PostgreSQL refuses root, and uid {self.uid} cannot get at {path}. Install setpriv (util-linux), "
                    "run it as an ordinary user, or name a real server in DATABASE_URL."
                ) from None

    def _popen(
        self, command: Sequence[str], *, stdin: int, output: int, cwd: Path, keep: tuple[int, ...]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own commands
            [*self.prefix, *command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=SERVER_ENVIRONMENT,
            umask=0o077,
            pass_fds=keep,
            # Out of the terminal's reach: Ctrl-C must stop the clients first.
            start_new_session=True,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )


def _drop_root_but_pass_closed_folders(uid: int, gid: int) -> tuple[str, ...]:
    """A checkout of root's may lie below a folder of mode 0700, and no folder of root's is ours to open.

    So the server keeps one right of root's, to pass any folder. `no_setuid_fixup` makes access(2) see that
    right too: PostgreSQL asks it whether its own programs can be run.
    """
    right = "+dac_override"
    user = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    return ("setpriv", *user, f"--inh-caps={right}", f"--ambient-caps={right}", "--securebits=+no_setuid_fixup", "--")
