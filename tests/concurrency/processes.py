"""Real relays and real workers as processes of their own, for as long as a test needs them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pickup.config import ROOT

STOP_SECONDS = 20.0


@contextmanager
def running(log: Path, *modules: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`python -m` each, on the servers that the environment names. All live until the end, and are then stopped."""
    with log.open("wb") as output:
        processes = [
            subprocess.Popen([sys.executable, "-m", *module.split()], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            for module in modules
        ]
        try:
            yield processes
            assert [process.poll() for process in processes] == [None] * len(processes), log.read_text()[-2000:]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                _reap(process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
