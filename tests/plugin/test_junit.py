"""junit.xml: what each check means and what the run found out, in pytest's own file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from tests.plugin.test_allure import BODY
from tests.suite import Run

INTERRUPTED = '''
def test_broker_is_reachable():
    """The broker answers."""
    raise KeyboardInterrupt
'''

STOPS = '''
def test_broker_is_reachable(request):
    """The broker answers."""
    request.session.shouldstop = "the run's budget is used up"

def test_queue_exists():
    """The queue exists."""
'''

_TEXTS: dict[tuple[str, ...], str] = {}
"""Files by what was run: a run that several tests look at is made once."""


class File:
    """A finished run and its junit.xml."""

    def __init__(self, run: Run, text: str) -> None:
        self.run = run
        self.text = text
        root = ET.fromstring(text)
        (self.suite,) = root.iter("testsuite")
        self.cases = {case.get("name", ""): case for case in root.iter("testcase")}
        assert len(self.cases) == len(list(root.iter("testcase"))), "a check is there twice"

    @property
    def verdict(self) -> dict[str, str]:
        """The properties of the suite."""
        return properties_of(self.suite)

    def properties(self, name: str) -> dict[str, str]:
        """The properties of one test case."""
        return properties_of(self.cases[name])


def properties_of(element: ET.Element) -> dict[str, str]:
    """The properties that an element has itself."""
    return {p.get("name", ""): p.get("value", "") for p in element.findall("properties/property")}


@pytest.fixture
def junit(run_checks: Callable[..., Run], pytester: pytest.Pytester) -> Callable[..., File]:
    """Run the text of test_queue.py with these arguments and read its junit.xml."""

    def run(body: str, *args: str) -> File:
        done = run_checks(body, "-p", "reports.run.junit", "--junitxml=junit.xml", *args)
        if (body, *args) not in _TEXTS:
            path = pytester.path / "junit.xml"
            assert path.exists(), done.text + done.errors
            _TEXTS[(body, *args)] = path.read_text(encoding="utf-8")
        return File(done, _TEXTS[(body, *args)])

    return run


def test_a_case_says_what_its_check_means(junit: Callable[..., File]) -> None:
    """A test case has check, verification, role and status; the raw outcome is not there."""
    file = junit(BODY)
    properties = file.properties("test_queue_exists")
    assert properties["check"] == "queue/queue_exists"
    assert properties["verification"] == "4 The queue"
    assert properties["role"] == "cause"
    assert properties["status"] == "passed"
    assert file.properties("test_broker_is_reachable")["status"] == "unreachable"
    assert "veza_outcome" not in file.text


def test_a_failure_names_its_hypothesis(junit: Callable[..., File]) -> None:
    """The suite has the verdict, the ranking, and the hypothesis that explains each failure."""
    file = junit(BODY)
    assert file.run.report is not None
    first = file.run.report["diagnosis"]["hypotheses"][0]
    verdict = file.verdict
    assert verdict["hypothesis.queue/broker_has_no_alarm"] == first["id"]
    assert verdict["state"] == "at risk"
    assert verdict["verdict"] == file.run.report["headline"]
    assert verdict["top_hypothesis"] == first["id"]
    assert verdict["cause"] == f"{first['title']} (likely, {first['probability']:.2f})"
    assert "\n" in verdict["action.1"]
    assert verdict["verify"] == "pytest --target made-up"
    assert verdict[f"probability.{first['id']}"] == f"{first['probability']:.4f}"


def test_an_unreachable_check_is_an_error(junit: Callable[..., File]) -> None:
    """It has an error, not a failure, with the reason in one sentence."""
    case = junit(BODY).cases["test_backlog_is_bounded"]
    (error,) = case.findall("error")
    assert error.text == "The backlog is bounded. the database password *** was refused"
    assert case.findall("failure") == []


def test_no_secret_is_in_the_file(junit: Callable[..., File]) -> None:
    """A password stays out, also where pytest is told to log all output."""
    file = junit(BODY, "-o", "junit_logging=all", "--tb=long")
    assert "swordfish" not in file.text
    assert "*** on the output" in file.text


def test_a_broken_module_tells_no_secret(junit: Callable[..., File]) -> None:
    """A password in the error of a module that cannot be collected stays out."""
    file = junit("raise RuntimeError('the password swordfish was refused')")
    assert "swordfish" not in file.text
    assert "the password *** was refused" in file.text


def test_what_never_ran_is_an_error(junit: Callable[..., File]) -> None:
    """A check that a stopped run never reached has a test case, and is counted."""
    file = junit(STOPS)
    case = file.cases["test_queue_exists"]
    assert case.get("classname") == "checks.upload_stuck.test_queue"
    assert file.properties("test_queue_exists")["status"] == "missing"
    assert [error.get("message") for error in case.findall("error")] != [""]
    assert (file.suite.get("tests"), file.suite.get("errors")) == ("2", "1")


def test_an_interrupted_check_has_its_case(junit: Callable[..., File]) -> None:
    """The check that was running when the run was interrupted has one test case, an error."""
    file = junit(INTERRUPTED)
    assert list(file.cases) == ["test_broker_is_reachable"]
    assert file.properties("test_broker_is_reachable")["status"] == "missing"
    assert file.suite.get("errors") == "1"


def test_a_file_that_cannot_be_written_costs_no_verdict(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """A path that cannot be written is one sentence; verdict, report and exit status are there."""
    pytester.path.joinpath("taken").write_text("a file is in the way")
    run = run_checks(BODY, "-p", "reports.run.junit", "--junitxml=taken/junit.xml")
    assert "The JUnit file was not written: " in run.text
    assert "Traceback" not in run.text + run.errors
    assert "AT RISK" in run.text
    assert run.status == 1
    assert run.state == "at risk"


def test_a_healthy_run_without_its_file_is_no_success(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """Who reads the file of an earlier run must not take it for this one."""
    healthy = 'def test_queue_exists():\n    """The queue exists."""\n'
    pytester.path.joinpath("taken").write_text("a file is in the way")
    run = run_checks(healthy, "-p", "reports.run.junit", "--junitxml=taken/junit.xml")
    assert run.status == 1
    assert run.state == "healthy"


def test_a_run_without_a_report_has_pytests_file(junit: Callable[..., File]) -> None:
    """--collect-only leaves what pytest itself would write."""
    file = junit(BODY, "--collect-only")
    assert file.cases == {}
    assert file.suite.get("tests") == "0"
