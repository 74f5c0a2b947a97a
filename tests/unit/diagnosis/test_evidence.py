"""The evidence table: it is validated, and agrees with the runbook, the checks and the page."""

from __future__ import annotations

import copy
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from core.files import READ_MAX
from reports.cli.lint import checks_of, filling
from reports.diagnosis.evidence import Evidence, EvidenceError
from reports.diagnosis.evidence_file import load_evidence, parse_evidence
from reports.model.bundle import RUNBOOKS
from reports.model.lint import lint

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "runbooks/upload_stuck"
PAGE = ROOT / "docs/diagnosis.md"


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """The shipped model."""
    return load_evidence(FOLDER / "evidence.toml")


# --- Runbook, evidence table and checks agree


def test_a_check_names_the_others_of_its_group(evidence: Evidence) -> None:
    """A missing file excuses the disk: its pass does not speak against a storage problem."""
    disk = evidence.row("storage/disk_space_is_free")
    assert disk
    assert len(disk.moot_if_failed) == 6
    assert not disk.is_moot(
        passed=["storage/directory_exists"], failed=["storage/disk_space_is_free"]
    )
    assert disk.is_moot(passed=[], failed=["storage/stuck_files_exist"])


@pytest.mark.parametrize("folder", sorted(path.parent for path in RUNBOOKS.glob("*/runbook.md")))
def test_nothing_is_missing_in_a_shipped_runbook(folder: Path) -> None:
    """Document, evidence table and checks agree, and each cause can be told from each other one."""
    assert [str(one) for one in lint(folder, checks_of(folder), filling())] == []


def test_the_signal_has_a_check(evidence: Evidence) -> None:
    """What users see is automated too."""
    assert any(row.verification == 0 for row in evidence.checks)


def test_symptoms_are_what_users_notice(evidence: Evidence) -> None:
    """Uploads that do not complete, and an API or a database that is unreachable.

    Many uploads at once are only a sign of what comes.
    """
    symptoms = {row.id for row in evidence.checks if row.role == "symptom"}
    signal = {row.id for row in evidence.checks if row.verification == 0}
    assert symptoms == (signal - {"signal/uploading_gauge_is_low"}) | {
        "database/database_accepts_writes",
        "logs/uploads_arrive_beside_errors",
        "upload_status/uploads_have_left_uploading",
        "upload_status/api_agrees_with_database",
        "upload_status/api_is_reachable",
        "upload_status/api_answers_without_server_error",
        "database/database_is_reachable",
        "canary/upload_is_accepted",
        "canary/upload_leaves_uploading",
        "canary/upload_completes",
        "canary/track_is_served",
    }


def test_the_signal_does_not_decide_between_hypotheses(evidence: Evidence) -> None:
    """Every hypothesis makes it nearly equally likely."""
    row = evidence.row("signal/no_upload_is_stuck")
    assert row
    weights = [row.weight(cause.id) for cause in evidence.hypotheses]
    assert max(weights) / min(weights) < 3


def test_what_decides_on_a_moot_pass_is_never_moot_itself(evidence: Evidence) -> None:
    """The checks of stuck uploads, of late jobs and of missing messages decide."""
    gates = {row.moot_when for row in evidence.checks if row.moot_when}
    assert gates == {
        "signal/no_upload_is_stuck",
        "database/jobs_finish_in_time",
        "database/jobs_start_promptly",
        "database/pending_jobs_are_in_the_queue",
    }
    assert all(evidence.row(gate).moot_when is None for gate in gates)  # type: ignore[union-attr]


def test_a_parameter_is_a_case_of_its_row(evidence: Evidence) -> None:
    """The id of a parametrized check leads to the one row of the check."""
    row = evidence.row("hosts/host_is_reachable[ssh://deploy@files-1]")
    assert row is evidence.row("hosts/host_is_reachable")
    assert row
    assert evidence.row("hosts/no_such_check") is None


def matrix(evidence: Evidence) -> str:
    """Return the model as a Markdown table: a row per check, a column per cause, and the leak."""
    header = ["check", *(cause.title for cause in evidence.causes), "leak"]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    lines.append(["*prior*", *(f"{cause.prior:g}" for cause in evidence.causes), ""])
    for row in evidence.checks:
        weights = dict(row.explained_by)
        cells = [f"{weights[c.id]:g}" if c.id in weights else "" for c in evidence.causes]
        name = f"**{row.id}**" if row.role == "symptom" else row.id
        moot = (row.moot_when, row.moot_if_failed, row.moot_unless_passed, row.moot_at_zero)
        signs = [" †"] if any(moot) else []
        signs += [" ‡"] if row.follows_from else []
        lines.append([name + "".join(signs), *cells, f"{row.leak:g}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def test_the_page_shows_the_evidence_table(
    evidence: Evidence, request: pytest.FixtureRequest
) -> None:
    """The table in docs/diagnosis.md is that of evidence.toml; `--snapshot-update` writes it."""
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = re.split(r"(<!-- matrix: begin[^>]*-->\n)", text)
    _, end, after = re.split(r"(<!-- matrix: end -->)", rest)
    whole = f"{before}{begin}\n{matrix(evidence)}\n\n{end}{after}"
    if request.config.getoption("update_snapshots"):
        PAGE.write_text(whole, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == whole, (
        "docs/diagnosis.md differs from evidence.toml: run this test with --snapshot-update"
    )


# --- Invalid files

GOOD: dict[str, Any] = tomllib.loads(
    """
    [hypotheses.worker]
    title = "Worker"
    prior = 0.05
    [outside.lock]
    title = "Lock"
    prior = 0.02
    component = "database"
    [checks."a/b"]
    verification = 1
    role = "cause"
    component = "worker"
    explained_by = { worker = 0.5, lock = 0.1 }
    leak = 0.01
    [checks."a/c"]
    verification = 1
    role = "symptom"
    component = "worker"
    moot_when = "a/b"
    explained_by = {}
    leak = 0.01
    """
)


def test_a_valid_file_becomes_frozen_values() -> None:
    """Rows have their weights in the order of the causes, and cannot be changed."""
    parsed = parse_evidence(GOOD)
    row = parsed.row("a/b")
    assert row
    assert row.explained_by == (("worker", 0.5), ("lock", 0.1))
    assert [cause.id for cause in parsed.causes] == ["worker", "lock"]
    with pytest.raises(AttributeError):
        row.leak = 0.5  # type: ignore[misc]


REFUSED: list[tuple[tuple[str, ...], Any, str]] = [
    (("checks", "a/b", "leak"), 0, r'\[checks\."a/b"\] leak: must be a probability above 0'),
    (("checks", "a/b", "leak"), 1.0, r'\[checks\."a/b"\] leak: must be a probability'),
    (("checks", "a/b", "leak"), True, r'\[checks\."a/b"\] leak: must be a number'),
    (("checks", "a/b", "leak"), math.nan, r'\[checks\."a/b"\] leak: must be a probability'),
    (("checks", "a/b", "leak"), "0.1", r'\[checks\."a/b"\] leak: must be a number'),
    (("checks", "a/b", "leek"), 0.1, r"leek: is not a key here; did you mean 'leak'\?"),
    (("checks", "a/b", "role"), "sign", r'\[checks\."a/b"\] role: must be .symptom. or .cause.'),
    (("checks", "a/b", "role"), [], r'\[checks\."a/b"\] role: must be'),
    (("checks", "a/b", "verification"), -1, r"verification: must be greater than"),
    (("checks", "a/b", "verification"), True, r"verification: must be a whole number"),
    (("checks", "a/b", "component"), "", r"component: must not be empty"),
    (("checks", "a/b", "component"), "x\x1b[2J", r"component: must be one printable line"),
    (("checks", "a/b", "moot_when"), "a/z", r"moot_when: must name another check"),
    (("checks", "a/b", "moot_when"), "a/b", r"moot_when: must name another check"),
    (("checks", "a/b", "moot_if_failed"), ["a/z"], r"moot_if_failed: must name another check"),
    (("checks", "a/b", "one_of"), "x", r"one_of: names a group that no other check has"),
    (("checks", "a/b", "moot_unless_passed"), "a/b", r"moot_unless_passed: must name another"),
    (("checks", "a/b", "follows_from"), ["a/b"], r"follows_from: must name another check"),
    (("checks", "a/b", "moot_when"), ["a/c"], r"moot_when: must be text"),
    (("checks", "a/b", "explained_by"), [], r"explained_by: must be a table"),
    (
        ("checks", "a/b", "explained_by", "werker"),
        0.5,
        r"explained_by\.werker: is not a cause of this file; did you mean 'worker'\?",
    ),
    (
        ("checks", "a/b", "explained_by", "worker"),
        1,
        r"explained_by\.worker: must be a probability",
    ),
    (("checks", "a/b[x]"), {}, r"'a/b\[x\]' in \[checks\]: use module/name"),
    (("checks", "a/d"), 3, r'\[checks\."a/d"\]: must be a table'),
    (("checks",), {}, r"needs at least one hypothesis and one check"),
    (("hypotheses",), [], r"\[hypotheses\]: must be a table"),
    (("hypotheses", "Bad Name"), {}, r"'Bad Name' in \[hypotheses\]: use lower"),
    (("hypotheses", "worker", "prior"), 2, r"\[hypotheses\.worker\] prior: must be a prob"),
    (("hypotheses", "worker", "title"), 2, r"\[hypotheses\.worker\] title: must be text"),
    (("hypotheses", "worker", "component"), "x", r"component: is not a key here"),
    (("outside", "lock", "component"), None, r"\[outside\.lock\] component: must be text"),
    (
        ("outside", "worker"),
        {"title": "W", "prior": 0.1, "component": "x"},
        r"\[outside\.worker\]: is a hypothesis already",
    ),
    (
        ("hypotheses", "worker", "needs"),
        "qeue",
        r"\[hypotheses\.worker\] needs: is not a component of this file",
    ),
    (("hypothesis",), {}, r"\[hypothesis\]: is not a key here; did you mean 'hypotheses'\?"),
]


@pytest.mark.parametrize(("place", "value", "message"), REFUSED)
def test_an_invalid_file_is_refused(place: tuple[str, ...], value: Any, message: str) -> None:
    """One sentence names the file, the table, the key, and what is expected."""
    document = copy.deepcopy(GOOD)
    table = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    with pytest.raises(EvidenceError, match=message) as caught:
        parse_evidence(document, "some.toml")
    assert str(caught.value).startswith("some.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[checks", "is not valid TOML"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a = " + b"[" * 5000, "nested too deep"),
        (b"#" * (READ_MAX + 1), "larger than"),
        (b"", r"\[hypotheses\]: is missing"),
    ],
    ids=["cut", "binary", "nested", "large", "empty"],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """A broken, hostile or oversized file gets one sentence with its name."""
    file = tmp_path / "evidence.toml"
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match=message) as caught:
        load_evidence(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A missing file and a directory are refused with the path and the reason."""
    with pytest.raises(EvidenceError, match=r"none\.toml cannot be read"):
        load_evidence(tmp_path / "none.toml")
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_evidence(tmp_path)
