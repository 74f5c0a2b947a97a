"""How long a run takes, beside the runbook's own commands in a shell and beside a bare pytest.

    python -m lab up && python -m bench.speed [--runs 5] [--round-trips 0 80]

All commands of one situation take turns, so that a busy machine slows them alike: compare the
ratios. Needs curl, psql and a lab with RabbitMQ. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.delay_proxy import DelayProxies, Traffic

ROOT = Path(__file__).resolve().parents[1]
RUN_MAX = 120.0
BARE = "import pytest\n@pytest.mark.parametrize('n', range(66))\ndef test_bare(n): assert n >= 0\n"


@dataclass
class Timed:
    """A command with the seconds, the processor seconds and the traffic of each of its runs."""

    name: str
    command: list[str]
    folder: Path = ROOT
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)

    def run(self, proxies: DelayProxies) -> None:
        """Run the command once; ends the bench if a run of the suite is not healthy."""
        proxies.counted()
        started, before = time.monotonic(), os.times()
        done = subprocess.run(
            self.command,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=RUN_MAX,
            check=False,
        )
        self.seconds.append(time.monotonic() - started)
        after = os.times()
        self.processor.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
        self.traffic = proxies.counted()
        if done.returncode and self.command[0] == sys.executable:
            sys.exit(f"{self.name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def environment() -> dict[str, str]:
    """Return this environment without what makes each run compile the project anew."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "VEZA_TARGET")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def lab_status() -> dict[str, object]:
    """Return what `python -m lab status` prints."""
    command = [sys.executable, "-m", "lab", "status", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    status: dict[str, object] = json.loads(done.stdout)
    return status


def measure(round_trip: float, runs: int, folder: Path) -> list[Timed]:
    """Measure all commands with the servers `round_trip` seconds away."""
    variables = subprocess.run(
        [sys.executable, "-m", "bench.runbook_variables"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    targets = (Path(str(lab_status()["directory"])) / "targets.toml").read_text(encoding="utf-8")
    ports = set(map(int, re.findall(r"127\.0\.0\.1:(\d+)", targets)))
    with DelayProxies(ports, round_trip) as proxies:
        for port, proxy in proxies.port_of.items():
            variables = variables.replace(f"127.0.0.1:{port}", f"127.0.0.1:{proxy}")
            targets = targets.replace(f"127.0.0.1:{port}", f"127.0.0.1:{proxy}")
        (folder / "variables").write_text(variables, encoding="utf-8")
        (folder / "targets.toml").write_text(targets, encoding="utf-8")
        (folder / "test_bare.py").write_text(BARE, encoding="utf-8")
        pytest = [sys.executable, "-m", "pytest"]
        suite = [*pytest, f"--targets-file={folder}/targets.toml", "--target=lab"]
        script = f". {folder}/variables; bash {ROOT}/bench/runbook_commands.sh"
        timed = [
            Timed("bare pytest, 66 tests", [*pytest, "-q"], folder),
            Timed("the runbook's commands in a shell", ["bash", "-c", script]),
            Timed("the suite", [*suite, f"--out={folder}/out"]),
        ]
        for number in range(runs + 1):
            for one in timed:
                one.run(proxies)
                if number == 0:  # The first one fills caches.
                    one.seconds.clear()
                    one.processor.clear()
    return timed


def table(round_trip: float, timed: list[Timed]) -> list[str]:
    """Return the rows of one situation."""
    bare, shell = timed[:2]
    where = f"{1000 * round_trip:.0f} ms round trip" if round_trip else "everything local"
    return [
        f"| {where} | {one.name} | {one.median:.2f} s | {statistics.median(one.processor):.2f} s "
        f"| {one.median / shell.median:.2f} | {one.median - bare.median:+.2f} s "
        f"| {one.traffic.connections} | {one.traffic.round_trips} |"
        for one in timed
    ]


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description="How long a run takes.")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--round-trips",
        type=float,
        nargs="+",
        default=[0.0, 80.0],
        metavar="MS",
        help="milliseconds to the API, the database and the broker (default: 0 80)",
    )
    options = parser.parse_args()
    print(
        f"{time.strftime('%d %B %Y')}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"load average {os.getloadavg()[0]:.1f}, medians of {options.runs} runs\n")
    print("| where | what | time | processor | of the shell | over bare | connections | waits |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for milliseconds in options.round_trips:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="veza-speed-"))
            rows = table(
                milliseconds / 1000, measure(milliseconds / 1000, options.runs, Path(folder))
            )
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
