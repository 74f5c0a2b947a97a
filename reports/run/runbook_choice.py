"""Which runbook a run has, by the folder of its checks; and that runbook, read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reports.diagnosis.evidence import Evidence
    from reports.model.bundle import RunbookBundle

BUNDLE = pytest.StashKey["RunbookBundle"]()
EVIDENCE = pytest.StashKey["Evidence"]()
FOLDER = pytest.StashKey[Path]()


def evidence_for(config: pytest.Config, nodeid: str | None) -> Evidence:
    """Return the evidence table of the runbook that a check belongs to; None: of the first one.

    Raises pytest.UsageError for checks of two runbooks, and for a table that cannot be used.
    """
    from reports.diagnosis.evidence import EvidenceError, load_evidence

    folder = _folder(config, nodeid)
    if config.stash.setdefault(FOLDER, folder) != folder:
        raise pytest.UsageError(
            f"a run has one runbook, not both {config.stash[FOLDER].name} and {folder.name}: "
            f"name a folder, such as checks/{folder.name}"
        )
    if EVIDENCE not in config.stash:
        try:
            config.stash[EVIDENCE] = load_evidence(folder / "evidence.toml")
        except EvidenceError as exc:
            raise pytest.UsageError(str(exc)) from exc
    return config.stash[EVIDENCE]


def bundle_for(config: pytest.Config, nodeid: str | None) -> RunbookBundle:
    """Return the run's runbook: its evidence, and its prose from --runbook-doc where given.

    It is read once. Raises pytest.UsageError for a document that does not fit.
    """
    if BUNDLE in config.stash:
        return config.stash[BUNDLE]
    from reports.model.bundle import load_bundle
    from reports.runbook.document import RunbookError

    evidence = evidence_for(config, nodeid)
    target = config.hook.pytest_check_target(config=config)
    given = config.getoption("runbook_doc") or target.runbook_document
    document = config.invocation_params.dir / given if given else None
    try:
        config.stash[BUNDLE] = load_bundle(config.stash[FOLDER], evidence, document)
    except RunbookError as exc:
        raise pytest.UsageError(str(exc)) from exc
    return config.stash[BUNDLE]


def _folder(config: pytest.Config, nodeid: str | None) -> Path:
    runbooks = config.rootpath / "runbooks"
    if nodeid:
        return runbooks / Path(nodeid.partition("::")[0]).parent.name
    return next(iter(sorted(path.parent for path in runbooks.glob("*/evidence.toml"))), runbooks)
