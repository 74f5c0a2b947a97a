"""The pytest hooks of the reports: put each check's outcome on its report.

One target is checked in one process, whatever xdist's `-n` says: the lanes look at all components
side by side, and a second process would only ask the same questions again.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from core.language import tr
from core.outcome import ATTRIBUTE, check_id
from core.output import optional_output
from reports.run import hooks
from reports.run.call_outcome import outcome_of
from reports.run.controller import Controller
from reports.run.display import Display
from reports.run.runbook_choice import (
    bundle_for,
    choose_checks,
    suggest_document_language,
)

SETUP_SECONDS = pytest.StashKey[float]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("veza").addoption(
        "--out",
        metavar="DIR",
        default="out",
        help=tr("where the reports go, in DIR/TARGET/RUNBOOK (default: out)"),
    )
    parser.getgroup("veza").addoption(
        "--baseline",
        metavar="FILE",
        help=tr("fail only on checks that are worse than in this report.json"),
    )
    parser.getgroup("veza").addoption(
        "--runbook",
        metavar="NAME",
        help=tr("a folder of runbooks/, NAME,NAME or `all` (default: VEZA_RUNBOOK, the target's)"),
    )
    parser.addini("runbook", tr("the runbook of a run that names none"), default="")
    parser.getgroup("veza").addoption(
        "--runbook-doc",
        metavar="FILE",
        help=tr("take titles and actions from your team's own runbook (Markdown)"),
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main() -> Generator[None, object, object]:
    """Let no output that cannot be written, such as a log on a full disk, cost the report."""
    with optional_output():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # For --markers; those with a number come from the run's evidence table.
    config.addinivalue_line("markers", "verification_NUMBER: the runbook's step of this number")
    config.addinivalue_line("markers", "symptom: users suffer when the check fails")
    config.addinivalue_line("markers", "cause: the check looks at a possible cause")
    config.addinivalue_line("markers", "gate: the check must pass before a deploy")
    # xdist reads it after this.
    config.option.dist = "no"
    # The report has a sentence for each failed check; --tb brings pytest's traceback back.
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"
    # Our default is -q: a single -v means pytest's own list of checks.
    if config.option.verbose >= 0:
        config.option.verbose += 1
    controller = Controller(config)
    config.pluginmanager.register(controller, "veza-controller")
    config.pluginmanager.register(Display(config, controller), "veza-display")


# Before the collection: --fixtures collects without the hook for it.
@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Choose the run's runbook; its document is in the team's language."""
    choose_checks(session.config)
    suggest_document_language(session.config)


def pytest_check_choice(config: pytest.Config) -> None:
    """Choose and read the runbook as a run does: --check-config has no checks to run."""
    choose_checks(config)
    suggest_document_language(config)
    bundle_for(config, None)


def pytest_check_lanes_work() -> None:
    """Import what writes the report."""
    import reports.render.html.page
    import reports.render.prometheus
    import reports.render.terminal  # noqa: F401


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a check with its verification and its role, as the evidence table has them."""
    row = bundle_for(item.config, item.nodeid).evidence.row(check_id(item.nodeid))
    if row:
        item.add_marker(f"verification_{row.verification}")
        item.add_marker(row.role)
        if row.gate:
            item.add_marker("gate")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Redact the error of a module that cannot be collected."""
    report = yield
    if report.failed:
        config = collector.config
        redact = config.hook.pytest_check_redactor(config=config)
        report.longrepr = redact.whole(report.longreprtext)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the check's outcome on its report, and redact the report."""
    report = yield
    if call.when == "setup":
        item.stash[SETUP_SECONDS] = call.duration
    redact = item.config.hook.pytest_check_redactor(config=item.config)
    outcome = outcome_of(item, call, report, item.stash[SETUP_SECONDS], redact)
    if outcome:
        setattr(report, ATTRIBUTE, outcome)
        if outcome.status in ("unreachable", "error"):
            # pytest counts a failed setup as an error, not as a failure.
            report.when = "setup"
        if outcome.status == "skipped" and report.failed:
            # A fixture ended so: pytest knows its own exception for it alone.
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {outcome.seen}")
        if outcome.status in ("failed", "unreachable"):
            report.longrepr = f"{outcome.expected} {outcome.seen}"
        elif report.failed:
            report.longrepr = redact.text(report.longreprtext)
        elif isinstance(report.longrepr, tuple):
            path, line, reason = report.longrepr
            report.longrepr = (path, line, redact.text(reason))
    report.sections = [(name, redact.whole(text)) for name, text in report.sections]
    return report
