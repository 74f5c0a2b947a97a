"""Fixture `operator`: a person at a shell of the lab, with its own `systemctl` and `sudo`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import broker, faults
from lab.bench import ROOT
from lab.processes import wait_until
from reports.runbook.document import Command

if TYPE_CHECKING:
    from lab.state import Lab

SHIM = """\
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from lab import broker
from lab.errors import LabError
from lab.faults.tools import FaultTools
from lab.processes import wait_until

def is_up(lab):
    try:
        broker.manage(lab, "GET", "/api/overview")
    except LabError:
        return False
    return True

action, unit = sys.argv[1:3]
with FaultTools(Path({directory!r})) as tools:
    if action == "restart":
        is_broker = unit == "rabbitmq-server"
        names = ["rabbitmq"] if is_broker else ["api", *tools.lab.workers]
        for name in names:
            tools.stop(name)
        for name in names:
            tools.start(name)
        if is_broker:
            # Its unit tells systemd when it is up, and systemctl waits for that.
            wait_until(lambda: is_up(tools.lab), 120, "the broker")
    elif action != "status":
        sys.exit(f"systemctl {{action}} is not known here")
"""


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Iterator[Operator]:
    """A shell of an operator of the lab; the lab is healed afterwards."""
    yield Operator(lab, tmp_path)
    if faults.active(lab.directory):
        faults.heal(lab.directory)


class Operator:
    """Runs printed commands in a directory and with a PATH of their own."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        tools = directory / "bin"
        tools.mkdir()
        script = directory / "systemctl.py"
        script.write_text(SHIM.format(root=str(ROOT), directory=str(lab.directory)))
        self.hold = directory / "hold"
        """A FIFO; while it exists, `systemctl` waits for its writer and then fails."""
        condition = f"[ -p {self.hold} ] && cat {self.hold} && exit 1"
        self._write(tools / "systemctl", f'{condition}\nexec {sys.executable} {script} "$@"')
        self._write(tools / "sudo", 'exec "$@"')
        self.environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        if lab.broker:
            node = broker.environment(lab)
            own = {name: node[name] for name in node if name not in os.environ or name == "HOME"}
            lines = "".join(f"export {name}='{value}'\n" for name, value in own.items())
            for name in ("rabbitmqctl", "rabbitmq-diagnostics"):
                self._write(tools / name, f'{lines}exec {broker.SCRIPTS}/{name} "$@"')
            self.environment["RABBITMQ_LOGIN"] = f"veza:{lab.passwords.owner}"

    def _write(self, path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def say(self, text: str) -> None:
        """Have `systemctl` print a text before it does its work."""
        path = self.directory / "bin/systemctl"
        path.write_text(path.read_text().replace("\n", f"\necho '{text}'\n", 1))

    def run(self, command: Command) -> str:
        """Run one command as it is printed and return its output; a failure fails the test."""
        argv = ["bash", "-c", command.text]
        if command.language == "sql":
            argv = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", "-", self.lab.owner_dsn]
        done = subprocess.run(
            argv,
            input=command.text if command.language == "sql" else "",
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, (command.text, done.stdout, done.stderr)
        return done.stdout

    def act_command(self, report: Path, targets: Path, *words: str) -> list[str]:
        """Return the command line of `python -m actions` on a report."""
        program = [sys.executable, "-m", "actions", str(report)]
        return [*program, f"--targets-file={targets}", *words]

    def act(self, report: Path, targets: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Call `python -m actions` on a report; its `stdout` has standard error as well."""
        return subprocess.run(
            self.act_command(report, targets, *words),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def run_again(self, command: Command) -> None:
        """Run one command until it does not ask to be run again."""
        wait_until(lambda: "run this again" not in self.run(command), 60, command.text)
