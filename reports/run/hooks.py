"""What the reports ask of whoever knows the target: neither side imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Observation
    from core.target_summary import TargetSummary
    from reports.model.report import Report


@pytest.hookspec(firstresult=True)
def pytest_check_observations(item: pytest.Item) -> Sequence[Observation]:
    """Return what the probes saw for this check."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_target(config: pytest.Config) -> TargetSummary:
    """Return the facts of the target that reports show."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_secrets(config: pytest.Config) -> Sequence[str]:
    """Return the texts that no report may hold, the longest first."""
    raise NotImplementedError


@pytest.hookspec
def pytest_check_report(config: pytest.Config, report: Report) -> str | None:
    """The run is over and this is its report: write it. Return a sentence if that failed."""
    raise NotImplementedError
