"""The Allure results as a person sees them: a page made by the real Allure 3, in a real browser."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from core.outcome import Observation, Outcome
from core.target_summary import TargetSummary
from reports.diagnosis.evidence import load_evidence
from reports.model.build import build_report
from reports.model.bundle import RunbookBundle
from reports.render.allure_files import Run, allure_files
from reports.render.terminal import render
from reports.run.allure_run import write_all
from reports.runbook.markdown import load_runbook
from tests.suite import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from reports.model.report import Report

RUNBOOK = ROOT / "runbooks" / "upload_stuck"
HOSTILE = "the log says <script>window.broken = true</script><img src=x onerror='broken = true'>"

FAILING = {
    "signal/no_upload_is_stuck": ("failed", "8 uploads stuck, oldest 47 min"),
    "worker/process_is_running": ("failed", "no running process matches the worker's pattern"),
    "queue/queue_has_a_consumer": ("failed", "queue process_upload: 11 ready, 0 consumers"),
    "worker/worker_is_logging": ("failed", "the worker's log moved 50 min ago"),
    "database/jobs_start_promptly": ("failed", "11 jobs wait, the oldest for 47 min"),
    "upload_status/worker_health_is_ok": ("failed", "the API says that no worker is alive"),
    "logs/no_recent_processing_errors": ("failed", HOSTILE),
    "worker/process_is_settled": ("unreachable", "no process to look at"),
}

GENERATE_MAX = 120.0
"""Seconds that Allure may take for a page."""

PATIENCE = 10_000.0
"""Milliseconds that the page may take to show something."""


def needed(name: str, variable: str) -> str:
    """The path of a program; without it the test skips, or fails where it must not."""
    path = os.environ.get(variable) or shutil.which(name)
    if path:
        return path
    reason = f"{name} is not installed (npm install allure, apt-get install chromium): {variable}"
    if os.environ.get("VEZA_REQUIRE_ALLURE"):
        pytest.fail(reason)
    pytest.skip(reason)


def report_of(failing: dict[str, Any], started: str) -> Report:
    """A report in which every check passed but these."""
    evidence = load_evidence(RUNBOOK / "evidence.toml")
    document = load_runbook(
        RUNBOOK / "runbook.md",
        hypotheses=len(evidence.hypotheses),
        verifications=max(row.verification for row in evidence.checks),
    )
    outcomes = []
    for row in evidence.checks:
        status, seen = failing.get(row.id, ("passed", ""))
        note = Observation("made.up", seen or "as expected", {"depth": 3}, 0.01)
        name = row.id.partition("/")[2].replace("_", " ").capitalize()
        outcomes.append(Outcome(row.id, status, f"{name}.", seen, (note,), 0.02))
    target = TargetSummary("made-up", "lab", {"queue": "q at amqp://127.0.0.1"})
    return build_report(outcomes, (), target, RunbookBundle(document, evidence), started, 1.5)


def generate(folder: Path, report: Report, started: float) -> Path:
    """Write a run's results and have Allure make its page, with the history in `folder`."""
    allure = needed("allure", "VEZA_ALLURE")
    results, page = folder / f"results-{started:.0f}", folder / f"page-{started:.0f}"
    verdict = render(report, width=100, color=False, path="")
    run = Run(f"{started}", started, verdict, link="https://veza.example/runbook.md")
    write_all(results, allure_files(report, run))
    config = json.loads((results / "allurerc.json").read_text())
    config["historyPath"] = str(folder / "history.jsonl")
    (folder / "allurerc.json").write_text(json.dumps(config))
    done = subprocess.run(
        [allure, "generate", f"--config={folder / 'allurerc.json'}", f"--output={page}", results],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GENERATE_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The pages of an incident and of the healthy run after it."""
    folder = tmp_path_factory.mktemp("allure")
    incident = report_of(FAILING, "2026-01-01T00:00:00+00:00")
    healthy = report_of({}, "2026-01-01T01:00:00+00:00")
    return generate(folder, incident, 1767225600.0), generate(folder, healthy, 1767229200.0)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and does not talk of it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


class Browser:
    """A page opened from its folder, and what went wrong on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # Allure's own page counts its visitors with Google: a test asks nobody outside.
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())
        page.goto(address, wait_until="networkidle")


@pytest.fixture
def browse() -> Iterator[Any]:
    """Open a folder's page in Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = needed("chromium", "VEZA_CHROMIUM")
    servers: list[http.server.ThreadingHTTPServer] = []
    with sync_api.sync_playwright() as playwright:
        # Debian's Chromium has no sandbox for root, whom a container runs tests as.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def open_page(folder: Path) -> Browser:
            serve = partial(Quiet, directory=str(folder))
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
            servers.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = browser.new_page(
                viewport={"width": 1400, "height": 1100}, locale="en-US", timezone_id="UTC"
            )
            page.set_default_timeout(PATIENCE)
            return Browser(page, f"http://127.0.0.1:{server.server_port}/")

        yield open_page
        browser.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def see(page: Page, text: str) -> None:
    """Wait until the page shows a text."""
    page.get_by_text(text).first.wait_for(state="visible")


def test_the_page_names_the_verdict(pages: tuple[Path, Path], browse: Any) -> None:
    """The first screen has the verdict, the target, and failed apart from broken."""
    opened = browse(pages[0])
    see(opened.page, "Upload stuck on made-up. Incident: ")
    see(opened.page, "Most likely: job worker down (")
    summary = " ".join(opened.page.inner_text("body").split())
    assert "Failed 7 Broken 1 " in summary
    assert summary.index("0. Signal") < summary.index("1. The upload's status")
    assert opened.errors == []


def test_defects_are_sorted_by_hypothesis(pages: tuple[Path, Path], browse: Any) -> None:
    """The categories are the causes, the likeliest first, then what could not look."""
    opened = browse(pages[0])
    opened.page.get_by_text("Categories").first.click()
    see(opened.page, "Unreachable")
    shown = " ".join(opened.page.inner_text("body").split())
    assert shown.index("Job worker down") < shown.index("Queue has a consumer.")
    assert shown.index("Queue has a consumer.") < shown.index("Unreachable")
    assert shown.index("Unreachable") < shown.index("Process is settled.")
    assert "Product errors" not in shown


def test_a_defect_explains_itself(pages: tuple[Path, Path], browse: Any) -> None:
    """A failed check shows what was seen, its category, its observations, and the verdict."""
    opened = browse(pages[0])
    opened.page.get_by_text("Queue has a consumer.").first.click()
    see(opened.page, "queue process_upload: 11 ready, 0 consumers")
    see(opened.page, "Category: Job worker down")
    see(opened.page, "Explained by: Job worker down")
    see(opened.page, "made.up: queue process_upload")
    address = opened.page.get_by_role("link", name="Upload stuck").first.get_attribute("href")
    assert address == "https://veza.example/runbook.md"
    opened.page.get_by_text("Verdict", exact=True).first.click()
    see(opened.page, "Why Job worker down")
    assert "missed" not in opened.page.inner_text("body"), "an attachment is missing"
    assert opened.errors == []


def test_what_the_target_says_is_text(pages: tuple[Path, Path], browse: Any) -> None:
    """A script in a log line is shown, not run."""
    opened = browse(pages[0])
    opened.page.get_by_text("No recent processing errors.").first.click()
    see(opened.page, "<script>window.broken = true</script>")
    assert opened.page.evaluate("window.broken") is None


def test_the_next_run_knows_the_last(pages: tuple[Path, Path], browse: Any) -> None:
    """A check of the healthy run has the failure of the incident in its history."""
    opened = browse(pages[1])
    see(opened.page, "Upload stuck on made-up. Healthy: all 57 checks passed.")
    # The metadata name the runbook too, before the tree does.
    opened.page.get_by_text("Upload stuck", exact=True).last.click()
    opened.page.get_by_text("4. The queue").first.click()
    opened.page.get_by_text("Queue has a consumer.").first.click()
    opened.page.get_by_text("History").first.click()
    see(opened.page, "1/1/2026 at 00:00:00")
