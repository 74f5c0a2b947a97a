"""The pytest hooks of the reports in the controlling process: collect, judge, tell."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.assemble import assemble
from reports.collector import Collector
from reports.examine import PROPERTY
from reports.library import open_book
from reports.outcome import Outcome
from reports.redact import Redactor
from reports.render.json import render as render_json
from reports.report import exit_status
from reports.write import WriteError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.assemble import Book
    from reports.report import Report


class Controller:
    """Gathers the outcomes of a run, makes the report, writes and prints it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collector = Collector(config.rootpath)
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._book: Book | None = None
        self._report: Report | None = None
        self._path = config.rootpath
        self._unwritten = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        # Not earlier: a lab that is started for the run is no part of it.
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._select(ids)

    def _select(self, nodeids: Sequence[str]) -> None:
        self._collector.select(nodeids)
        if self._config.option.collectonly:
            return
        # Read now: a document that does not fit is a usage error, not a surprise at the end.
        self._book = self._book or open_book(self._config, nodeids[0] if nodeids else None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            last = " ".join(report.longreprtext.strip().splitlines()[-1:])
            self._collector.problem(f"{report.nodeid or 'the checks'} cannot be collected: {last}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when not in ("setup", "call", "teardown"):
            # xdist's own report of a worker process that is gone.
            self._collector.crash(report.nodeid, report.longreprtext)
        for name, value in report.user_properties[-1:]:
            if name == PROPERTY:
                self._collector.add(Outcome.from_json(str(value)))

    def pytest_internalerror(self, excrepr: object) -> None:
        last = str(excrepr).strip().splitlines()[-1:]
        self._collector.problem(f"the suite itself failed: {' '.join(last)}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest and xdist say why they stop: the budget is used up, a collection failed.
        why = str(excinfo.value) or "the run was interrupted"
        self._collector.problem(f"{why}; what is below is a part of it")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if session.config.option.collectonly:
            return
        reason = session.shouldstop or session.shouldfail or "the run ended before it"
        report = self._assemble(str(reason))
        self._report = report
        session.exitstatus = exit_status(int(exitstatus), report.state)
        self._path = self._config.rootpath / self._config.getoption("out") / report.target["name"]
        try:
            write_atomically(self._path / "report.json", render_json(report))
        except WriteError as exc:
            self._unwritten = str(exc)

    def _assemble(self, reason: str) -> Report:
        book = self._book or open_book(self._config, None)
        hook = self._config.hook
        secrets = hook.pytest_check_secrets(config=self._config)
        report = assemble(
            self._collector.outcomes(reason),
            self._collector.problems,
            hook.pytest_check_target(config=self._config),
            book,
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - self._clock,
        )
        return Redactor(secrets).within(report)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the report; pytest's own one-line summary follows it."""
        if self._report is None:
            return
        from reports.render.terminal import render

        writer = self._config.get_terminal_writer()
        path = self._path / "report.json"
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        text = render(
            self._report,
            width=writer.fullwidth,
            color=terminalreporter.hasmarkup,
            path="" if self._unwritten else str(shown),
        )
        terminalreporter.write(text)
        if self._unwritten:
            terminalreporter.write_line(f"The report was not written: {self._unwritten}")
