"""The tools that validate what is deployed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str, package: str) -> str:
    """Return the tool's path; without it the test is skipped, or fails where tools are required."""
    # What pip installed beside this interpreter comes first: it is what the project asked for.
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=places)
    if found is None:
        missing = f"{name} is not installed: {package}"
        if os.environ.get("VEZA_REQUIRE_DEPLOY_TOOLS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def call(
    command: Sequence[str | Path], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; standard error is in its output."""
    return subprocess.run(
        [str(part) for part in command],
        env=None if environ is None else dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def accepted(*command: str | Path) -> str:
    """Run a validating tool that must accept what it is given; its output."""
    done = call(command)
    assert done.returncode == 0, done.stdout
    return done.stdout
