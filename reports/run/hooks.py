"""Hooks between the reports and the fixtures, which do not import each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.journey import Journey
from core.outcome import Observation
from core.secrets import Redactor
from core.target_summary import TargetSummary
from reports.model.report import Report


@pytest.hookspec(firstresult=True)
def pytest_check_observations(item: pytest.Item) -> Sequence[Observation]:
    """Return what the probes saw for this check."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_target(config: pytest.Config) -> TargetSummary | None:
    """Return the facts of the target that reports show.

    None where this call of pytest runs no checks: `--collect-only` and `--fixtures` list.
    """


@pytest.hookspec(firstresult=True)
def pytest_check_named_items(config: pytest.Config) -> Sequence[str]:
    """Return the ids of the items that the command line asks for; a run for some is partial."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_journeys(config: pytest.Config) -> tuple[Journey, ...]:
    """Return the journeys of the items that the command line names."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_seconds(item: pytest.Item) -> float | None:
    """Return the seconds that a check's probes took; None where that is not known."""


@pytest.hookspec
def pytest_check_choice(config: pytest.Config) -> None:
    """Read all that a run would read before its first check, other than the target.

    Raises pytest.UsageError for what a run would refuse.
    """


@pytest.hookspec(firstresult=True)
def pytest_check_time_limit(config: pytest.Config, component: str) -> float | None:
    """Return the seconds that one call of a component may take, None where it has no limit."""


@pytest.hookspec(firstresult=True)
def pytest_check_interrupted(config: pytest.Config) -> bool:
    """Return whether a signal ended the checks before the last one was over."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_redactor(config: pytest.Config) -> Redactor:
    """Return what takes the secrets of the target out of texts.

    Not the secrets themselves: `--debug` writes down what each hook returns.
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_check_lanes_work() -> None:
    """Prepare for later, in a thread: the components are being looked at, and the checks wait.

    It may be called more than once, and its errors are ignored.
    """


@pytest.hookspec
def pytest_check_report(
    config: pytest.Config, report: Report, nodeids: Sequence[str]
) -> str | None:
    """Use the report of a run that is over; return a line to print below it, or None.

    `nodeids` are the selected checks.
    """


@pytest.hookspec(firstresult=True)
def pytest_check_verdict_now(config: pytest.Config) -> int | None:
    """Write and print the verdict on what has been seen, because the run hangs and is to end.

    Return its exit status, or None where the report is being written already.
    """


@pytest.hookspec
def pytest_check_write_now() -> None:
    """Write a file that is otherwise written when the session ends."""
