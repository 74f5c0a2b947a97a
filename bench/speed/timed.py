"""Commands that are timed in turns, and the lab that they look at."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUN_MAX = 1200
"""Seconds after which a command is ended."""

PYTEST = (sys.executable, "-m", "pytest")


@dataclass
class Timed:
    """A command with the seconds, the processor seconds and the memory of each of its runs.

    `out` is the folder of a run's report, None for another command.
    """

    name: str
    command: Sequence[str]
    folder: Path = ROOT
    out: Path | None = None
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """MiB of the largest process."""

    def run(self) -> None:
        """Run the command once."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                ["timeout", str(RUN_MAX), *self.command],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.seconds.append(time.monotonic() - started)
            self.processor.append(usage.ru_utime + usage.ru_stime)
            self.memory.append(usage.ru_maxrss / 1024)
            if self.out and not self._report_file():
                output.seek(0)
                sys.exit(f"{self.name}: no report\n{output.read().decode(errors='replace')}")

    def _report_file(self) -> Path | None:
        """Return the newest report of the run."""
        reports = self.out.rglob("report.json") if self.out else ()
        return max(reports, key=lambda path: path.stat().st_mtime, default=None)

    def report(self) -> dict[str, Any]:
        """Return the report of the last run."""
        path = self._report_file()
        assert path is not None
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report

    @property
    def state(self) -> str:
        """The state that the last run saw, and the checks of each status; empty for no run."""
        if not self.out:
            return ""
        report = self.report()
        statuses = [result["outcome"]["status"] for result in report["results"]]
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        return f"{report['state']}: " + ", ".join(f"{n} {name}" for name, n in counts.items())

    @property
    def slowest(self) -> str:
        """The three checks whose looks took longest in the last run."""
        outcomes = [result["outcome"] for result in self.report()["results"]]
        outcomes.sort(key=lambda outcome: -outcome["seconds"])
        return ", ".join(f"{one['check']} {one['seconds']:.1f} s" for one in outcomes[:3])

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    def cells(self, base: Timed) -> list[str]:
        """Return its time, processor time, memory, and its time as a multiple of another's."""
        return [
            f"{self.median:.2f} s",
            f"{statistics.median(self.processor):.2f} s",
            f"{max(self.memory):.0f} MiB",
            f"{self.median / base.median:.2f}",
        ]


CELLS = ("time", "processor", "largest process")


def take_turns(timed: Sequence[Timed], runs: int, *, warm: bool = True) -> None:
    """Run the commands `runs` times in turns, so that a busy machine slows them alike.

    With `warm`, a first round fills caches and does not count.
    """
    for number in range(runs + warm):
        for command in timed:
            command.run()
            if warm and number == 0:
                command.seconds.clear()
                command.processor.clear()
                command.memory.clear()


def row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def head(*titles: str) -> None:
    """Print the head of a Markdown table; the columns after the first two are numbers."""
    print()
    row(*titles)
    row("---", "---", *("---:" for _ in titles[2:]))


def environment() -> dict[str, str]:
    """Return this environment without what makes each run compile the project again."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "VEZA_TARGET")
    return {name: value for name, value in os.environ.items() if name not in left_out}


@contextmanager
def lab() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Start a lab; yields a folder for the case's files, and the lab's status."""
    folder = Path(tempfile.mkdtemp(prefix="veza-speed-"))
    os.environ["VEZA_LAB_DIR"] = str(folder / "lab")
    command = [sys.executable, "-m", "lab"]
    try:
        up = [*command, "up", "--owner", str(os.getpid())]
        subprocess.run(up, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        status = subprocess.run(
            [*command, "status", "--json"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        (folder / "targets.toml").write_text(targets_of_lab(folder), encoding="utf-8")
        yield folder, json.loads(status.stdout)
    finally:
        subprocess.run([*command, "down"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def targets_of_lab(folder: Path) -> str:
    """Return the lab's targets file."""
    return (folder / "lab" / "targets.toml").read_text(encoding="utf-8")


def suite(name: str, folder: Path, *options: str, target: str = "lab") -> Timed:
    """Return a run of the suite with the targets file of the folder."""
    out = folder / f"out-{name.replace(' ', '-')}"
    files = (f"--targets-file={folder / 'targets.toml'}", f"--target={target}", f"--out={out}")
    return Timed(name, [*PYTEST, *files, *options], out=out)
