"""A runbook as a run uses it: the document together with its evidence table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.outcome import base_id
from reports.diagnosis.evidence import EvidenceError, load_evidence
from reports.runbook.document import RunbookError
from reports.runbook.markdown import load_runbook

if TYPE_CHECKING:
    from reports.diagnosis.evidence import Evidence
    from reports.model.report import Report
    from reports.runbook.document import Runbook

RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"


@dataclass(frozen=True)
class RunbookBundle:
    """A runbook document and the evidence table that belongs to it."""

    document: Runbook
    evidence: Evidence


def load_bundle(document: Path, evidence: Evidence) -> RunbookBundle:
    """Load a document and pair it with its evidence table.

    Raises RunbookError if it cannot be read, or if its hypotheses or verifications are not as many
    as the table's.
    """
    runbook = load_runbook(
        document,
        hypotheses=len(evidence.hypotheses),
        verifications=max(row.verification for row in evidence.checks),
    )
    return RunbookBundle(runbook, evidence)


def bundle_of(
    report: Report, evidence: Path | None = None, document: Path | None = None
) -> RunbookBundle:
    """Load the runbook that a report was made with.

    `evidence` and `document` replace its evidence table and its document. Raises EvidenceError,
    RunbookError.
    """
    folder = _folder_of(report)
    team_document = report.target.runbook_document
    return load_bundle(
        document or (Path(team_document) if team_document else folder / "runbook.md"),
        load_evidence(evidence or folder / "evidence.toml"),
    )


def evidence_of(report: Report, path: Path | None = None) -> Evidence:
    """Load the evidence table that a report was made with, or the one at `path`.

    Raises EvidenceError, RunbookError.
    """
    return load_evidence(path or _folder_of(report) / "evidence.toml")


def _folder_of(report: Report) -> Path:
    """Return the folder of the runbook that knows most of the report's checks."""
    checks = {base_id(result.outcome.check) for result in report.results}

    def known_checks(folder: Path) -> int:
        try:
            rows = load_evidence(folder / "evidence.toml").checks
        except EvidenceError:
            return 0
        return len(checks & {row.id for row in rows})

    folders = sorted(path.parent for path in RUNBOOKS.glob("*/evidence.toml"))
    if not folders:
        raise RunbookError(f"{RUNBOOKS} has no runbook")
    return max(folders, key=known_checks)
