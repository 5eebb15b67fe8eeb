"""Secrets that a checkout makes for itself, where nobody has given it any."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def kept_secret(home: Path, name: str, make: Callable[[], str]) -> str:
    """A secret that is made once and kept in the home, so that it survives a restart.

    Args:
        home: the folder of this installation's state.
        name: of the file.
        make: called if there is none yet.
    """
    path, draft = home / name, home / f"{name}.{os.getpid()}"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(make())
        # A link appears whole or not at all, and only once: processes that start together agree on one secret.
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
