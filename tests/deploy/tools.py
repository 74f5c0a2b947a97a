"""Tools that validate the files under deploy/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import broker
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str, package: str) -> str:
    """Return the path of a tool.

    Without the tool, skip the test, or fail it where VEZA_REQUIRE_DEPLOY_TOOLS is set.
    """
    # The interpreter's folder comes first: it has the versions that the project asks for.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    path = shutil.which(name, path=folders)
    if path is None:
        reason = f"{name} is not installed: {package}"
        if os.environ.get("VEZA_REQUIRE_DEPLOY_TOOLS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def call(
    command: Sequence[str | Path], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; its `stdout` has standard error as well."""
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


def validate(*command: str | Path) -> str:
    """Run a validating command, assert that it succeeds, and return its output."""
    done = call(command)
    assert done.returncode == 0, done.stdout
    return done.stdout


def rabbitmq_account(lab: Lab, user: str, password: str, *words: str) -> None:
    """Make a user of the lab's broker by the script."""
    if not lab.broker:
        pytest.skip("the lab runs without RabbitMQ: python -m lab setup")
    environ = {
        **broker.environment(lab),
        "VEZA_CHECKS_PASSWORD": password,
        "RABBITMQCTL": str(broker.SCRIPTS / "rabbitmqctl"),
    }
    done = call([DEPLOY / "accounts/rabbitmq.sh", user, "/", *words], environ)
    assert done.returncode == 0, done.stdout
