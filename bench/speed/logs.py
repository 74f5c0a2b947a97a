"""The case `logs`: log files of several sizes, beside the runbook's grep over all of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from bench.speed.timed import CELLS, Timed, head, row, suite, take_turns

MEGABYTES = (16, 128, 1024)
HOURS = 24.0
"""Hours over which the lines of a file go."""

GREP = "grep -iE 'upload.*error|processing.*failed|job.*failed' {0}/*.log | tail -50"


def measure(runs: int) -> None:
    """Print two rows for each size."""
    head("log", "command", *CELLS, "of the shell's time", "state")
    folder = Path(tempfile.mkdtemp(prefix="veza-speed-"))
    try:
        (folder / "targets.toml").write_text(
            '[targets.logs]\nenvironment = "staging"\n[targets.logs.logs]\n'
            f'files = ["{folder}/*.log"]\n'
        )
        for size in MEGABYTES:
            write_log(folder / "app.log", size * 2**20)
            shell = Timed("one grep", ["bash", "-c", GREP.format(folder)])
            timed = suite("the suite", folder, "-k", "logs", target="logs")
            take_turns([shell, timed], runs)
            for command in (shell, timed):
                row(f"{size} MiB", command.name, *command.cells(shell), command.state)
    finally:
        shutil.rmtree(folder)


def write_log(path: Path, size: int) -> None:
    """Write `size` bytes of lines in zap's JSON, evenly over the last hours."""
    now = time.time()
    lines = size // len(line_at(now))
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            line_at(now - HOURS * 3600 * (1 - number / lines)) for number in range(lines)
        )


def line_at(moment: float) -> str:
    """Return a line of the API at this time; all have the same length."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    return (
        f'{{"level":"info","ts":"{stamp}","caller":"api/request.go:88","msg":"request",'
        '"method":"GET","path":"/api/v1/tracks","status_code":200,"milliseconds":14}\n'
    )
