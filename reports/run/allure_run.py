"""The pytest hooks of the Allure results, in the controlling process of a run that wants them."""

from __future__ import annotations

import os
import platform
import re
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from core.outcome import check_id
from core.secrets import Redactor
from reports.render.allure_about import source_address
from reports.render.allure_files import Run, Span, allure_files
from reports.render.terminal import render
from reports.run.runbook_choice import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.model.report import Report

WIDTH = 100
"""Columns of the verdict as text."""

OURS = re.compile(
    r".+-(result|container|globals)\.json|.+-attachment(\..+)?"
    r"|(categories|executor|allurerc)\.json|environment\.properties"
)
"""The names of the files that make up Allure results."""


class AllureRun:
    """Notes when each check ran, and writes the results when the report is there."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._started = time.time()
        self._nodeids: dict[str, str] = {}
        self._spans: dict[str, Span] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._select(ids)

    def _select(self, nodeids: Sequence[str]) -> None:
        self._nodeids.update({check_id(nodeid): nodeid for nodeid in nodeids})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check = check_id(report.nodeid)
        if report.start:
            known = self._spans.get(check)
            start = min(known.start, report.start) if known else report.start
            process = str(getattr(report, "worker_id", ""))
            self._spans[check] = Span(start, max(report.stop, start), process)

    @pytest.hookimpl(optionalhook=True)
    def pytest_check_report(self, report: Report) -> str | None:
        """Write the results; return a sentence where they cannot be written."""
        redact = Redactor(self._config.hook.pytest_check_secrets(config=self._config) or ())
        run = Run(
            id=uuid.uuid4().hex,
            started=self._started,
            verdict=render(report, width=WIDTH, color=False, path=""),
            link=self._link(),
            machine=platform.node(),
            nodeids=self._nodeids,
            spans=self._spans,
            environ={name: redact.text(value) for name, value in os.environ.items()},
        )
        try:
            if self._config.option.clean_alluredir:
                clean(self._folder)
            write_all(self._folder, allure_files(report, run))
        except OSError as exc:
            return f"The Allure results were not written: {self._folder}: {exc.strerror or exc}"
        return None

    def _link(self) -> str:
        """Return the runbook's address: by --allure-link-pattern, the CI system's, or its file."""
        config = self._config
        target = config.hook.pytest_check_target(config=config)
        given = config.getoption("runbook_doc") or target.runbook_document
        folder = config.stash[FOLDER]
        path = config.invocation_params.dir / given if given else folder / "runbook.md"
        within = path.is_relative_to(config.rootpath)
        place = path.relative_to(config.rootpath).as_posix() if within else ""
        patterns = dict(config.option.allure_link_pattern)
        if "runbook" in patterns:
            return str(patterns["runbook"]).replace("{}", place or path.name)
        return (place and source_address(place, os.environ)) or path.resolve().as_uri()


def clean(folder: Path) -> None:
    """Remove Allure's files from a folder, and nothing else that may be there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if OURS.fullmatch(path.name) and path.is_file():
            path.unlink()


def write_all(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, each whole or not at all; raises OSError and then leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    begun: list[Path] = []
    try:
        for name, text in files.items():
            part = folder / f".{name}.part"
            begun.append(part)
            part.write_text(text, encoding="utf-8", errors="replace")
            part.replace(folder / name)
            begun[-1] = folder / name
    except OSError:
        for path in begun:
            path.unlink(missing_ok=True)
        raise
