"""`--alluredir`: allure-pytest writes the results of a run, with what the checks mean in them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from core.language import tr

FAILURE = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the folder before allure-pytest does, to which a failure would be an internal error."""
    option = getattr(config.option, "allure_report_dir", None)
    if not option:
        return
    folder = Path(option).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        config.option.allure_report_dir = None
        reason = f"{folder}: {exc.strerror or exc}"
        config.stash[FAILURE] = tr("The Allure results were not written: {reason}", reason=reason)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Put our writer in the place of allure-pytest's, where checks are going to run."""
    config = session.config
    if not getattr(config.option, "allure_report_dir", None):
        return
    if config.hook.pytest_check_target(config=config) is not None:
        from reports.run.allure_writer import register

        register(config)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """End without success where the results have no folder, as where a report is not written."""
    yield
    if FAILURE in session.config.stash:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_check_report(config: pytest.Config) -> str | None:
    return config.stash.get(FAILURE, None)
