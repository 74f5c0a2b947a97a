"""A project of made-up checks in a directory of its own, run by pytest as a user runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.suite import ROOT, Run, newest_report
from tests.waiting import PATIENCE

CONFTEST = """
import pytest

from core.outcome import Observation
from core.secrets import Redactor
from core.target_summary import TargetSummary

pytest_plugins = ("reports.run.plugin",)

class Refused(Exception):
    check_status = "unreachable"

class Absent(Exception):
    check_status = "skipped"

@pytest.fixture
def absent():
    raise Absent("none has arrived")

@pytest.fixture
def refused():
    raise Refused("nothing listens on 127.0.0.1:1 (connection refused)")

@pytest.fixture
def refusing():
    def look():
        raise Refused("the database password swordfish was refused")
    return look

def pytest_check_observations(item):
    seen = getattr(item.module, "SEEN", {}).get(item.name, "what was seen")
    return [Observation("made.up", seen, {"depth": 3}, 0.0)]

def pytest_check_target(config):
    if config.option.collectonly:
        return None
    components = {"queue": "q at amqp://127.0.0.1", "database": None}
    return TargetSummary("made-up", "lab", components)

def pytest_check_redactor(config):
    return Redactor(["swordfish"])
"""

PYPROJECT = """
[tool.pytest]
testpaths = ["checks"]
addopts = ["-p", "no:unraisableexception", "-p", "no:threadexception", "-p", "no:testinfra",
    "-p", "no:allure_pytest", "-p", "no:hypothesispytest",
    "-p", "no:anyio", "-p", "no:inline_snapshot", "-p", "no:syrupy",
    "--import-mode=importlib", "-q", "-rN"]
strict = true
filterwarnings = ["error"]
"""


_RUNS: dict[tuple[object, ...], Run] = {}
"""Runs by what was run: several tests look at the same one, and none changes it."""


@pytest.fixture
def run_checks(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run `body`, the text of test_queue.py, with pytest and these arguments, once."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    first = Path("runbooks", "upload_stuck")
    shutil.copytree(ROOT / first, pytester.path / first)
    pytester.makeconftest(CONFTEST)
    pytester.makepyprojecttoml(PYPROJECT)
    folder = pytester.path / "checks" / "upload_stuck"
    folder.mkdir(parents=True)

    def run(body: str, *args: str) -> Run:
        files = {
            path.name: path.is_file() and path.read_bytes() for path in pytester.path.iterdir()
        }
        key = (body, args, tuple(sorted(files.items())))
        if key in _RUNS:
            return _RUNS[key]
        (folder / "test_queue.py").write_text(body, encoding="utf-8")
        result = pytester.runpytest_subprocess(*args, timeout=PATIENCE)
        report = newest_report(pytester.path / "out")
        _RUNS[key] = Run(int(result.ret), result.stdout.str(), result.stderr.str(), report)
        return _RUNS[key]

    return run
