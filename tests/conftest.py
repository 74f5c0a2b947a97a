"""What the project's own tests are made of; each plugin owns one subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

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
    "deploy/test_action_accounts.py",
    "lab/test_real_reports.py",
    "plugin/test_allure.py",
    "plugin/test_gate.py",
    "plugin/test_junit.py",
    "plugin/test_outcomes.py",
    "plugin/test_partial_runs.py",
    "plugin/test_second_look.py",
)
"""Files whose tests share runs or services that take long to make."""

SHARING_BY_CASE = "lab/test_lab_variants.py"
"""The file whose tests share a lab for each case in brackets, which takes long to start."""


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]
    """Send tests to the processes one by one, but those that share something to the same.

    A unit test is so short that sending it costs more: they go file by file.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if "browser/" in file:
            return "browser"
        if file.endswith(SHARING_BY_CASE):
            return file + test.partition("[")[2]
        return file if "unit/" in file or file.endswith(SHARING) else nodeid

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give one process the tests from the end, where the unit tests are.

        It has work for the processor while the others, which begin with the lab, wait for theirs.
        """
        if node.gateway.id == "gw0":
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is the last one busy for a minute."""
    items.sort(key=lambda item: SHARING_BY_CASE not in item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsShared:
    """Distribute the tests of `-n`. xdist's own groups need node ids that pytest 9.2 fixes."""
    config.option.loadscopereorder = False
    return ByWhatIsShared(config, log)
