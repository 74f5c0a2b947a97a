"""Kill a run at random moments, then look at what the next one finds.

    python -m lab up && python -m bench.kill9 [--kills 30] [--seed 5]

Each run, with a canary and the messages after it, is ended by SIGKILL somewhere between its start
and a little after its usual end. After each kill what it left must be whole; after one
normal run at the end there must be no canary in the lab. Exits with 1 where something is broken.
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
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.receiver import Receiver
from reports.history.store import NAME, History, HistoryError
from reports.model.report_json import LoadError, load_report

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
RUN_MAX = 180.0


def started(out: Path, receiver: Receiver) -> subprocess.Popen[bytes]:
    """Start the checks with a canary and then the messages, in a process group of their own."""
    python = shlex.quote(sys.executable)
    place = shlex.quote(str(out))
    line = (
        f"{python} -m pytest -p no:cacheprovider --target lab --out={place} --canary; "
        f"{python} -m reports notify {place}/lab/report.json "
        "--to env:ALERT_URLS --heartbeat env:HEARTBEAT_URL --confirm 1"
    )
    return subprocess.Popen(
        ["sh", "-c", line],
        cwd=ROOT,
        env=os.environ
        | {
            "ALERT_URLS": f"json://{receiver.place}/alerts",
            "HEARTBEAT_URL": f"http://{receiver.place}/ping",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def broken(folder: Path) -> Iterator[str]:
    """Say what is not whole in a target's folder; what is not there yet is no fault."""
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
            (said,) = database.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            yield f"{history}: {said}"
    except (HistoryError, sqlite3.Error) as exc:
        # Killed before its first tables: the next run makes them.
        if history.stat().st_size > 0:
            yield str(exc)


def canaries_in(description: dict[str, Any]) -> int:
    """Count the canaries in the lab's database, and the files that no upload owns."""
    import psycopg

    folder = Path(description["storage"]["path"])
    files = {path.name for path in folder.iterdir()}
    with psycopg.connect(description["database"]["owner_dsn"]) as connection:
        found = connection.execute(
            "SELECT count(*) FROM uploads WHERE filename LIKE 'veza-canary-%'"
        ).fetchone()
        known = {str(row[0]) for row in connection.execute("SELECT id FROM uploads")}
    # The lab's own stream of uploads writes a file a moment before its row.
    orphans = {name for name in files - known if (folder / name).exists()}
    return (int(found[0]) if found else 0) + len(orphans)


def lab_status() -> dict[str, Any]:
    """Return the running lab's description."""
    command = [sys.executable, "-m", "lab", "status", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=RUN_MAX)
    described: dict[str, Any] = json.loads(done.stdout)
    return described


def kill9(kills: int, seed: int) -> bool:
    """Do it, and print each kill; returns whether nothing was broken and nothing left."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    description = lab_status()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="veza-kill9-") as name, Receiver() as receiver:
        out = Path(name)
        began = time.monotonic()
        started(out, receiver).wait(RUN_MAX)
        usual = time.monotonic() - began
        print(f"a run that nobody kills takes {usual:.1f} s, {canaries_in(description)} canaries")
        killed = early = leaving = 0
        while killed < kills and early < 10 * kills:
            moment = chance.uniform(0.05, usual)
            process = started(out, receiver)
            try:
                process.wait(moment)
                early += 1
                continue
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(RUN_MAX)
            killed += 1
            left = canaries_in(description)
            leaving += left > 0
            found = list(broken(out / "lab"))
            faults += found
            print(f"{killed:>3}  killed after {moment:5.2f} s  canaries left: {left}  {found}")
        started(out, receiver).wait(RUN_MAX)
        faults += broken(out / "lab")
        left = canaries_in(description)
        with History.to_read(out / "lab" / NAME) as opened:
            runs = opened.runs(1000)
        alerts = [got.said["title"] for got in receiver.under("/alerts")]
        pings = len(receiver.under("/ping"))
    print(
        f"\n{killed} kills ({leaving} with a canary left behind; {early} runs had ended before), "
        f"then one run ({runs[-1].headline}): {left} canaries left, "
        f"{len(faults)} broken files, {len(runs)} runs in the history, {pings} heartbeats, "
        f"messages: {alerts}"
    )
    return killed == kills and not faults and left == 0


def main() -> int:
    """Read the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Kill runs at random, against a running lab.")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    return 0 if kill9(options.kills, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
