"""Every selected check gets exactly one outcome."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.suite import Run

MIXED = '''
import pytest

def test_queue_exists():
    """The queue exists."""

def test_queue_has_a_consumer():
    """The queue is consumed."""
    consumers = 0
    assert consumers >= 1, "queue q: 3 ready, 0 consumers"

def test_broker_is_reachable(refused):
    """The broker answers."""

def test_backlog_is_bounded(refusing):
    """The backlog is bounded."""
    refusing()

def test_dead_letters_are_empty():
    """Nothing is dead."""
    pytest.skip("no dead-letter queue is configured")

def test_queue_is_draining():
    """It drains."""
    raise KeyError("a bug of ours")

@pytest.fixture
def closes_badly():
    yield
    raise RuntimeError("teardown broke")

def test_deliveries_are_acknowledged(closes_badly):
    """Acknowledged."""
'''

EXPECTED = {
    "queue/queue_exists": "passed",
    "queue/queue_has_a_consumer": "failed",
    "queue/broker_is_reachable": "unreachable",
    "queue/backlog_is_bounded": "unreachable",
    "queue/dead_letters_are_empty": "skipped",
    "queue/queue_is_draining": "error",
    "queue/deliveries_are_acknowledged": "error",
}


def test_each_check_has_one_outcome(run_checks: Callable[..., Run]) -> None:
    """Each way to end has its status, and the worst one is the run's."""
    run = run_checks(MIXED)
    assert run.statuses == EXPECTED
    assert run.status == 1
    assert run.report is not None
    assert run.report["state"] == "at risk"


def test_what_a_fixture_skips_is_no_error(run_checks: Callable[..., Run]) -> None:
    """pytest's own count says so, too."""
    run = run_checks(
        "def test_queue_exists():\n    pass\n\ndef test_queue_has_a_consumer(absent):\n    pass\n",
        "-rs",
    )
    assert run.statuses["queue/queue_has_a_consumer"] == "skipped"
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "none has arrived"
    assert "1 passed, 1 skipped" in run.text
    assert "test_queue.py:3: none has arrived" in run.text


def test_what_was_seen_travels(run_checks: Callable[..., Run]) -> None:
    """A failure carries its sentence, what was seen, and the observations."""
    run = run_checks(MIXED)
    outcome = run.outcome("queue/queue_has_a_consumer")
    assert outcome["expected"] == "The queue is consumed."
    assert outcome["seen"] == "queue q: 3 ready, 0 consumers"
    assert outcome["observations"][0]["data"] == {"depth": 3}
    assert "queue q: 3 ready, 0 consumers" in run.text


def test_no_traceback_and_no_secret(run_checks: Callable[..., Run]) -> None:
    """What could not be looked at is one line, and a secret in it is masked everywhere."""
    run = run_checks(MIXED, "-rA", "--tb=short", "--junitxml=junit.xml")
    everything = run.text + run.errors + str(run.report)
    assert "the database password *** was refused" in everything
    assert "swordfish" not in everything
    assert "Refused(" not in run.text


@pytest.mark.patient
@pytest.mark.parametrize("secret", ["queue", "passed"])
def test_a_common_word_as_a_password_hides_no_check(
    run_checks: Callable[..., Run], pytester: pytest.Pytester, secret: str
) -> None:
    """A password that is a part of a check's id or a status leaves both as they are."""
    file = pytester.path / "conftest.py"
    file.write_text(file.read_text().replace("swordfish", secret))
    body = f'def test_queue_exists():\n    """It is there."""\n    # {secret}\n'
    assert run_checks(body).statuses == {"queue/queue_exists": "passed"}


def test_a_name_that_is_not_utf8_is_shown(run_checks: Callable[..., Run]) -> None:
    """A file name that Python could not decode has a replacement character in the report."""
    body = "def test_queue_exists():\n    assert not 'x', 'file \\udcff is there'\n"
    run = run_checks(body)
    assert run.outcome("queue/queue_exists")["seen"] == "file \N{REPLACEMENT CHARACTER} is there"
    assert run.status == 1


def test_a_broken_check_says_where(run_checks: Callable[..., Run]) -> None:
    """An error of the suite names the exception and the line, and accuses nobody."""
    seen = run_checks(MIXED).outcome("queue/queue_is_draining")["seen"]
    assert "KeyError" in seen
    assert "test_queue.py:" in seen


def test_what_never_ran_is_missing(run_checks: Callable[..., Run]) -> None:
    """A run that stops at the first failure has an outcome for the checks behind it."""
    run = run_checks(MIXED, "-x")
    assert set(run.statuses) == set(EXPECTED)
    assert "missing" in run.statuses.values()
    assert run.status != 0


@pytest.mark.parametrize(
    ("body", "args"),
    [
        ("import pytest\n\ndef test_queue_exists():\n    pytest.skip('left out')\n", ()),
        ("def test_queue_exists():\n    pass\n", ("-k", "nothing_is_called_this")),
        ("import nothing_is_called_this\n", ()),
        ("", ()),
    ],
    ids=["all skipped", "none selected", "collection failed", "no checks"],
)
def test_silence_is_not_health(
    run_checks: Callable[..., Run], body: str, args: tuple[str, ...]
) -> None:
    """A run that observed nothing is unknown, says why, and does not exit with 0."""
    run = run_checks(body, *args)
    assert run.status != 0
    assert run.report is not None
    assert run.report["state"] == "unknown"
    assert "UNKNOWN" in run.text


def test_health_is_exit_0(run_checks: Callable[..., Run]) -> None:
    """A run whose checks all hold is healthy and exits with 0."""
    run = run_checks("def test_queue_exists():\n    '''It is there.'''\n")
    assert run.status == 0
    assert run.report is not None
    assert run.report["state"] == "healthy"
    assert "HEALTHY  made-up" in run.text
    assert "the only check passed" in run.text


@pytest.mark.parametrize(
    "mark", ["verification_4", pytest.param("cause", marks=pytest.mark.patient)]
)
def test_marks_come_from_the_evidence(run_checks: Callable[..., Run], mark: str) -> None:
    """A check is selected by its verification's number and by its role."""
    run = run_checks("def test_queue_exists():\n    '''It is there.'''\n", "-m", mark)
    assert run.statuses == {"queue/queue_exists": "passed"}
    assert run_checks("def test_queue_exists(): pass\n", "-m", "verification_5").status != 0


def test_plain_when_piped(run_checks: Callable[..., Run]) -> None:
    """Piped output has no escape sequence, and no line over 80 columns."""
    run = run_checks(MIXED)
    assert "\x1b" not in run.text
    report = run.text[run.text.index("AT RISK") :]
    assert max(len(line) for line in report.splitlines()) <= 80


@pytest.mark.parametrize("name", ["file/out", "n" * 300])
def test_an_unwritable_folder_costs_no_verdict(
    run_checks: Callable[..., Run], pytester: pytest.Pytester, name: str
) -> None:
    """Where the report cannot be written, one sentence says so and the verdict is printed.

    To look at the longer name is an error too, as in a folder that this user may not enter.
    """
    pytester.makefile("", file="a file where the folder should be")
    run = run_checks(MIXED, f"--out={name}")
    assert "The report was not written: " in run.text
    assert "AT RISK" in run.text
    assert run.status == 1


@pytest.mark.patient
def test_a_healthy_run_without_a_report_is_no_success(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """Whoever reads the report of an earlier run must not take it for this one."""
    healthy = 'def test_queue_exists():\n    """The queue exists."""\n'
    assert run_checks(healthy).status == 0
    (folder,) = (pytester.path / "out").iterdir()
    shutil.rmtree(folder)
    folder.touch()
    run = run_checks(healthy)
    assert "The report was not written: " in run.text
    assert run.status == 1
