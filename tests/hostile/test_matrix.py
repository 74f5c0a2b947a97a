"""Every component behaves in every bad way: the run ends in time, with a verdict that is true.

`tox -e hostile` runs all cases; without VEZA_HOSTILE=all a few stand for the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
import tomllib
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile import servers
from tests.suite import ROOT, command, environment
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Iterator, Mapping, Sequence

BUDGET = 15.0
MARGIN = 30.0
"""Seconds that a busy machine may take beyond the budget: to start, and to write the report."""

MEMORY_MAX = 300 * 2**20
PASSWORD = "c0rrect-Horse-battery"
TOKEN = "t0ken-of-the-hostile-matrix"

CHECKS = tomllib.loads((ROOT / "runbooks/upload_stuck/evidence.toml").read_text())["checks"]
SELECTED = {check for check in CHECKS if not check.startswith(("canary/", "hosts/"))}

TRUE_OR_NOT = ("wrong types", "empty object", "list", "deep", "absurd", "absurd metrics", "bomb")
"""Answers of HTTP 200 that are well-formed enough to be some service's way to say that it is up."""


@dataclass(frozen=True)
class Component:
    """A component: its tables in the targets file, and the checks that must not pass.

    `never` are those that no behaviour lets pass; `broken` those that may pass only on an answer
    that is complete.
    """

    tables: str
    behaviours: Mapping[str, servers.Behaviour]
    never: Sequence[str]
    broken: Sequence[str] = ()
    route: str = ""


API = """
[targets.hostile.api]
url = "http://127.0.0.1:{port}"
token = "env:HOSTILE_TOKEN"
timeout = "1 s"
"""
COMPONENTS = {
    "api": Component(
        API,
        servers.HTTP,
        ["upload_status/metrics_are_served", "upload_status/uploads_have_left_uploading"],
        ["upload_status/api_is_ready", "upload_status/worker_health_is_ok"],
    ),
    "api over tls": Component(
        API.replace("http:", "https:"),
        servers.RAW,
        ["upload_status/api_is_reachable", "upload_status/api_is_ready"],
    ),
    "metrics": Component(
        API,
        servers.HTTP,
        ["upload_status/metrics_are_served", "signal/uploading_gauge_is_low"],
        route="/metrics",
    ),
    "worker health": Component(
        API, servers.HTTP, [], ["upload_status/worker_health_is_ok"], route="/health/worker"
    ),
    "management": Component(
        """
[targets.hostile.queue]
url = "env:REFUSED_AMQP"
management_url = "http://monitor:{password}@127.0.0.1:{port}"
name = "process_upload"
timeout = "1 s"
""",
        servers.HTTP,
        ["queue/broker_has_no_alarm", "queue/deliveries_are_acknowledged"],
    ),
    "amqp": Component(
        """
[targets.hostile.queue]
url = "amqp://monitor:{password}@127.0.0.1:{port}/%2F"
name = "process_upload"
timeout = "1 s"
""",
        servers.AMQP,
        ["queue/broker_is_reachable", "queue/queue_exists", "queue/queue_has_a_consumer"],
    ),
    "postgresql": Component(
        """
[targets.hostile.database]
dsn = "postgresql://monitor:{password}@127.0.0.1:{port}/veza"
timeout = "1 s"
""",
        servers.POSTGRES,
        ["database/schema_is_as_expected", "signal/no_upload_is_stuck"],
    ),
    "ssh": Component(
        """
[targets.hostile.worker]
hosts = ["ssh://monitor@127.0.0.1:{port}"]
[targets.hostile.logs]
files = ["/var/log/veza/*.log"]
hosts = ["ssh://monitor@127.0.0.1:{port}"]
""",
        servers.RAW,
        ["worker/process_is_running", "logs/application_is_logging"],
    ),
}

SMALL = {
    ("api", "drip"),
    ("management", "empty object"),
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
    """A run that has ended; `memory` is the largest process's, in bytes."""

    status: int
    output: str
    report: dict[str, Any]
    memory: int

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each check."""
        outcomes = [result["outcome"] for result in self.report["results"]]
        statuses = {outcome["check"]: outcome["status"] for outcome in outcomes}
        assert len(statuses) == len(outcomes), "a check has two outcomes"
        return statuses


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
            usage = wait(process, PATIENCE)
        finally:
            process.kill()
            process.wait()
    text = output.read_text(errors="replace")
    report = json.loads((out / "hostile" / "report.json").read_text())
    result = Result(process.returncode, text, report, usage.ru_maxrss * 1024)
    assert report["seconds"] < BUDGET + MARGIN
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
    return result


def wait(process: subprocess.Popen[bytes], seconds: float) -> resource.struct_rusage:
    """Wait until a process ends; returns what it and its children have used."""
    handle = os.pidfd_open(process.pid)
    ended, _, _ = select.select([handle], [], [], seconds)
    os.close(handle)
    assert ended, f"the run had not ended after {seconds:g} s"
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def base_of(check: str) -> str:
    """Return a check's id without its parameter."""
    return check.partition("[")[0]


def processes_with(mark: str) -> list[str]:
    """Return the processes whose environment has this text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize(("name", "behaviour"), CASES)
def test_a_hostile_component(
    name: str, behaviour: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The run ends in time with one outcome a check, and nothing passes that cannot be true."""
    component = COMPONENTS[name]
    behave = component.behaviours[behaviour]
    if component.route:
        behave = servers.only_at(component.route, behave)
    with servers.serving(behave) as port:
        result = run(tmp_path, component.tables.format(port=port, password=PASSWORD))
    record(record_property, result)
    never = [*component.never, *(() if behaviour in TRUE_OR_NOT else component.broken)]
    passed = [check for check in never if result.statuses[check] == "passed"]
    assert not passed
    # The only component that is well is not held up.
    assert result.statuses["storage/directory_exists"] == "passed"


def record(record_property: Callable[[str, object], None], result: Result) -> None:
    """Keep what a case showed, for the JUnit file that `tox -e hostile` writes."""
    statuses = list(result.statuses.values())
    record_property("seconds", result.report["seconds"])
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
NAME_SERVERS = [("silent", None, "-n0"), ("silent", None, "-n2"), ("garbage", b"\xff" * 60, "-n0")]


@pytest.mark.parametrize(
    ("behaviour", "answer", "processes"),
    NAME_SERVERS if os.environ.get("VEZA_HOSTILE") == "all" else NAME_SERVERS[:1],
)
def test_a_hostile_name_server(
    behaviour: str,
    answer: bytes | None,
    processes: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Names that cannot be resolved cost one wait, not one for each component or process."""
    with name_server(answer) as prefix:
        result = run(tmp_path, NAMED.format(password=PASSWORD), processes, prefix=prefix)
    record(record_property, result)
    for check in ("upload_status/api_is_reachable", "queue/broker_is_reachable"):
        assert result.statuses[check] == "failed"
    assert result.statuses["storage/directory_exists"] == "passed"


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
    if content in ("fifo", "endless device", "folder", "deep json"):
        assert result.statuses["logs/no_recent_processing_errors"] != "passed"


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
    assert set(result.statuses.values()) <= {
        "failed",
        "unreachable",
        "missing",
        "skipped",
        "passed",
    }
    assert result.statuses["storage/directory_exists"] == "passed"
