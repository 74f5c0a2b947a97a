"""Every component behaves in every bad way: the run ends in time, with a verdict that is true.

`tox -e hostile` runs all cases; without VEZA_HOSTILE=all a few stand for the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import servers
from tests.suite import ROOT, command, environment
from tests.waiting import PATIENCE, eventually

BUDGET = 15.0
LATE_MAX = 2.0
"""Seconds beyond the budget, from its start as a process, in which a run has ended.

The time for which it was ready to run and other programs had the processors does not count: the
kernel measures it, and it is no time of the run's own.
"""

SPARE = 3.0
"""Seconds of the budget that a run can lose to other programs and still ask everything once."""

SAMPLE = 0.05
"""Seconds between two looks at the threads of a run."""

MEMORY_MAX = 300 * 2**20
PASSWORD = "c0rrect-Horse-battery"
TOKEN = "t0ken-of-the-hostile-matrix"

CHECKS = tomllib.loads((ROOT / "runbooks/upload_stuck/evidence.toml").read_text())["checks"]
SELECTED = {check for check in CHECKS if not check.startswith(("canary/", "hosts/"))}

WELL_FORMED = ("wrong types", "empty object", "list", "absurd", "absurd metrics")
"""Answers of HTTP 200 that some service may give to say that it is up."""
COMPLETE = (*WELL_FORMED, "bomb", "deep")
"""Complete answers of HTTP 200, whatever they hold."""


@dataclass(frozen=True)
class Component:
    """A component: its tables in the targets file, and the checks of it that may pass.

    `reached` are those that may always pass, `complete` those that may where the answer is one of
    COMPLETE, `answered` where it is one of WELL_FORMED or begins with a login that is accepted.
    """

    tables: str
    behaviours: Mapping[str, servers.Behaviour]
    reached: Sequence[str] = ()
    complete: Sequence[str] = ()
    answered: Sequence[str] = ()


def http(route: str = "/", answers: Mapping[str, servers.Behaviour] = servers.HTTP) -> Any:
    """Return the behaviours of a server that knows one route."""
    return {name: servers.answering(act, route) for name, act in answers.items()}


REACHED = (
    "upload_status/api_is_reachable",
    "upload_status/api_answers_without_server_error",
    "upload_status/api_answers_promptly",
    "upload_status/token_is_accepted",
)
HEALTH = ("upload_status/worker_health_is_ok", "upload_status/broker_accepts_the_application")
API = """
[targets.hostile.api]
url = "http://127.0.0.1:{port}"
token = "env:HOSTILE_TOKEN"
timeout = "1 s"
"""
COMPONENTS = {
    "api": Component(
        API, http(), complete=REACHED, answered=["upload_status/api_is_ready", *HEALTH]
    ),
    "api over tls": Component(API.replace("http:", "https:"), servers.RAW),
    "metrics": Component(API, http("/metrics"), REACHED),
    "worker health": Component(API, http("/health/worker"), REACHED, answered=HEALTH),
    "management": Component(
        """
[targets.hostile.queue]
url = "env:REFUSED_AMQP"
management_url = "http://monitor:{password}@127.0.0.1:{port}"
name = "process_upload"
timeout = "1 s"
""",
        http(answers=servers.MANAGEMENT),
    ),
    "amqp": Component(
        """
[targets.hostile.queue]
url = "amqp://monitor:{password}@127.0.0.1:{port}/%2F"
name = "process_upload"
timeout = "1 s"
""",
        servers.AMQP,
    ),
    "postgresql": Component(
        """
[targets.hostile.database]
dsn = "postgresql://monitor:{password}@127.0.0.1:{port}/veza"
timeout = "1 s"
""",
        servers.POSTGRES,
        answered=["database/database_is_reachable"],
    ),
    "ssh": Component(
        """
[targets.hostile.worker]
hosts = ["ssh://monitor@127.0.0.1:{port}"]
[targets.hostile.logs]
files = ["/var/log/veza/*.log"]
hosts = ["ssh://monitor@127.0.0.1:{port}"]
""",
        servers.SSH,
    ),
}

SMALL = {
    ("api", "drip"),
    ("management", "wrong types of a broker"),
    ("amqp", "giant"),
    ("postgresql", "garbage after login"),
}
CASES = [
    (component, behaviour)
    for component in COMPONENTS
    for behaviour in COMPONENTS[component].behaviours
    if os.environ.get("VEZA_HOSTILE") == "all" or (component, behaviour) in SMALL
]


@dataclass(frozen=True)
class Result:
    """A run that has ended; `memory` is the largest process's, in bytes.

    `late` are the seconds after its budget at which it ended, below 0 where it ended before;
    `waited` are those for which it was ready to run and had no processor, which `late` leaves out.
    """

    status: int
    output: str
    report: dict[str, Any]
    memory: int
    late: float
    waited: float

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each check."""
        outcomes = [result["outcome"] for result in self.report["results"]]
        statuses = {outcome["check"]: outcome["status"] for outcome in outcomes}
        assert len(statuses) == len(outcomes), "a check has two outcomes"
        return statuses

    @property
    def passed(self) -> set[str]:
        """The checks that passed, without those of the folder on this machine, which is well."""
        well = ("storage/", "hosts/")
        return {
            check
            for check, status in self.statuses.items()
            if status == "passed" and not check.startswith(well)
        }


def run(
    folder: Path,
    tables: str,
    *options: str,
    prefix: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Run all checks against these tables; asserts what holds whatever the components do."""
    file = folder / "targets.toml"
    file.write_text(
        f'[targets.hostile]\nenvironment = "staging"\n{tables}\n'
        f'[targets.hostile.storage]\npath = "{folder}"\n'
    )
    file.chmod(0o600)
    mark = uuid.uuid4().hex
    out = folder / "out"
    arguments = (f"--targets-file={file}", "--target", "hostile", f"--budget={BUDGET:g} s")
    output = folder / "output"
    started = time.monotonic()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [*prefix, *command(out, (*arguments, *options))],
            cwd=ROOT,
            env=environment(
                {
                    "HOSTILE_TOKEN": TOKEN,
                    "REFUSED_AMQP": f"amqp://monitor:{PASSWORD}@127.0.0.1:1/%2F",
                    "HOSTILE_MARK": mark,
                    **(environ or {}),
                }
            ),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        try:
            usage, waited = wait(process, PATIENCE)
            late = time.monotonic() - started - waited - BUDGET
        finally:
            process.kill()
            process.wait()
    text = output.read_text(errors="replace")
    report = json.loads((out / "hostile/upload_stuck/report.json").read_text())
    result = Result(process.returncode, text, report, usage.ru_maxrss * 1024, late, waited)
    assert late < LATE_MAX
    assert report["seconds"] < BUDGET + waited
    assert {base for base in map(base_of, result.statuses) if base in SELECTED} == SELECTED
    assert "error" not in result.statuses.values(), text
    assert not any(word in text for word in ("Traceback", "INTERNALERROR"))
    assert result.status != 0
    assert report["state"] != "healthy"
    assert result.memory < MEMORY_MAX
    # The processes of -n end by themselves when the budget is used up.
    eventually(lambda: not processes_with(mark), "the run's processes to end")
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    for secret in (PASSWORD, TOKEN):
        assert secret.encode() not in b"".join([output.read_bytes(), *written])
    # The folder on this machine is not held up by what hangs.
    assert result.statuses["storage/directory_exists"] == "passed"
    return result


def wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[resource.struct_rusage, float]:
    """Wait until a process ends; returns what it and its children have used, and its `cpu_wait`."""
    handle = os.pidfd_open(process.pid)
    deadline = time.monotonic() + seconds
    waits: dict[str, float] = {}
    while not select.select([handle], [], [], SAMPLE)[0]:
        for thread in Path(f"/proc/{process.pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                waits[thread.name] = cpu_wait(f"{process.pid}/task/{thread.name}")
        assert time.monotonic() < deadline, f"the run had not ended after {seconds:g} s"
    os.close(handle)
    # Of the main thread until its end; the others have gone.
    waits[str(process.pid)] = cpu_wait(f"{process.pid}/task/{process.pid}")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Threads wait side by side.
    return usage, max(waits.values())


def cpu_wait(thread: str) -> float:
    """Return the seconds for which a thread was ready to run and had no processor."""
    path = Path("/proc") / thread / "schedstat"
    # Without it in the kernel nothing is subtracted.
    return int(path.read_text().split()[1]) / 1e9 if path.exists() else 0.0


def base_of(check: str) -> str:
    """Return a check's id without its parameter."""
    return check.partition("[")[0]


def processes_with(mark: str) -> list[str]:
    """Return the processes whose environment has this text."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                processes.append(path.parent.name)
    return processes


@pytest.mark.parametrize(("name", "behaviour"), CASES)
def test_a_hostile_component(
    name: str, behaviour: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The run ends in time with one outcome a check, and nothing passes that cannot be true."""
    component = COMPONENTS[name]
    with servers.serving(component.behaviours[behaviour]) as port:
        result = run(tmp_path, component.tables.format(port=port, password=PASSWORD))
    record(record_property, result)
    may_pass = {*component.reached}
    if behaviour in COMPLETE:
        may_pass |= {*component.complete}
    if behaviour in WELL_FORMED or behaviour in servers.LOGGED_IN:
        may_pass |= {*component.answered}
    assert result.passed <= may_pass
    # One component that hangs costs its time limits, and leaves time for all other checks.
    assert "missing" not in result.statuses.values() or result.waited > SPARE


def record(record_property: Callable[[str, object], None], result: Result) -> None:
    """Keep what a case showed, for the JUnit file that `tox -e hostile` writes."""
    statuses = list(result.statuses.values())
    record_property("seconds", result.report["seconds"])
    record_property("late", round(result.late, 1))
    record_property("waited", round(result.waited, 1))
    record_property("memory", result.memory >> 20)
    record_property("state", result.report["state"])
    record_property("missing", statuses.count("missing"))


@contextmanager
def name_server(answer: bytes | None) -> Iterator[list[str]]:
    """Run a name server that says nothing or this; yields the prefix of a command that uses it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(type=socket.SOCK_DGRAM) as server:
        address = f"127.0.0.{os.getpid() % 200 + 40}"
        try:
            server.bind((address, 53))
        except PermissionError:
            pytest.skip("only root may run a name server on port 53")
        resolv = Path(folder) / "resolv.conf"
        resolv.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    query, client = server.recvfrom(4096)
                    if not query:
                        return
                    if answer is not None:
                        server.sendto(query[:2] + answer, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        try:
            yield ["unshare", "-rm", "sh", "-c", script, str(resolv)]
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(b"", (address, 53))
            thread.join(PATIENCE)


NAMED = """
[targets.hostile.api]
url = "https://api.veza.example"
token = "env:HOSTILE_TOKEN"
[targets.hostile.database]
dsn = "postgresql://monitor:{password}@db.veza.example/veza"
[targets.hostile.queue]
url = "amqp://monitor:{password}@mq.veza.example/%2F"
management_url = "http://monitor:{password}@mq.veza.example:15672"
name = "process_upload"
[targets.hostile.worker]
hosts = ["ssh://monitor@worker.veza.example"]
"""
NAME_SERVERS = [("silent", None), ("garbage", b"\xff" * 60)]


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    NAME_SERVERS if os.environ.get("VEZA_HOSTILE") == "all" else NAME_SERVERS[:1],
)
def test_a_hostile_name_server(
    behaviour: str,
    answer: bytes | None,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Names that cannot be resolved cost one wait, not one for each component."""
    with name_server(answer) as prefix:
        result = run(tmp_path, NAMED.format(password=PASSWORD), prefix=prefix)
    record(record_property, result)
    for check in ("upload_status/api_is_reachable", "queue/broker_is_reachable"):
        assert result.statuses[check] == "failed" or result.waited > SPARE
    assert not result.passed


def write_deep(path: Path) -> None:
    """Write lines of JSON that is nested too deep for a parser."""
    path.write_text(('{"level":"error","msg":"upload failed","x":' + "[" * 50_000 + "\n") * 3)


def write_giant(path: Path) -> None:
    """Write one line of 2 GiB, of which the disk has nothing."""
    with path.open("wb") as file:
        file.truncate(2**31)


def write_absurd(path: Path) -> None:
    """Write errors with dates that do not exist and numbers of hundreds of digits."""
    path.write_text(
        f'{{"ts":{"9" * 400},"level":"error","msg":"upload failed"}}\n'
        "99999-13-32T99:99:99Z ERROR upload failed\n0000-00-00 00:00:00 ERROR job failed\n"
    )


LOGS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "giant line": write_giant,
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 9_000),
    "deep json": write_deep,
    "absurd": write_absurd,
}


@pytest.mark.parametrize("content", LOGS if os.environ.get("VEZA_HOSTILE") == "all" else ["fifo"])
def test_hostile_log_files(
    content: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A log that is no file, or whose lines are no lines, holds nothing up and proves nothing."""
    (tmp_path / "log").mkdir()
    LOGS[content](tmp_path / "log" / "veza.log")
    result = run(tmp_path, f'[targets.hostile.logs]\nfiles = ["{tmp_path}/log/*.log"]\n')
    record(record_property, result)
    assert "missing" not in result.statuses.values() or result.waited > SPARE
    assert "logs/no_recent_processing_errors" not in result.passed or content == "garbage"
    if content in ("fifo", "endless device", "folder"):
        assert not result.passed
    elif content == "giant line":
        assert result.passed == {"logs/application_is_logging"}


def test_everything_is_silent_at_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With every component hung, what is looked at is unreachable and the rest is not run."""
    tables = "".join(
        component.tables
        for name, component in COMPONENTS.items()
        if name in ("api", "management", "postgresql", "ssh")
    ).replace('timeout = "1 s"', "")
    with servers.serving(servers.silent) as port:
        result = run(tmp_path, tables.format(port=port, password=PASSWORD))
    record(record_property, result)
    assert not result.passed
