"""`--junitxml`: add the checks' meaning and the verdict to pytest's own JUnit XML."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence

import pytest

# pytest has no public name for it. Its own fixture for the suite's properties finds the writer in
# the same way.
from _pytest.junitxml import LogXML, xml_key

from core.language import tr
from core.outcome import Outcome, check_id, read_outcome
from reports.model.attribution import attribute
from reports.model.report import Report, Result, VerificationTitle, place_results, titles_of
from reports.render.first_steps import first_steps, verify_command
from reports.render.verdict_words import cause_of
from reports.run.runbook_choice import bundle_for


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Watch pytest's writer; without --junitxml there is none."""
    log = config.stash.get(xml_key, None)
    if log is not None:
        config.pluginmanager.register(JUnit(config, log), "veza-junit")


class JUnit:
    """Adds properties to pytest's JUnit XML, and to checks that never ran a test case."""

    def __init__(self, config: pytest.Config, log: LogXML) -> None:
        self._config = config
        self._log = log
        self._outcomes: dict[str, Outcome] = {}
        self._failure = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the check's properties to each of its reports, of which pytest takes the last."""
        outcome = read_outcome(report) or self._outcomes.get(report.nodeid)
        if outcome:
            self._outcomes[report.nodeid] = outcome
            bundle = bundle_for(self._config, report.nodeid)
            (result,) = place_results([outcome], bundle.evidence)
            report.user_properties += properties_of(result, titles_of(bundle.document))

    def pytest_check_report(self, report: Report, nodeids: Sequence[str]) -> None:
        """Add what is known only at the end of the run."""
        for name, value in suite_properties(report):
            self._log.add_global_property(name, value)
        places = {check_id(nodeid): nodeid for nodeid in nodeids}
        for result in report.results:
            if result.outcome.status == "missing":
                self._add_missing(places[result.outcome.check], result, report)

    def _add_missing(self, nodeid: str, result: Result, report: Report) -> None:
        """Give a check that never reported a test case with an error: its silence is not health."""
        path, _, name = nodeid.partition("::")
        made = pytest.TestReport(
            nodeid, (path, None, name), {}, "failed", result.outcome.seen, "setup"
        )
        self._log.pytest_runtest_logreport(made)
        case = self._log.node_reporter(made)
        for name, value in properties_of(result, report.verifications):
            case.add_property(name, value)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Have the file written when the report is there, whatever becomes of the writing.

        pytest writes it before that, and an error of its would cost the verdict and leave fixtures
        and worker processes open. A run without its file is no success: who reads the file of an
        earlier run must not take it for this one.
        """
        path, self._log.logfile = self._log.logfile, os.devnull
        try:
            return (yield)
        finally:
            self._log.logfile = path
            self.pytest_check_write_now()
            if self._failure:
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_check_write_now(self) -> None:
        try:
            self._log.pytest_sessionfinish()
        except OSError as exc:
            reason = f"{self._log.logfile}: {exc.strerror or exc}"
            self._failure = tr("The JUnit file was not written: {reason}", reason=reason)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._failure:
            terminalreporter.write_line(self._failure)


def properties_of(
    result: Result, verifications: Sequence[VerificationTitle]
) -> list[tuple[str, str]]:
    """Return the properties of a check's test case."""
    title = next((v.title for v in verifications if v.number == result.verification), "")
    return [
        ("check", result.outcome.check),
        ("verification", f"{result.verification} {title}".strip()),
        ("role", result.role),
        ("component", result.component),
        ("status", result.outcome.status),
    ]


def suite_properties(report: Report) -> list[tuple[str, str]]:
    """Return the properties of the test suite: the verdict, and what explains each failure."""
    diagnosis = report.diagnosis
    properties = [
        ("target", report.target.name),
        ("environment", report.target.environment),
        ("runbook", report.runbook),
        ("started", report.started),
        ("state", report.state),
        ("verdict", report.headline),
        ("certainty", diagnosis.certainty),
    ]
    if diagnosis.certainty != "none":
        properties.append(("cause", cause_of(report)))
        steps = first_steps(report)
        properties += [
            (f"action.{number}", "\n".join([step.title, *(c.text.strip() for c in step.commands)]))
            for number, step in enumerate(steps, start=1)
        ]
        properties.append(("verify", verify_command(report)))
        properties.append(("top_hypothesis", diagnosis.hypotheses[0].id))
        properties += [
            (f"probability.{h.id}", f"{h.probability:.4f}") for h in diagnosis.hypotheses
        ]
    for result in report.results:
        attribution = attribute(result, diagnosis)
        if attribution and attribution.cause:
            properties.append((f"hypothesis.{result.outcome.check}", attribution.cause.id))
    return properties
