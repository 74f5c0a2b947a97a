"""The plugins of a run; each owns one subject."""

import atexit
import gc
import os
import sys
from pathlib import Path

import pytest

try:
    # Every run needs it; a person may have forgotten to activate the environment that has it.
    import pydantic  # noqa: F401
except ModuleNotFoundError as exc:
    print(
        f"ERROR: {exc.name} is not installed for {sys.executable}: activate the environment in "
        "which you ran `pip install -e .`, or run `tox -e demo` and `. .tox/demo/bin/activate`",
        file=sys.stderr,
    )
    raise SystemExit(4) from None
except KeyboardInterrupt:
    raise SystemExit(int(pytest.ExitCode.INTERRUPTED)) from None

# Most of what a run creates stays: modules, classes, results. To search it for garbage again and
# again takes a seventh of the run's processor time, and once more at its end another seventh.
THRESHOLDS = 300_000, 50, 50
if gc.get_threshold() != THRESHOLDS:  # A watch reads this file at each look.
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)

# Pydantic would look for plugins of its own in all that is installed; one would see the secrets.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

PLUGINS = (
    "fixtures.run.options",
    "fixtures.run.several_targets",
    "fixtures.run.budget",
    "fixtures.run.termination",
    "fixtures.run.run_lock",
    "fixtures.run.watchdog",
    "fixtures.run.host_names",
    "fixtures.run.log_redaction",
    "fixtures.run.lanes",
    "fixtures.run.recorder",
    "fixtures.run.ahead",
    "fixtures.run.second_look",
    "fixtures.run.lab",
    "fixtures.subjects",
    "fixtures.host",
    "fixtures.api",
    "fixtures.metrics",
    "fixtures.database",
    "fixtures.queue",
    "fixtures.network",
    "fixtures.consistency",
    "fixtures.canary",
    "fixtures.login",
    "reports.run.plugin",
    "reports.run.allure",
    "reports.run.junit",
)


collect_ignore = ["tests"]
"""They have a configuration of their own: pytest's rootdir for them is their folder."""


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugins; `pytest_plugins` would search all that is installed for each name."""
    # Found while the tests of a folder above are looked for.
    if pluginmanager.has_plugin("session"):
        raise pytest.Collector.CollectError(f"run pytest in {Path(__file__).parent}")
    try:
        for name in PLUGINS:
            pluginmanager.import_plugin(name)
    except KeyboardInterrupt:
        raise SystemExit(int(pytest.ExitCode.INTERRUPTED)) from None
