"""The terminal's output during a run: what it waits for and, as the last thing, the verdict."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from core.files import from_here
from core.language import tr
from core.outcome import check_id, component_word, read_outcome
from reports.run.runbook_choice import bundle_for

if TYPE_CHECKING:
    from reports.run.controller import Controller

INTERVAL = 0.5
"""Seconds between two updates of the line that says what is waited for."""

CLEAR = "\r\x1b[K"
"""The control sequence that empties the current line of a terminal."""


class Display:
    """Prints for a run."""

    def __init__(self, config: pytest.Config, controller: Controller) -> None:
        self._config = config
        self._controller = controller
        self._progress: Progress | None = None

    @property
    def _terminal(self) -> Any:
        """Return pytest's terminal reporter, None under -p no:terminal."""
        return self._config.pluginmanager.get_plugin("terminalreporter")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        option = self._config.option
        quiet = option.verbose < 0 and option.capture != "no" and not option.usepdb
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        if self._terminal and self._terminal.isatty and quiet and not dumb:
            self._progress = Progress(self._config)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._progress:
            self._progress.begin(nodeid, len(self._controller.collector.selected))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if self._progress:
            self._progress.end(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, Any], tuple[str, str, Any]]:
        """Give an unreachable check its own word, and no letter where there is a progress line."""
        category, letter, word = yield
        outcome = read_outcome(report)
        if outcome and outcome.status == "unreachable":
            category, letter, word = "unreachable", "U", ("UNREACHABLE", {"yellow": True})
        return (category, "", "") if self._progress else (category, letter, word)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        self._stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Print the verdict when pytest has printed all that it prints."""
        self._stop()
        result = yield
        self.print_now()
        return result

    def print_now(self) -> None:
        """Print the verdict, if there is one."""
        self._stop()
        if self._controller.report and self._terminal:
            self._terminal.ensure_newline()
            self._print()

    def _stop(self) -> None:
        if self._progress:
            self._progress.stop()

    def _print(self) -> None:
        from reports.render.terminal import render
        from reports.render.terminal_verdict import Footer
        from reports.render.words import as_ascii, has_unicode

        controller, terminal = self._controller, self._terminal
        assert controller.report
        writer = self._config.get_terminal_writer()
        unicode = has_unicode(getattr(writer._file, "encoding", None))  # noqa: SLF001
        notes = controller.notes
        if len(controller.decision) > writer.fullwidth - 2:
            notes = (*notes, controller.decision)
        for sentence in notes:
            terminal.write_line(sentence if unicode else as_ascii(sentence))
        page = controller.path / "report.html"
        footer = Footer(
            page=str(from_here(page)),
            decision=controller.decision,
            unwritten=controller.unwritten,
        )
        text = render(
            controller.report,
            writer.fullwidth,
            footer,
            controller.runs,
            color=terminal.hasmarkup,
            unicode=unicode,
            verbose=self._config.option.verbose >= 0,
        )
        terminal.write(text)
        terminal.flush()


class Progress:
    """One line on a terminal that says what the run waits for, and for how long already."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._writer = config.get_terminal_writer()
        self._waiting: dict[str, float] = {}
        self._begun: set[str] = set()
        self._again = False
        self._total = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        # A check that waits holds the main thread.
        self._thread = threading.Thread(target=self._update, daemon=True, name="veza-progress")
        self._thread.start()

    def begin(self, nodeid: str, total: int) -> None:
        """Show that a check has begun."""
        with self._lock:
            self._again = nodeid in self._begun
            self._begun.add(nodeid)
            self._waiting[nodeid] = time.monotonic()
            self._total = total
        self._show()

    def end(self, nodeid: str) -> None:
        with self._lock:
            self._waiting.pop(nodeid, None)

    def stop(self) -> None:
        """Empty the line; safe to call again."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join()
            self._writer.write_raw(CLEAR, flush=True)

    def _update(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._show()

    def _show(self) -> None:
        with self._lock:
            if self._stopped.is_set() or not self._waiting:
                return
            nodeid, since = min(self._waiting.items(), key=lambda pair: pair[1])
            counted = f"{len(self._begun)}/{self._total}"
            text = self._text(nodeid, time.monotonic() - since)
            again = tr(" · looking again at what failed") if self._again else ""
            line = f"{text} · {counted}{again}"[: self._writer.fullwidth - 1]
            self._writer.write_raw(f"{CLEAR}{line}", flush=True)

    def _text(self, nodeid: str, seconds: float) -> str:
        check = check_id(nodeid)
        row = bundle_for(self._config, nodeid).evidence.row(check)
        component = row.component if row else check.partition("/")[0]
        limit = self._config.hook.pytest_check_time_limit(config=self._config, component=component)
        name = component_word(component)
        if seconds < 1:
            return tr("waiting for the {component}", component=name)
        waited = f"{seconds:.0f}"
        if not limit or seconds > limit:
            return tr("waiting for the {component}, {seconds} s", component=name, seconds=waited)
        return tr(
            "waiting for the {component}, {seconds} of {limit} s",
            component=name,
            seconds=waited,
            limit=round(limit),
        )
