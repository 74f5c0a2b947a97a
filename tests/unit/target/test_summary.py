"""The summary of a target in a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.target.load import load
from fixtures.target.model import Database, Logs, RunbookNames, Target, Thresholds, Worker
from fixtures.target.summary import summary_of


def target(worker: Worker | None = None, **thresholds: Any) -> Target:
    """A target with these thresholds."""
    limits = Thresholds.model_validate(thresholds)
    return Target(name="live", environment="live", thresholds=limits, worker=worker)


def test_the_summary_has_the_largest_values_that_the_checks_accept() -> None:
    """A report shows each figure beside the target's own limit."""
    limits = summary_of(target(processing_max="90 s", backlog_max=7)).limits
    assert limits["processing_seconds"] == 90
    assert limits["backlog"] == 7
    assert limits["oldest_stuck_seconds"] == 600
    assert limits["uploads_stuck"] == limits["jobs_waiting"] == 0


def test_the_summary_has_the_smallest_values_that_the_checks_accept() -> None:
    """Free space has a minimum, as a share; a size is none before the disk is known."""
    minimums = summary_of(target(disk_free_min="20%", inodes_free_min="1000")).minimums
    assert minimums["disk_free_ratio"] == 0.2
    assert "inodes_free_ratio" not in minimums
    assert minimums["consumers"] == minimums["worker_processes"] == 1


def test_a_system_without_a_broker_is_no_target_that_leaves_it_out(tmp_path: Path) -> None:
    """`queue = false` is a fact about the system; no `[queue]` says nothing."""
    file = tmp_path / "targets.toml"
    for line, absent in (("queue = false", ("queue",)), ("", ())):
        file.write_text(f'[targets.small]\nenvironment = "lab"\n{line}\n')
        summary = summary_of(load(file, "small", {}))
        assert summary.absent == absent
        assert summary.components["queue"] is None


def test_the_summary_expects_as_many_workers_as_the_target_says() -> None:
    """The number of workers that should run is their minimum."""
    worker = Worker(count=3)
    assert summary_of(target(worker)).minimums["worker_processes"] == 3


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("job.*worker|worker.*upload", True),
        ("lab[.]job_worker --dir /srv/veza$", True),
        (r"veza\.worker", True),
        (r"worker-\d+", False),
        (r"\bworker\b", False),
        ("(?:job|upload)-worker", False),
        ("worker.*?--queue", False),
    ],
)
def test_a_command_has_the_workers_pattern(pattern: str, known: bool) -> None:
    """Not one that pgrep, which reads POSIX expressions, takes for something else."""
    placeholders = summary_of(target(Worker(pattern=pattern))).placeholders
    assert placeholders.get("worker_pattern") == (pattern if known else None)


@pytest.mark.parametrize(
    ("dsn", "conninfo"),
    [
        ("postgresql://checks:secret@db:6432/veza", "host=db port=6432 dbname=veza"),
        ("host=/run/pg dbname=veza password=secret", "host=/run/pg dbname=veza"),
        ("postgresql://", None),
    ],
)
def test_a_command_has_the_databases_place_without_its_secrets(
    dsn: str, conninfo: str | None
) -> None:
    """The one of the target: a program without it asks the database of its own machine."""
    database = Database.model_validate({"dsn": dsn})
    placeholders = summary_of(Target(name="live", environment="live", database=database))
    assert placeholders.placeholders.get("database_conninfo") == conninfo


@pytest.mark.parametrize(
    ("own", "files"), [(("/log/w.log",), "/log/w.log"), (None, "/log/api.log")]
)
def test_the_lines_about_jobs_are_in_the_applications_log_without_another(
    own: tuple[str, ...] | None, files: str
) -> None:
    """A worker that is a part of the application has no log of its own."""
    logs = Logs(files=("/log/api.log",))
    live = Target(name="live", environment="live", worker=Worker(log_files=own), logs=logs)
    assert summary_of(live).placeholders["job_log_files"] == files


def test_the_workers_service_is_restarted() -> None:
    """Without one of its own the worker is part of the runbook's service."""
    names = RunbookNames(service="api")
    for worker, service in (
        (Worker(service="worker"), "worker"),
        (Worker(), "api"),
        (None, "api"),
    ):
        live = Target(name="live", environment="live", worker=worker, runbook=names)
        placeholders = summary_of(live).placeholders
        assert (placeholders["worker_service"], placeholders["service"]) == (service, "api")


@pytest.mark.parametrize(
    ("own", "left"),
    [
        (("/log/veza/worker.log",), ()),
        (("/log/veza/worker*.log",), ()),
        (("/log/worker/a.log",), ("/log/worker/a.log",)),
        (("/log/veza/old/a.log", "/log/veza/b.log"), ("/log/veza/old/a.log",)),
        (("journald:veza-worker",), ("journald:veza-worker",)),
    ],
)
def test_no_log_is_named_twice(own: tuple[str, ...], left: tuple[str, ...]) -> None:
    """A command over all logs has each line once."""
    logs = Logs(files=("/log/veza/*.log",))
    live = Target(name="live", environment="live", worker=Worker(log_files=own), logs=logs)
    named = summary_of(live).placeholders["every_log_files"].split("\n")
    assert named == ["/log/veza/*.log", *left]
