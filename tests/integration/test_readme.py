"""The README's example, pasted as it stands into a shell beside a running system."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pickup.config import ROOT
from tests.system import NOT_INHERITED, System

PASTE_SECONDS = 110


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    running = System(tmp_path / "home")
    running.start()
    yield running
    assert running.stop() == 0


@pytest.mark.timeout(240)
def test_the_example_runs_as_it_stands(system: System):
    script = re.search(r"<!-- example -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert script is not None
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment = inherited | {"PORT": str(system.port), "PICKUP_HOME": str(system.home)}

    done = subprocess.run(
        ["bash", "-e", "-c", script[1]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PASTE_SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "is reserved at Larkspur Jasper" in done.stdout
    assert "order is collected" in done.stdout
    assert done.stdout.endswith("1 stock levels checked, 0 differences\n")
