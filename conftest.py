"""The plugins of a run; each owns one subject."""

pytest_plugins = (
    "fixtures.run.options",
    "fixtures.run.several_targets",
    "fixtures.run.budget",
    "fixtures.run.termination",
    "fixtures.run.run_lock",
    "fixtures.run.recorder",
    "fixtures.run.second_look",
    "fixtures.run.lab",
    "fixtures.subjects",
    "fixtures.host",
    "fixtures.api",
    "fixtures.metrics",
    "fixtures.database",
    "fixtures.queue",
    "fixtures.consistency",
    "fixtures.canary",
    "reports.run.plugin",
    "reports.run.allure",
    "reports.run.junit",
)
