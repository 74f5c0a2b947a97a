"""Judge again, offline, what a report's checks saw: by the same runbook, or by an edited one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reports.diagnosis.evidence import EvidenceError, load_evidence
from reports.model.build import Book, assemble
from reports.runbook.document import RunbookError
from reports.runbook.markdown import load_runbook

if TYPE_CHECKING:
    from reports.model.report import Report

RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"


class ReplayError(ValueError):
    """The report cannot be judged again; `str()` is one sentence that says why."""


def find_book(report: Report, evidence: Path | None = None, document: Path | None = None) -> Book:
    """Return the runbook to judge a report by: the one it was made with, where it is still there.

    `evidence` and `document` replace its evidence table and its prose. Raises ReplayError.
    """
    folder = _folder(report)
    named = document or report.target.runbook_document
    try:
        table = load_evidence(evidence or folder / "evidence.toml")
        prose = load_runbook(
            Path(str(named)) if named else folder / "runbook.md",
            hypotheses=len(table.hypotheses),
            verifications=max(row.verification for row in table.checks),
        )
    except (EvidenceError, RunbookError) as exc:
        raise ReplayError(str(exc)) from exc
    return Book(prose, table)


def replay(report: Report, book: Book) -> Report:
    """Return the report that this runbook makes of the same outcomes.

    Equal to the one given where runbook and evidence are what it was made with.
    """
    return assemble(
        [result.outcome for result in report.results],
        report.problems,
        report.target,
        book,
        report.started,
        report.seconds,
        report.figures,
    )


def _folder(report: Report) -> Path:
    """Return the folder of the runbook: the one whose checks these are."""
    folders = sorted(path.parent for path in RUNBOOKS.glob("*/evidence.toml"))
    if not folders:
        raise ReplayError(f"{RUNBOOKS} holds no runbook")
    if len(folders) == 1:
        return folders[0]
    checks = {result.outcome.check.partition("[")[0] for result in report.results}

    def known(folder: Path) -> int:
        try:
            return len(checks & {row.id for row in load_evidence(folder / "evidence.toml").checks})
        except EvidenceError:
            return 0

    return max(folders, key=known)
