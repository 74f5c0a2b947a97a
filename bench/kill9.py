"""Kill runs at random moments and check that their files and the lab stay intact.

    python -m lab up && python -m bench.kill9 [--kills 30] [--seed 5]

Each run sends a canary and then alerts. SIGKILL ends it at a random moment before its usual end.
After each kill, the report, the page and the history must be complete or absent. After one more run
that is not killed, no canary may be left in the lab. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.receiver import Receiver
from reports.history.store import NAME, History, HistoryError
from reports.model.report_json import LoadError, load_report

ROOT = Path(__file__).resolve().parents[1]
RUN_MAX = 180.0


def start_run(out: Path, receiver: Receiver) -> subprocess.Popen[bytes]:
    """Start the checks with a canary, then the alerts, in a process group of their own."""
    python = shlex.quote(sys.executable)
    folder = shlex.quote(str(out))
    command = (
        f"{python} -m pytest -p no:cacheprovider --target lab --out={folder} --canary; "
        f"{python} -m reports notify {folder}/lab/upload_stuck/report.json "
        "--to env:ALERT_URLS --heartbeat env:HEARTBEAT_URL --confirm 1"
    )
    return subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        env=os.environ
        | {
            "ALERT_URLS": f"json://{receiver.address}/alerts",
            "HEARTBEAT_URL": f"http://{receiver.address}/ping",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def broken_files(folder: Path) -> Iterator[str]:
    """Yield a sentence for each incomplete file in a target's folder; a missing file is fine."""
    report = folder / "report.json"
    try:
        if report.exists():
            load_report(report)
    except LoadError as exc:
        yield str(exc)
    page = folder / "report.html"
    if page.exists() and not page.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        yield f"{page} is cut short"
    history = folder / NAME
    if not history.exists():
        return
    try:
        with History.to_read(history) as opened:
            opened.runs(100)
        with closing(sqlite3.connect(history)) as database:
            (result,) = database.execute("PRAGMA integrity_check").fetchone()
        if result != "ok":
            yield f"{history}: {result}"
    except (HistoryError, sqlite3.Error) as exc:
        # An empty file: the run was killed before it made the tables, and the next run makes them.
        if history.stat().st_size > 0:
            yield str(exc)


def count_canaries(description: dict[str, Any]) -> int:
    """Return the number of canaries in the lab's database and of files without an upload."""
    import psycopg

    folder = Path(description["storage"]["path"])
    files = {path.name for path in folder.iterdir()}
    with psycopg.connect(description["database"]["owner_dsn"]) as connection:
        canaries = connection.execute(
            "SELECT count(*) FROM uploads WHERE filename LIKE 'veza-canary-%'"
        ).fetchone()
        uploads = {str(row[0]) for row in connection.execute("SELECT id FROM uploads")}
    # The load generator deletes tracks meanwhile: a directory that is gone by now is not left over.
    orphans = {name for name in files - uploads if (folder / name).exists()}
    return (int(canaries[0]) if canaries else 0) + len(orphans)


def lab_status() -> dict[str, Any]:
    """Return the running lab's description."""
    command = [sys.executable, "-m", "lab", "status", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=RUN_MAX)
    description: dict[str, Any] = json.loads(done.stdout)
    return description


def kill9(kills: int, seed: int) -> bool:
    """Kill runs and print each kill; return whether no file broke and no canary is left."""
    random_source = random.Random(seed)  # noqa: S311 - moments, not secrets
    description = lab_status()
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="veza-kill9-") as name, Receiver() as receiver:
        out = Path(name)
        started_at = time.monotonic()
        start_run(out, receiver).wait(RUN_MAX)
        usual = time.monotonic() - started_at
        print(f"a run without a kill: {usual:.1f} s, {count_canaries(description)} canaries left")
        killed = ended_before = left_canaries = 0
        while killed < kills and ended_before < 10 * kills:
            delay = random_source.uniform(0.05, usual)
            process = start_run(out, receiver)
            try:
                process.wait(delay)
                ended_before += 1
                continue
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(RUN_MAX)
            killed += 1
            canaries = count_canaries(description)
            left_canaries += canaries > 0
            sentences = list(broken_files(out / "lab"))
            broken += sentences
            print(
                f"{killed:>3}  killed after {delay:5.2f} s  canaries left: {canaries}  {sentences}"
            )
        start_run(out, receiver).wait(RUN_MAX)
        broken += broken_files(out / "lab")
        canaries = count_canaries(description)
        with History.to_read(out / "lab" / NAME) as opened:
            runs = opened.runs(1000)
        alerts = [request.json["title"] for request in receiver.requests_to("/alerts")]
        pings = len(receiver.requests_to("/ping"))
    print(
        f"\n{killed} kills ({left_canaries} left a canary; {ended_before} runs ended before their "
        f"kill), then one run ({runs[-1].headline}): {canaries} canaries left, "
        f"{len(broken)} broken files, {len(runs)} runs in the history, {pings} heartbeats, "
        f"alerts: {alerts}"
    )
    return killed == kills and not broken and canaries == 0


def main() -> int:
    """Read the command line, run, and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Kill runs of the suite at random moments, against a running lab."
    )
    parser.add_argument(
        "--kills", type=int, default=30, metavar="N", help="runs to kill (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=5, help="seed of the random moments (default: %(default)s)"
    )
    options = parser.parse_args()
    return 0 if kill9(options.kills, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
