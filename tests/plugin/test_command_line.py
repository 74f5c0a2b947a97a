"""What a person types wrong gets one sentence on stderr, exit status 4, and no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.suite import run_suite

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = """
[targets.staging]
environment = "staging"

[targets.staging.api]
url = "http://127.0.0.1:9"
token = "swordfish"

[targets.staging.database]
dsn = "postgresql://monitor:hunter22@127.0.0.1:9/veza"

[targets.live]
environment = "live"

[targets.live.api]
url = "http://127.0.0.1:9"
token = "env:NOWHERE_SET"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A targets file whose services do not exist."""
    path = tmp_path / "targets.toml"
    path.write_text(TARGETS)
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--target lab"),
        (("--target", "stagign"), "did you mean 'staging'"),
        (("--target", "live"), "NOWHERE_SET is not set"),
        (("--target", "staging", "--budget", "soon"), '--budget: write it like "10 min"'),
        (("--target", "staging", "--upload-id", "/etc/passwd"), "write --upload-id=VALUE"),
        (("--target", "staging", "--out", "/tmp"), "write --out=VALUE"),
        (("--target", "staging", "--upload-id", "two\nlines"), "is no upload id"),
        (("--target", "staging", "--runbook-doc=nowhere.md"), "nowhere.md"),
        (("--target", "staging", "--runbook-doc", "README.md"), "README.md"),
        (("--target", "staging", "--fault", "worker-killed"), "add --target lab"),
        (("--target", "stagign", "--check-config"), "did you mean 'staging'"),
    ],
)
def test_a_slip_gets_one_sentence(
    file: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """A usage error says what, where and how to mend it, and nothing runs."""
    run = run_suite(f"--targets-file={file}", *arguments, out=tmp_path / "out")
    assert run.status == 4
    assert told in run.errors
    assert len(run.errors.strip().splitlines()) == 1, run.errors
    assert len(run.errors) < 600
    assert run.report is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-m", "symtom"), "Unknown marker(s) in '-m' expression: symtom"),
        (("-k", "not("), "Wrong expression passed to '-k': not("),
        (("checks/upload_stuk",), "file or directory not found: checks/upload_stuk"),
    ],
)
def test_a_slip_in_the_selection_is_no_run(
    file: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """What pytest itself refuses leaves no report behind, and no verdict around its sentence."""
    where = (f"--targets-file={file}", "--target", "staging", "-n0")
    run = run_suite(*where, *arguments, out=tmp_path / "out")
    assert run.status == 4
    assert told in run.errors
    assert "Unknown:" not in run.text + run.errors
    assert run.report is None


def test_no_file_names_the_example(tmp_path: Path) -> None:
    """Where there is no targets file, the example is named and the lab offered, not started."""
    run = run_suite(f"--targets-file={tmp_path / 'none.toml'}", out=tmp_path / "out")
    assert run.status == 4
    assert "targets.example.toml" in run.errors


def test_check_config_connects_to_nothing(file: Path, tmp_path: Path) -> None:
    """--check-config tells places, rights and limits of a valid target, without its secrets."""
    run = run_suite(
        f"--targets-file={file}", "--target", "staging", "--check-config", out=tmp_path / "out"
    )
    assert run.status == 0
    assert "postgresql://monitor:***@127.0.0.1:9/veza" in run.text
    assert "read-only session" in run.text
    assert "queue     left out" in run.text
    assert "hunter22" not in run.text
    assert "swordfish" not in run.text


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_nothing_there_is_an_incident(file: Path, tmp_path: Path, processes: str) -> None:
    """Where nothing answers, two checks fail, the rest could not look, and nobody is accused."""
    run = run_suite(
        f"--targets-file={file}", "--target", "staging", processes, out=tmp_path / "out"
    )
    failed = sorted(check for check, status in run.statuses.items() if status == "failed")
    assert failed == ["database/database_is_reachable", "upload_status/api_is_reachable"]
    assert set(run.statuses.values()) == {"failed", "unreachable", "skipped"}
    assert run.state == "incident"
    assert run.status == 1
    everything = run.text + run.errors + str(run.report)
    assert "Traceback" not in everything
    assert "hunter22" not in everything
    assert "swordfish" not in everything


def test_help_tells_the_options(tmp_path: Path) -> None:
    """--help works without a target and has every option of ours."""
    run = run_suite("--help", out=tmp_path / "out")
    assert run.status == 0
    for option in ("--target", "--upload-id", "--check-config", "--budget", "--runbook-doc"):
        assert option in run.text
