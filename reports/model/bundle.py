"""A runbook as a run uses it: the document together with its evidence table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from core.frozen import frozen
from core.language import language
from core.outcome import base_id
from reports.diagnosis.evidence import Evidence, EvidenceError
from reports.model import layout_file
from reports.model.compiled import compiled
from reports.model.layout import Layout
from reports.model.report import Report
from reports.runbook.document import Runbook, RunbookError

RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"

EVIDENCE = "evidence.toml"


@frozen
class RunbookBundle:
    """A runbook document, its evidence table, and what its report shows.

    `name` is that of the runbook's folder.
    """

    name: str
    document: Runbook
    evidence: Evidence
    layout: Layout


def load_bundle(
    folder: Path, evidence: Evidence | None = None, document: Path | None = None
) -> RunbookBundle:
    """Load the runbook in a folder; `evidence` and `document` replace its own.

    Raises EvidenceError, and RunbookError if a part cannot be read, or if the document's hypotheses
    or verifications are not as many as the table's.
    """
    document = document or document_in(folder)
    read = partial(_read_bundle, folder, evidence, document)
    if evidence:
        return read()
    layout = folder / layout_file.NAME
    files = (folder / EVIDENCE, document, *([layout] if layout.exists() else []))
    return compiled(folder.name, files, read)


def _read_bundle(folder: Path, evidence: Evidence | None, document: Path) -> RunbookBundle:
    # Not earlier: what reads and validates the files is seldom needed.
    from reports.diagnosis.evidence_file import load_evidence
    from reports.runbook.markdown import load_runbook

    evidence = evidence or load_evidence(folder / EVIDENCE)
    runbook = load_runbook(
        document,
        hypotheses=len(evidence.hypotheses),
        verifications=max(row.verification for row in evidence.checks),
    )
    return RunbookBundle(folder.name, runbook, evidence, layout_file.load_layout(folder))


def document_in(folder: Path) -> Path:
    """Return the document of a runbook's folder in the language of the process, else English."""
    translated = folder / f"runbook.{language()}.md"
    return translated if translated.exists() else folder / "runbook.md"


def bundle_of(
    report: Report, evidence: Path | None = None, document: Path | None = None
) -> RunbookBundle:
    """Load the runbook that a report was made with.

    `evidence` and `document` replace its evidence table and its document. Raises EvidenceError,
    RunbookError.
    """
    from reports.diagnosis.evidence_file import load_evidence

    team_document = report.target.runbook_document
    return load_bundle(
        folder_of(report),
        load_evidence(evidence) if evidence else None,
        document or (Path(team_document) if team_document else None),
    )


def folder_of(report: Report) -> Path:
    """Return the folder of a report's runbook, else of the one that knows most of its checks.

    Raises RunbookError.
    """
    folders = sorted(path.parent for path in RUNBOOKS.glob(f"*/{EVIDENCE}"))
    for folder in folders:
        if folder.name == report.runbook_name:
            return folder
    checks = {base_id(result.outcome.check) for result in report.results}

    def known_checks(folder: Path) -> int:
        from reports.diagnosis.evidence_file import load_evidence

        try:
            rows = load_evidence(folder / EVIDENCE).checks
        except EvidenceError:
            return 0
        return len(checks & {row.id for row in rows})

    if not folders:
        raise RunbookError("{folder} has no runbook", folder=RUNBOOKS)
    return max(folders, key=known_checks)
