"""Which runbook a run has; and that runbook, read.

It is the one that --runbook or VEZA_RUNBOOK names, or else the target, or else the project. Where
the command line names checks, it is the one that their folder has the name of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.language import suggest_language, tr
from core.runbooks import VARIABLE, asked_for, names_in
from core.text import listed, printable
from core.validation import nearest

if TYPE_CHECKING:
    from reports.model.bundle import RunbookBundle

BUNDLE = pytest.StashKey["RunbookBundle"]()
FOLDER = pytest.StashKey[Path]()

CHECKS = "checks"


def choose_checks(config: pytest.Config) -> None:
    """Have pytest collect the checks of the run's runbook alone, unless it was given others.

    Raises pytest.UsageError for a runbook that is not there, and where it must be named.
    """
    option = config.getoption("runbook")
    named = asked_for(option)
    source = "--runbook" if option else VARIABLE
    has_arguments = config.args_source is pytest.Config.ArgsSource.ARGS
    everything = [str(config.rootpath / CHECKS)]
    if (
        has_arguments
        and [str(config.invocation_params.dir / arg) for arg in config.args] != everything
    ):
        if named:
            config.stash[FOLDER] = _runbook(config, named, source)
        return
    name = named or default_of(config)
    names = names_in(config.rootpath)
    if not name and len(names) == 1:
        (name,) = names
    if not name:
        raise pytest.UsageError(
            tr("name a runbook with --runbook: {runbooks}", runbooks=listed(names, "or"))
        )
    config.stash[FOLDER] = _runbook(config, name, source if named else tr("the default runbook"))
    folder = config.rootpath / CHECKS / name
    if not folder.is_dir():
        raise pytest.UsageError(
            tr(
                "the runbook {runbook} has no checks: {folder} is missing",
                runbook=name,
                folder=folder,
            )
        )
    config.args[:] = [str(folder)]


def default_of(config: pytest.Config) -> str:
    """Return the runbook of a run that names none: the target's, or the project's; or nothing."""
    target = config.hook.pytest_check_target(config=config)
    named = target.runbook_name if target else ""
    return named or str(config.getini("runbook"))


def _runbook(config: pytest.Config, name: str, source: str) -> Path:
    """Return the folder of a runbook; raises pytest.UsageError where there is none."""
    names = names_in(config.rootpath)
    if name not in names:
        raise pytest.UsageError(
            tr(
                "{source}: there is no {runbook!r}, only {runbooks}{hint}",
                source=source,
                runbook=printable(name, 80),
                runbooks=listed(names),
                hint=nearest(name, names),
            )
        )
    return config.rootpath / "runbooks" / name


def bundle_for(config: pytest.Config, nodeid: str | None) -> RunbookBundle:
    """Return the runbook that a check belongs to; None: the run's, or the first one.

    Its prose is that of --runbook-doc where given. It is read once; its verifications become
    markers. Raises pytest.UsageError for checks of two runbooks, and for an evidence table or a
    document that cannot be used.
    """
    from reports.diagnosis.evidence import EvidenceError
    from reports.model.bundle import load_bundle
    from reports.runbook.document import RunbookError

    folder = _folder(config, nodeid)
    if config.stash.setdefault(FOLDER, folder) != folder:
        raise pytest.UsageError(
            tr(
                "a run has one runbook, not both {runbook} and {other}: name one "
                "with --runbook {other}",
                runbook=config.stash[FOLDER].name,
                other=folder.name,
            )
        )
    if BUNDLE in config.stash:
        return config.stash[BUNDLE]
    own_document = document_of(config)
    document = config.invocation_params.dir / own_document if own_document else None
    try:
        bundle = load_bundle(folder, document=document)
    except (EvidenceError, RunbookError) as exc:
        raise pytest.UsageError(str(exc)) from exc
    config.stash[BUNDLE] = bundle
    last = max(row.verification for row in bundle.evidence.checks)
    for number in range(last + 1):
        config.addinivalue_line("markers", f"verification_{number}: a step of the runbook")
    return bundle


def suggest_document_language(config: pytest.Config) -> None:
    """Write the language of the team's own document, unless the target or a person chose one."""
    own_document = (
        document_of(config) if FOLDER in config.stash or config.option.runbook_doc else None
    )
    target = config.hook.pytest_check_target(config=config)
    if own_document and target and not target.language:
        from reports.runbook.markdown import language_of

        suggest_language(language_of(config.invocation_params.dir / own_document))


def document_of(config: pytest.Config) -> str | None:
    """Return the team's own document for the run's runbook, None for the shipped one.

    The target's document is that of its default runbook.
    """
    option: str | None = config.getoption("runbook_doc")
    if option:
        return option
    target = config.hook.pytest_check_target(config=config)
    own = default_of(config) in ("", config.stash[FOLDER].name)
    return target.runbook_document if target and own else None


def _folder(config: pytest.Config, nodeid: str | None) -> Path:
    runbooks = config.rootpath / "runbooks"
    if nodeid:
        return runbooks / Path(nodeid.partition("::")[0]).parent.name
    if FOLDER in config.stash:
        return config.stash[FOLDER]
    return runbooks / next(iter(names_in(config.rootpath)), "")
