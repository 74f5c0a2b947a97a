"""The pytest hooks of the reports for a run: collect, diagnose, report."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.files import FileError, write_file
from core.language import mark, tr
from core.outcome import Outcome, check_id, is_canary, read_outcome
from core.text import titled
from reports.diagnosis.evidence import Evidence
from reports.history.confirmed import seen_before
from reports.history.incidents import RunRecord
from reports.model.build import EndedRun, build_report
from reports.model.headline import INTERRUPTED
from reports.model.report import Report, unselected_of
from reports.model.report_json import PARTIAL, to_json
from reports.run.artifacts import write_artifacts, write_partial
from reports.run.collector import Collector
from reports.run.gate import is_gate, verdict
from reports.run.runbook_choice import bundle_for, document_of

BUDGET_USED = mark("the run's budget is used up")
HANGS = mark("the check hangs: it had not ended when the run's budget was used up")


class Controller:
    """Collects the outcomes of a run, makes the report and writes it; `Display` prints it.

    `report` is None until the run is over. `path` is the folder of its files, `unwritten` why
    report.json could not be written, `decision` the sentence of a gate or a baseline, `notes` the
    lines to print before the verdict, `runs` the last ones of the history with this one.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected = False
        self._uncollected = False
        self._interrupted = False
        self.collector = Collector(config.rootpath)
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self.report: Report | None = None
        self._baseline: Report | None = None
        self.decision = ""
        self.path = config.rootpath
        self.unwritten = ""
        self.notes: tuple[str, ...] = ()
        self.runs: tuple[RunRecord, ...] = ()
        self._claim = threading.Lock()
        self._begun: dict[str, None] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        # Not earlier: the start of a lab is not part of the run.
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()

        self._baseline = self._read_baseline()

    def _read_baseline(self) -> Report | None:
        option = self._config.getoption("baseline")
        if not option:
            return None
        from reports.model.report_json import LoadError, load_report

        try:
            return load_report(self._config.invocation_params.dir / option)
        except LoadError as exc:
            raise pytest.UsageError(titled("--baseline", exc)) from exc

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note a deselected check; the canary's are deselected unless --canary asks for them."""
        if any(not is_canary(check_id(item.nodeid)) for item in items):
            self._deselected = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        nodeids = [item.nodeid for item in session.items]
        self.collector.select(nodeids)
        if self._config.hook.pytest_check_target(config=self._config) is not None:
            # Read now: a document that does not fit is a usage error, not a failure at the end.
            bundle_for(self._config, nodeids[0] if nodeids else None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._uncollected = True
            last = " ".join(report.longreprtext.strip().splitlines()[-1:])
            problem = (
                tr("{file} cannot be collected: {error}", file=report.nodeid, error=last)
                if report.nodeid
                else tr("the checks cannot be collected: {error}", error=last)
            )
            self.collector.problem(problem)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = read_outcome(report)
        if outcome:
            self.collector.add(outcome)

    def pytest_internalerror(self, excrepr: object) -> None:
        last = str(excrepr).strip().splitlines()[-1:]
        self.collector.problem(tr("the suite itself failed: {error}", error=" ".join(last)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest gives the reason: the budget is used up, a collection failed.
        self._break_off(str(excinfo.value))

    def _break_off(self, why: str = "") -> None:
        """Note that the run ended before its last check; without a reason it was interrupted."""
        self._interrupted = not why
        why = why or tr("the run was interrupted")
        self.collector.problem(f"{why}{tr(INTERRUPTED)}")

    def _note_signal(self) -> bool:
        """Note that a signal ended the checks, and return whether one did."""
        if self._config.hook.pytest_check_interrupted(config=self._config):
            self._break_off()
        return self._interrupted

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begun[nodeid] = None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._begun.pop(nodeid, None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        runs = self._config.hook.pytest_check_target(config=self._config) is not None
        if not runs or exitstatus == pytest.ExitCode.USAGE_ERROR:
            # A usage error is not a run: it gets its sentence, and the last report stays.
            return
        # Never released: there is one report. A thread that came first ends the process.
        self._claim.acquire()
        if self._note_signal():
            exitstatus = int(pytest.ExitCode.INTERRUPTED)
        reason = session.shouldstop or session.shouldfail or tr("the run ended before this check")
        session.exitstatus = self._write_report(str(reason), int(exitstatus))

    def pytest_check_verdict_now(self, config: pytest.Config) -> int | None:
        """Write and print the report in another thread than pytest's, which hangs."""
        if not self._claim.acquire(blocking=False):
            return None
        self._note_signal()
        self.collector.problem(f"{tr(BUDGET_USED)}{tr(INTERRUPTED)}")
        self.collector.hanging = dict.fromkeys(map(check_id, self._begun), tr(HANGS))
        status = self._write_report(tr(BUDGET_USED), int(pytest.ExitCode.INTERRUPTED))
        config.hook.pytest_check_write_now()
        display = config.pluginmanager.get_plugin("veza-display")
        if display is not None:
            display.print_now()
        return status

    def _write_report(self, reason: str, exitstatus: int) -> int:
        """Write the files; returns the run's exit status."""
        report = self._build_report(reason)
        self.report = report
        status, self.decision = verdict(
            exitstatus,
            report,
            gate=is_gate(self._config.option.markexpr),
            baseline=self._baseline,
        )
        self.path = self._folder_of(report.target.name, report.runbook_name)
        if report.partial:
            self.path /= PARTIAL
        try:
            write_file(self.path / "report.json", to_json(report))
        except FileError as exc:
            self.unwritten = str(exc)
            # The report of an earlier run stays, and who reads it must not take it for this one.
            status = status or int(pytest.ExitCode.TESTS_FAILED)
        if report.partial:
            notes = write_partial(self.path, report)
        else:
            bundle = bundle_for(self._config, None)
            notes, self.runs = write_artifacts(self.path, report, bundle)
        lines = self._config.hook.pytest_check_report(
            config=self._config, report=report, nodeids=self.collector.selected
        )
        self.notes = (*notes, *lines)
        return status

    def _folder_of(self, target: str, runbook: str) -> Path:
        """Return the folder of the files of one runbook's runs against a target."""
        return Path(self._config.rootpath, self._config.getoption("out"), target, runbook)

    def _build_report(self, reason: str) -> Report:
        hook, bundle = self._config.hook, bundle_for(self._config, None)
        # Everything is redacted before it goes into the report.
        redact = hook.pytest_check_redactor(config=self._config)
        target = redact.within(hook.pytest_check_target(config=self._config))
        own_document = document_of(self._config)
        target = replace(target, runbook_document=bundle.document.path if own_document else None)
        folder = self._folder_of(target.name, bundle.name)
        outcomes = self.collector.outcomes(reason, redact)
        narrowed = self._is_narrowed(outcomes, bundle.evidence)
        run = EndedRun(
            outcomes,
            [redact.text(problem) for problem in self.collector.problems],
            target,
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - self._clock,
            partial=narrowed or self._interrupted,
            journeys=tuple(
                map(redact.within, hook.pytest_check_journeys(config=self._config) or ())
            ),
            seen_before=tuple(map(redact.within, seen_before(folder))),
        )
        return build_report(run, bundle)

    def _is_narrowed(self, outcomes: Sequence[Outcome], evidence: Evidence) -> bool:
        """Return whether the command line kept the run from doing all of the runbook's checks.

        A check that is not there, or that cannot be collected, narrows no run: that is a fault of
        the suite, and the whole run's report must show it.
        """
        option = self._config.option
        places = self._config.args_source is pytest.Config.ArgsSource.ARGS
        places = places or bool(option.ignore or option.ignore_glob)
        # Options of pytest's plugins are missing where -p leaves the plugin out.
        places = places or getattr(option, "lf", False)
        ends_early = option.maxfail or getattr(option, "stepwise", False)
        return bool(
            self._deselected
            or getattr(option, "setuponly", False)
            or (places and not self._uncollected and unselected_of(outcomes, evidence))
            or (ends_early and any(outcome.status == "missing" for outcome in outcomes))
            or self._config.hook.pytest_check_named_items(config=self._config)
        )
