"""Tell a partial run from a whole one: it was narrowed on the command line, or interrupted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.outcome import Outcome, check_id, is_canary
from reports.diagnosis.evidence import Evidence
from reports.model.report import unselected_of


class Selection:
    """Watches what a run leaves out.

    A check that is not there, or that cannot be collected, narrows no run: that is a fault of the
    suite, and the whole run's report must show it.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected = False
        self._uncollected = False

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note a deselected check; the canary's are deselected unless --canary asks for them."""
        if any(not is_canary(check_id(item.nodeid)) for item in items):
            self._deselected = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._uncollected = self._uncollected or report.failed

    def is_narrowed(self, outcomes: Sequence[Outcome], evidence: Evidence) -> bool:
        """Return whether the command line kept the run from doing all of the runbook's checks."""
        option = self._config.option
        places = self._config.args_source is pytest.Config.ArgsSource.ARGS
        places = places or bool(option.ignore or option.ignore_glob)
        # Options of pytest's plugins are missing where -p leaves the plugin out.
        places = places or getattr(option, "lf", False)
        ends_early = option.maxfail or getattr(option, "stepwise", False)
        return bool(
            self._deselected
            or getattr(option, "setuponly", False)
            or (places and not self._uncollected and unselected_of(outcomes, evidence))
            or (ends_early and any(outcome.status == "missing" for outcome in outcomes))
            or self._config.hook.pytest_check_named_items(config=self._config)
        )
