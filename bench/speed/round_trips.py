"""The case `round-trips`: a run beside the runbook's commands and beside monitoring-plugins.

Needs curl and psql, and a lab with RabbitMQ. check_http, check_pgsql, check_disk and check_procs
are Debian's monitoring-plugins-standard; without them their row is left out.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench.delay_proxy import DelayProxies, Traffic
from bench.speed.timed import CELLS, PYTEST, ROOT, Timed, head, lab, row, suite, targets_of_lab

ROUND_TRIPS = (0.0, 0.02, 0.08, 0.2)
PLUGINS = Path("/usr/lib/nagios/plugins")
BARE = "import pytest\n@pytest.mark.parametrize('n', range(66))\ndef test_bare(n): assert n >= 0\n"


def measure(runs: int) -> None:
    """Print four rows for each round trip."""
    head("round trip", "what", *CELLS, "of the shell's time", "connections", "waits")
    with lab() as (folder, status):
        command = [sys.executable, "-m", "bench.runbook_variables"]
        variables = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        text = targets_of_lab(folder)
        ports = set(map(int, re.findall(r"127\.0\.0\.1:(\d+)", text)))
        (folder / "test_bare.py").write_text(BARE, encoding="utf-8")
        for round_trip in ROUND_TRIPS:
            with DelayProxies(ports, round_trip) as proxies:

                def away(text: str, of: DelayProxies = proxies) -> str:
                    for port, proxy in of.port_of.items():
                        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{proxy}")
                    return text

                (folder / "targets.toml").write_text(away(text), encoding="utf-8")
                (folder / "variables").write_text(away(variables.stdout), encoding="utf-8")
                script = plugins(
                    away(status["api"]["url"]),
                    away(status["database"]["dsn"]),
                    status["storage"]["path"],
                )
                commands(f"{1000 * round_trip:.0f} ms", folder, script, runs, proxies)


def commands(where: str, folder: Path, script: str, runs: int, proxies: DelayProxies) -> None:
    """Run all commands in turns, and print a row for each."""
    runbook = f". {folder}/variables; bash {ROOT}/bench/runbook_commands.sh"
    timed = [
        Timed("the runbook's commands in a shell", ["bash", "-c", runbook]),
        Timed("the suite", suite("suite", folder).command, out=folder / "out-suite"),
        Timed("bare pytest, 66 tests", [*PYTEST, "-q"], folder),
    ]
    if PLUGINS.exists():
        timed.append(Timed("monitoring-plugins, 4 looks", ["bash", "-c", script]))
    traffic = counted_turns(timed, runs, proxies)
    for command, counts in zip(timed, traffic, strict=True):
        if command.out and not command.state.startswith("healthy"):
            sys.exit(f"the lab is not healthy: {command.state}")
        numbers = (str(counts.connections), str(counts.round_trips))
        row(where, command.name, *command.cells(timed[0]), *numbers)


def counted_turns(timed: Sequence[Timed], runs: int, proxies: DelayProxies) -> list[Traffic]:
    """Run the commands in turns; returns the traffic of the last run of each."""
    traffic = [Traffic() for _ in timed]
    for number in range(runs + 1):
        for place, command in enumerate(timed):
            proxies.counted()
            command.run()
            traffic[place] = proxies.counted()
            if number == 0:  # The first one fills caches.
                command.seconds.clear()
                command.processor.clear()
    return traffic


def plugins(api_url: str, dsn: str, upload_dir: str) -> str:
    """Return a shell script of plugins that look at the API, the database, the disk, the worker.

    They run one after the other, as the commands of a person do.
    """
    api, database = urlsplit(api_url), urlsplit(dsn)
    query = (
        "SELECT count(*) FROM uploads WHERE status = 'uploading'"
        " AND created_at < now() - interval '10 minutes'"
    )
    looks = [
        ["check_http", "-I", str(api.hostname), "-p", str(api.port), "-u", "/readyz"],
        [
            *("check_pgsql", "-H", str(database.hostname), "-P", str(database.port)),
            *("-d", database.path.strip("/"), "-l", unquote(database.username or "")),
            *("-p", unquote(database.password or ""), "-q", query, "-W", "0", "-C", "10"),
        ],
        ["check_disk", "-w", "10%", "-c", "5%", "-W", "10%", "-p", upload_dir],
        ["check_procs", "-c", "1:", "--ereg-argument-array", "job_worker"],
    ]
    return "\n".join(shlex.join([str(PLUGINS / name), *words]) for name, *words in looks)
