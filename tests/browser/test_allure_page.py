"""The Allure results as a person sees them: opened by the command that a run prints."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as PageTimeoutError

from reports.diagnosis.evidence_file import load_evidence
from tests.plugin.conftest import CONFTEST, PYPROJECT
from tests.suite import ROOT
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RUNBOOK = ROOT / "runbooks" / "upload_stuck"
HOSTILE = "the log says <script>window.broken = true</script><img src=x onerror='broken = true'>"

FAILING = {
    "signal/no_upload_is_stuck": "8 uploads stuck, oldest 47 min",
    "worker/process_is_running": "no running process matches the worker's pattern",
    "queue/queue_has_a_consumer": "queue process_upload: 11 ready, 0 consumers",
    "worker/worker_is_logging": "the worker's log moved 50 min ago",
    "database/jobs_start_promptly": "11 jobs wait, the oldest for 47 min",
    "upload_status/worker_health_is_ok": "the API says that no worker is alive",
    "logs/no_recent_processing_errors": HOSTILE,
}
UNREACHABLE = {"worker/process_is_settled": "no process to look at"}

MODULE = """
class Unreachable(Exception):
    check_status = "unreachable"

SEEN = {}
"""

CHECK = '''
SEEN["test_{name}"] = {seen!r}

def test_{name}():
    """{sentence}."""
    {body}
'''

COMMAND_MAX = 120.0
"""Seconds that a run, or Allure, may take."""


@pytest.fixture(scope="module")
def allure() -> str:
    """The program of Allure 3."""
    path = os.environ.get("VEZA_ALLURE") or shutil.which("allure")
    if not path:
        assert not os.environ.get("VEZA_REQUIRE_ALLURE"), "Allure is required here: VEZA_ALLURE"
        pytest.skip("Allure 3 is not installed: npm install allure@3, and say where: VEZA_ALLURE")
    return path


class Project:
    """A project with a made-up check for each one of the runbook, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(RUNBOOK, folder / "runbooks" / RUNBOOK.name)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "pyproject.toml").write_text(PYPROJECT)
        (folder / "checks" / "upload_stuck").mkdir(parents=True)

    def run(self, results: str, failing: dict[str, str], unreachable: dict[str, str]) -> str:
        """Run every check, those given without success; return what the run printed."""
        modules: dict[str, str] = {}
        for row in load_evidence(RUNBOOK / "evidence.toml").checks:
            module, _, name = row.id.partition("/")
            bodies = {
                **dict.fromkeys(failing, f"assert not 'bad', SEEN['test_{name}']"),
                **dict.fromkeys(unreachable, f"raise Unreachable(SEEN['test_{name}'])"),
            }
            modules[module] = modules.get(module, MODULE) + CHECK.format(
                name=name,
                sentence=name.replace("_", " ").capitalize(),
                seen=(failing | unreachable).get(row.id, "as expected"),
                body=bodies.get(row.id, "pass"),
            )
        for module, text in modules.items():
            (self.folder / "checks" / "upload_stuck" / f"test_{module}.py").write_text(text)
        return self.call(
            sys.executable, "-m", "pytest", "-n0", "-p", "allure_pytest.plugin",
            "-p", "reports.run.allure", f"--alluredir={results}",
            "--allure-link-pattern=runbook:https://veza.example/{}",
        )  # fmt: skip

    def call(self, *command: str) -> str:
        """Run a command in the project's folder; return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_MAX,
            check=False,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def served(self, *command: str) -> Iterator[str]:
        """Run a command that serves a page; yield the address that it prints."""
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                yield re.findall(r"http://localhost:[0-9]+", server.stdout.readline())[0]
            finally:
                server.terminate()


def environ() -> dict[str, str]:
    """The environment without the pytest that runs this test, and without a person's browser."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "BROWSER": "true"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def incident(project: Project, allure: str) -> Iterator[str]:
    """The address at which the command that an incident's run prints serves the page."""
    printed = project.run("allure results", FAILING, UNREACHABLE)
    (command,) = re.findall(r"^Allure: npx allure@3 (.+)$", printed, re.MULTILINE)
    with project.served(allure, *shlex.split(command)) as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Open an address; the test fails if the page raised an error."""
    errors: list[str] = []
    context = browser.new_context(
        viewport={"width": 1400, "height": 1100}, locale="en-US", timezone_id="UTC"
    )
    context.set_default_timeout(PATIENCE * 1000)

    def open_page(address: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        # Allure's own page counts its visitors with Google: a test asks nobody outside.
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())
        page.goto(address)
        return page

    yield open_page
    context.close()
    assert errors == []


def see(page: Page, text: str) -> None:
    """Wait until the page shows a text; a failure says what it shows."""
    try:
        page.get_by_text(text).first.wait_for(state="visible")
    except PageTimeoutError as exc:
        shown = page.inner_text("body")[:2000]
        raise AssertionError(f"{text!r} is not on the page: {shown}") from exc


def test_the_page_names_the_verdict(incident: str, visit: Callable[[str], Page]) -> None:
    """The first screen has the verdict, the target, and failed apart from broken."""
    page = visit(incident)
    see(page, "Upload stuck on made-up. Incident: ")
    see(page, "Most likely: job worker down (")
    see(page, "1. The upload's status")
    summary = " ".join(page.inner_text("body").split())
    assert "Failed 7 Broken 1 " in summary
    assert summary.index("0. Signal") < summary.index("1. The upload's status")


def test_defects_are_sorted_by_hypothesis(incident: str, visit: Callable[[str], Page]) -> None:
    """The categories are the causes, the likeliest first, then what could not look."""
    page = visit(incident)
    page.get_by_text("Categories").first.click()
    see(page, "Unreachable")
    shown = " ".join(page.inner_text("body").split())
    assert shown.index("Job worker down") < shown.index("Queue has a consumer.")
    assert shown.index("Queue has a consumer.") < shown.index("Unreachable")
    assert shown.index("Unreachable") < shown.index("Process is settled.")
    assert "Product errors" not in shown


def test_a_defect_explains_itself(incident: str, visit: Callable[[str], Page]) -> None:
    """A failed check shows what was seen, its category, its observations, and the verdict."""
    page = visit(incident)
    page.get_by_text("Queue has a consumer.").first.click()
    see(page, "queue process_upload: 11 ready, 0 consumers")
    see(page, "Category: Job worker down")
    see(page, "Explained by: Job worker down")
    description = page.frame_locator("iframe")
    for text in ("Most likely: job worker down", "Do this:", "Then verify:"):
        description.get_by_text(text).first.wait_for(state="visible")
    see(page, "made.up: queue process_upload")
    address = page.get_by_role("link", name="Upload stuck").first.get_attribute("href")
    assert address == "https://veza.example/runbooks/upload_stuck/runbook.md"
    page.get_by_text("Verdict", exact=True).first.click()
    see(page, "Why Job worker down")
    assert "missed" not in page.inner_text("body"), "an attachment is missing"


def test_what_the_target_says_is_text(incident: str, visit: Callable[[str], Page]) -> None:
    """A script in a log line is shown, not run."""
    page = visit(incident)
    page.get_by_text("No recent processing errors.").first.click()
    see(page, "<script>window.broken = true</script>")
    assert page.evaluate("window.broken") is None


def test_the_next_run_knows_the_last(
    project: Project, incident: str, allure: str, visit: Callable[[str], Page]
) -> None:
    """With a file for it, the page of a healthy run has the incident in a check's history."""
    project.run("healthy", {}, {})
    for results in ("allure results", "healthy"):
        project.call(
            allure, "awesome", f"--config={results}/allurerc.json", "--history-path=history.jsonl",
            f"--output=page of {results}", results,
        )  # fmt: skip
    checks = len(load_evidence(RUNBOOK / "evidence.toml").checks)
    # Not Allure's single file: opened slowly, its program asks for data that the page has yet to
    # define, and the page stays empty.
    with project.served(allure, "open", "page of healthy") as address:
        page = visit(address)
        see(page, f"Upload stuck on made-up. Healthy: all {checks} checks passed.")
        # The metadata name the runbook too, before the tree does.
        page.get_by_text("Upload stuck", exact=True).last.click()
        page.get_by_text("4. The queue").first.click()
        page.get_by_text("Queue has a consumer.").first.click()
        page.get_by_text("History").first.click()
        page.get_by_test_id("tree-leaf-status-failed").wait_for(state="visible")
