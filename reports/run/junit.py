"""pytest's own junit.xml, with what each check means and what the run found out."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.junitxml import LogXML, xml_key

from core.files import FileError, write_file
from core.text import clean
from reports.model.attribution import attribute, reason
from reports.run.call_outcome import PROPERTY

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from reports.model.report import Report, Result

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
MASK = "***"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put our writer in the place of pytest's; without --junitxml there is none."""
    log = config.stash.get(xml_key, None)
    if log is None:
        return
    config.pluginmanager.unregister(log)
    config.stash[xml_key] = JUnit(config, log)
    config.pluginmanager.register(config.stash[xml_key], "veza-junit")


class JUnit(LogXML):
    """pytest's own, written when the report is there, or at the end of a run that has none.

    pytest's writes in the middle of the run's end, and stops it with a traceback where the file
    cannot be written: there would be no verdict.
    """

    def __init__(self, config: pytest.Config, log: LogXML) -> None:
        super().__init__(
            log.logfile,
            log.prefix,
            log.suite_name,
            log.logging,
            log.report_duration,
            log.family,
            log.log_passing_tests,
        )
        self._config = config
        self._path = Path(self.logfile)
        self._written = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_check_report(self, report: Report) -> str | None:
        """Write the file; return a sentence where it cannot be written."""
        return self._write(report)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None]:  # type: ignore[override]
        """Write what pytest would, for a run that ends without a report."""
        try:
            return (yield)
        finally:
            if not self._written:
                self._write(None)

    def _write(self, report: Report | None) -> str | None:
        self._written = True
        secrets = self._config.hook.pytest_check_secrets(config=self._config) or ()
        try:
            write_file(self._path, annotate(self._text(), report, secrets))
        except (FileError, OSError) as exc:
            return f"The JUnit file was not written: {exc}"
        return None

    def _text(self) -> str:
        """Return what pytest would have written."""
        part = self._path.with_name(f".{self._path.name}.part")
        self.logfile = str(part)
        try:
            super().pytest_sessionfinish()
            return part.read_text(encoding="utf-8")
        finally:
            part.unlink(missing_ok=True)


def annotate(text: str, report: Report | None, secrets: Sequence[str] = ()) -> str:
    """Return pytest's JUnit XML with the report in it as properties, and without `secrets`.

    Each test case says its check, verification, role and status, and one that does not hold what
    it counts for; the suite says the verdict. A check that never ran gets a test case with an
    error: who reads the file must not take its silence for health.
    """
    root = ET.fromstring(text)  # noqa: S314 - it reads what pytest has just written
    cases = [(case, _check_of(case)) for case in root.iter("testcase")]
    if report:
        results = {result.outcome.check: result for result in report.results}
        for case, check in cases:
            if check in results:
                _tell_case(case, results[check], report)
        for suite in root.iter("testsuite"):
            _tell_suite(suite, report)
            _add_silent(suite, report, {check for _, check in cases})
    for element in root.iter():
        _redact(element, secrets)
    return DECLARATION + ET.tostring(root, encoding="unicode") + "\n"


def _check_of(case: ET.Element) -> str:
    """Return a test case's check; the outcome that it carries is taken out of it."""
    module = case.get("classname", "").rpartition(".")[2].removeprefix("test_")
    check = f"{module}/{case.get('name', '').removeprefix('test_')}"
    for properties in case.findall("properties"):
        for one in [p for p in properties if p.get("name") == PROPERTY]:
            # A worker process that crashed has left none: then the names must do.
            check = str(json.loads(one.get("value", "{}")).get("check", check))
            properties.remove(one)
        if not len(properties):
            case.remove(properties)
    return check


def _tell_case(case: ET.Element, result: Result, report: Report) -> None:
    outcome, attribution = result.outcome, attribute(result, report.diagnosis)
    properties = case.find("properties")
    if properties is None:
        properties = ET.Element("properties")
        case.insert(0, properties)
    _tell(properties, "check", outcome.check)
    _tell(properties, "verification", _verification(result, report))
    _tell(properties, "role", result.role)
    _tell(properties, "component", result.component)
    _tell(properties, "status", outcome.status)
    if attribution:
        _tell(properties, "category", attribution.category)
        if attribution.cause:
            _tell(properties, "hypothesis", attribution.cause.id)
            _tell(properties, "hypothesis_probability", f"{attribution.cause.probability:.4f}")
    # pytest's own message calls whatever could not look "failed on setup".
    for error in case.findall("error"):
        error.set("message", reason(outcome)[0])


def _tell_suite(suite: ET.Element, report: Report) -> None:
    properties = ET.Element("properties")
    suite.insert(0, properties)
    _tell(properties, "target", report.target.name)
    _tell(properties, "environment", report.target.environment)
    _tell(properties, "runbook", report.runbook)
    _tell(properties, "started", report.started)
    _tell(properties, "state", report.state)
    _tell(properties, "verdict", report.headline)
    _tell(properties, "certainty", report.diagnosis.certainty)
    if report.diagnosis.certainty == "none":
        return
    first = report.diagnosis.hypotheses[0]
    _tell(properties, "top_hypothesis", first.id)
    for finding in report.diagnosis.hypotheses:
        _tell(properties, f"probability.{finding.id}", f"{finding.probability:.4f}")


def _add_silent(suite: ET.Element, report: Report, told: set[str]) -> None:
    """Add a test case for each check that was selected and left none."""
    silent = [r for r in report.results if r.outcome.check not in told]
    first = suite.find("testcase")
    package = first.get("classname", "").rpartition(".")[0] if first is not None else "checks"
    for result in silent:
        module, _, name = result.outcome.check.partition("/")
        place = f"{package}.test_{module}"
        case = ET.SubElement(suite, "testcase", classname=place, name=f"test_{name}", time="0.000")
        ET.SubElement(case, "error", message="")
        _tell_case(case, result, report)
    for count in ("tests", "errors"):
        suite.set(count, str(int(suite.get(count, "0")) + len(silent)))


def _verification(result: Result, report: Report) -> str:
    titles = {step.number: step.title for step in report.verifications}
    return f"{result.verification} {titles.get(result.verification, '')}".strip()


def _tell(properties: ET.Element, name: str, value: str) -> None:
    # Control characters have no place in XML, not even escaped.
    ET.SubElement(properties, "property", name=name, value=clean(value))


def _redact(element: ET.Element, secrets: Sequence[str]) -> None:
    for secret in secrets:
        element.text = (element.text or "").replace(secret, MASK) or None
        for name, value in element.attrib.items():
            element.set(name, value.replace(secret, MASK))
