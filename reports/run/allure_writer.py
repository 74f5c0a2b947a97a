"""The writer of Allure results: allure-pytest's own, which tells no secret and never ends a run."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attr
import pytest
from allure_commons import hookimpl, plugin_manager
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    ATTACHMENT_PATTERN,
    Attachment,
    GlobalAttachment,
    GlobalError,
    Globals,
    Link,
    TestResult,
    TestResultContainer,
)
from allure_commons.types import AttachmentType
from allure_commons.utils import now, uuid4

from core.files import FileError, from_here, write_file
from core.language import tr
from core.outcome import check_id, read_outcome
from reports.model.report import Report, Result, place_results
from reports.model.report_json import to_json
from reports.render.allure import STATUSES, describe, explain, files_of, source_address, unreported
from reports.render.terminal import render
from reports.run.runbook_choice import bundle_for

WIDTH = 100
"""Columns of the verdict as text."""

REFERENCES = ("uuid", "children", "source", "fullName", "testCaseId", "historyId")
"""Fields that hold no text of a target, and by which Allure's files refer to each other."""


def register(config: pytest.Config) -> None:
    """Put our writer in the place of allure-pytest's until the run ends."""
    (theirs,) = (p for p in plugin_manager.get_plugins() if isinstance(p, AllureFileLogger))
    ours = Writer(config)
    plugin_manager.unregister(theirs)
    plugin_manager.register(ours)
    config.pluginmanager.register(ours, "veza-allure")

    def restore() -> None:
        plugin_manager.unregister(ours)
        # allure-pytest takes it out itself.
        plugin_manager.register(theirs)

    config.add_cleanup(restore)


class Writer(AllureFileLogger):
    """Writes what allure-pytest gives it, each check's result with what the check means.

    At the end of the run it adds what is known only then.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config.option.allure_report_dir)  # type: ignore[no-untyped-call]
        self._config = config
        self._redact = config.hook.pytest_check_redactor(config=config)
        target = config.hook.pytest_check_target(config=config)
        self._target = self._redact.text(target.name)
        self._others = set(self._results())
        self._settled: Result | None = None
        self._failure = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of the check whose result allure-pytest is going to give."""
        outcome = read_outcome(report)
        if outcome:
            evidence = bundle_for(self._config, report.nodeid).evidence
            (self._settled,) = place_results([outcome], evidence)

    @hookimpl
    def report_result(self, result: TestResult) -> None:
        """Write a check's result; one that was interrupted is left to the end of the run."""
        settled, self._settled = self._settled, None
        if settled:
            self._clean(result)
            self._describe(result, settled)
            self._try(super().report_result, result)

    @hookimpl
    def report_container(self, container: TestResultContainer) -> None:
        """Leave out what fixtures did: three a check, all of them machinery."""

    @hookimpl
    def report_attached_data(self, body: str | bytes, file_name: str) -> None:
        """Write an attachment, redacted where it is a text."""
        try:
            text = body if isinstance(body, str) else body.decode()
        except UnicodeDecodeError:
            self._try(super().report_attached_data, body, file_name)
        else:
            self._try(super().report_attached_data, self._redact.whole(text), file_name)

    @hookimpl
    def report_attached_file(self, source: str, file_name: str) -> None:
        """Write a copy of a file, redacted where it is a text."""
        self.report_attached_data(Path(source).read_bytes(), file_name)

    @hookimpl
    def report_globals(self, globals_item: Globals) -> None:
        """Write what belongs to no check."""
        self._try(super().report_globals, self._clean(globals_item))

    def pytest_check_report(self, report: Report, nodeids: Sequence[str]) -> str:
        """Add what is known at the end of the run; return the command that shows the results."""
        verdict = f"{report.headline}\n{render(report, WIDTH, verbose=True)}"
        self._complete(report, {check_id(nodeid): nodeid for nodeid in nodeids}, verdict)
        self._add_run(report, verdict)
        if self._failure:
            return tr("The Allure results were not written: {reason}", reason=self._failure)
        folder = from_here(self._report_dir)
        config = shlex.quote(str(folder / "allurerc.json"))
        return f"Allure: npx allure@3 open --config={config} {shlex.quote(str(folder))}"

    def _complete(self, report: Report, nodeids: dict[str, str], verdict: str) -> None:
        """Explain the results of the checks that do not hold; add those that were not written."""
        written = self._written()
        for result in report.results:
            bad = STATUSES[result.outcome.status] in ("failed", "broken")
            path, test = written.get(result.outcome.check, (None, None))
            if test is None or result.outcome.status == "missing":
                test = unreported(nodeids[result.outcome.check], report)
                self._describe(test, result)
            elif not bad:
                continue
            if bad:
                explain(test, result, report, self._attach("Verdict", verdict, AttachmentType.TEXT))
            if self._try(super().report_result, test) and path:
                self._try(path.unlink)

    def _add_run(self, report: Report, verdict: str) -> None:
        """Write what belongs to no check: the verdict, the whole report, categories and so on."""
        attached = [
            self._attach("Verdict", verdict, AttachmentType.TEXT),
            self._attach("report.json", to_json(report), AttachmentType.JSON),
        ]
        attachments = [GlobalAttachment(**attr.asdict(a), timestamp=now()) for a in attached]
        errors = [GlobalError(message=problem, timestamp=now()) for problem in report.problems]
        self._try(super().report_globals, Globals(attachments=attachments, errors=errors))
        environ = {name: self._redact.text(value) for name, value in os.environ.items()}
        for name, text in files_of(report, environ).items():
            self._try(write_file, self._report_dir / name, text)

    def _describe(self, test: TestResult, result: Result) -> None:
        document = bundle_for(self._config, None).document
        describe(test, result, document, self._target, self._attach)
        address = self._address(Path(document.path))
        test.links.append(Link(type="runbook", url=address, name=document.title))

    def _address(self, path: Path) -> str:
        """Return the runbook's address: by --allure-link-pattern, the CI system's, or its file."""
        root = self._config.rootpath
        place = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
        pattern = dict(self._config.option.allure_link_pattern).get("runbook")
        if pattern:
            return str(pattern.format(place or path.name))
        return (place and source_address(place, os.environ)) or path.resolve().as_uri()

    def _attach(self, name: str, text: str, kind: AttachmentType) -> Attachment:
        """Write a text that has been redacted; return the reference to it."""
        source = ATTACHMENT_PATTERN.format(prefix=uuid4(), ext=kind.extension)
        self._try(super().report_attached_data, text, source)
        return Attachment(name=name, source=source, type=kind.mime_type)

    def _results(self) -> dict[str, Path]:
        return {path.name: path for path in self._report_dir.glob("*-result.json")}

    def _written(self) -> dict[str, tuple[Path, TestResult]]:
        """Return this run's results, and where they are, by their check."""
        written = {}
        for name, path in self._results().items():
            if name in self._others:
                continue
            try:
                test = TestResult(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                # It is none of ours.
                continue
            labels = {label["name"]: label["value"] for label in test.labels}
            # Runs of other targets may write into the same folder.
            if {"name": "target", "value": self._target} in test.parameters:
                written[labels.get("check", "")] = path, test
        return written

    def _clean(self, value: Any) -> Any:
        """Return one of Allure's values with every text within it redacted, in place."""
        if isinstance(value, str):
            return self._redact.whole(value)
        if isinstance(value, list):
            return [self._clean(part) for part in value]
        if attr.has(type(value)):
            for name in vars(value).keys() - set(REFERENCES):
                setattr(value, name, self._clean(getattr(value, name)))
        return value

    def _try(self, write: Callable[..., None], *arguments: Any) -> bool:
        """Say whether something could be written; what stood against it is told at the end."""
        try:
            write(*arguments)
        except OSError as exc:
            self._failure = self._failure or f"{self._report_dir}: {exc.strerror or exc}"
        except FileError as exc:
            self._failure = self._failure or str(exc)
        else:
            return True
        return False
