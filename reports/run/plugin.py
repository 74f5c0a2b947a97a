"""The pytest hooks of the reports in every process: each check's outcome goes onto its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.outcome import check_id
from core.secrets import Redactor
from reports.run import hooks
from reports.run.call_outcome import ATTRIBUTE, examine
from reports.run.controller import Controller
from reports.run.runbook_choice import evidence_for

if TYPE_CHECKING:
    from collections.abc import Generator

SETUP_SECONDS = pytest.StashKey[float]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("veza").addoption(
        "--out",
        metavar="DIR",
        default="out",
        help="where reports are written, in a folder for each target (default: out); "
        "write it with the =, or pytest takes a folder that exists for the place of the project",
    )
    parser.getgroup("veza").addoption(
        "--baseline",
        metavar="FILE",
        default=None,
        help="a report.json: fail only on what is worse than in it (write it with the =)",
    )
    parser.getgroup("veza").addoption(
        "--runbook-doc",
        metavar="FILE",
        default=None,
        help="take titles and corrective actions from this Markdown file, your team's own runbook "
        "of the same structure, in English or French (default: the target's, else ours)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for number in range(8):
        config.addinivalue_line("markers", f"verification_{number}: step {number} of the runbook")
    config.addinivalue_line("markers", "symptom: the check's failure is what users suffer from")
    config.addinivalue_line("markers", "cause: the check's failure is a reason, not yet a symptom")
    config.addinivalue_line("markers", "gate: the check must hold before a deploy")
    # A failed check is told as a sentence in the report; --tb brings pytest's own account back.
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Controller(config), "veza-controller")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a check with its verification and its role, as the evidence table has them."""
    row = evidence_for(item.config, item.nodeid).row(check_id(item.nodeid))
    if row:
        item.add_marker(f"verification_{row.verification}")
        item.add_marker(row.role)
        if row.gate:
            item.add_marker("gate")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Take the target's secrets out of what is said of a module that cannot be collected."""
    report = yield
    if report.failed:
        config = collector.config
        redact = Redactor(config.hook.pytest_check_secrets(config=config))
        report.longrepr = redact.whole(report.longreprtext)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the check's outcome on its report, and take the target's secrets out of it."""
    report = yield
    if call.when == "setup":
        item.stash[SETUP_SECONDS] = call.duration
    redact = Redactor(item.config.hook.pytest_check_secrets(config=item.config))
    outcome = examine(item, call, report, item.stash[SETUP_SECONDS], redact)
    if outcome:
        setattr(report, ATTRIBUTE, outcome.to_json())
        if outcome.status in ("unreachable", "error"):
            # pytest calls an error, not a failure, what went wrong before the call.
            report.when = "setup"
        if outcome.status in ("failed", "unreachable"):
            report.longrepr = f"{outcome.expected} {outcome.seen}"
        elif report.failed:
            report.longrepr = redact.text(report.longreprtext)
        elif isinstance(report.longrepr, tuple):
            path, line, reason = report.longrepr
            report.longrepr = (path, line, redact.text(reason))
    report.sections = [(name, redact.whole(text)) for name, text in report.sections]
    return report
