"""What the reports ask of whoever knows the target: neither side imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.model.report import Report


@pytest.hookspec(firstresult=True)
def pytest_check_observations(item: pytest.Item) -> Sequence[dict[str, Any]]:
    """Return what the probes saw for this check: dicts of name, seen, data and seconds."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_target(config: pytest.Config) -> dict[str, Any]:
    """Return the target's facts: name, environment, components and placeholders."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_check_secrets(config: pytest.Config) -> Sequence[str]:
    """Return the texts that no report may hold, the longest first."""
    raise NotImplementedError


@pytest.hookspec
def pytest_check_report(
    config: pytest.Config, report: Report, nodeids: Sequence[str]
) -> str | None:
    """Use the report of a run that is over; return a line to print below it, or None.

    `nodeids` are the checks that were selected.
    """
    raise NotImplementedError
