"""`--alluredir`: the run's Allure results, written when the run is over and its cause is judged.

allure-pytest keeps its options and its selections; the results are ours (reports/allure_files.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the option over before allure-pytest and the worker processes see it."""
    given = getattr(config.option, "allure_report_dir", None)
    if not given:
        return
    config.option.allure_report_dir = None
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    from reports.run.allure_run import AllureRun

    folder: Path = config.invocation_params.dir / given
    config.pluginmanager.register(AllureRun(config, folder), "veza-allure")
