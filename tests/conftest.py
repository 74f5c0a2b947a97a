"""What the project's own tests are made of; each plugin owns one subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

pytest_plugins = (
    "pytester",
    "tests.snapshots",
    "tests.lab.fix_key_api",
    "tests.lab.fix_lab",
    "tests.lab.fix_made_api",
    "tests.lab.fix_operator",
    "tests.lab.fix_journal",
    "tests.lab.fix_ssh",
    "tests.lab.fix_tls",
    "tests.lab.fix_proxy",
    "tests.lab.fix_queue",
    "tests.lab.fix_services",
    "tests.lab.fix_pooler",
    "tests.lab.fix_postgres",
)

SHARING = (
    "deploy/test_accounts.py",
    "lab/test_real_reports.py",
    "plugin/test_allure.py",
    "plugin/test_gate.py",
    "plugin/test_junit.py",
    "plugin/test_outcomes.py",
)
"""Files whose tests share runs or services that take long to make."""

SHARING_BY_CASE = "lab/test_lab_variants.py"
"""The file whose tests share a lab for each case in brackets, which takes long to start."""


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]
    """Send tests to the processes one by one, but those that share something to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if "browser/" in file:
            return "browser"
        if file.endswith(SHARING_BY_CASE):
            return file + test.partition("[")[2]
        return file if file.endswith(SHARING) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsShared:
    """Distribute the tests of `-n`. xdist's own groups need node ids that pytest 9.2 fixes."""
    return ByWhatIsShared(config, log)
