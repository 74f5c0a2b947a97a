"""What a run of the checks is made of; each plugin owns one subject."""

pytest_plugins = (
    "fixtures.options",
    "fixtures.fleet",
    "fixtures.budget",
    "fixtures.termination",
    "fixtures.run_lock",
    "fixtures.evidence",
    "fixtures.lab",
    "fixtures.subjects",
    "fixtures.host",
    "fixtures.api",
    "fixtures.metrics",
    "fixtures.database",
    "fixtures.queue",
    "fixtures.agreement",
    "fixtures.canary",
    "reports.plugin",
    "reports.allure",
    "reports.junit",
)
