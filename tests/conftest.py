"""What the project's own tests are made of; each plugin owns one subject."""

pytest_plugins = (
    "pytester",
    "tests.snapshots",
    "tests.lab.fix_lab",
    "tests.lab.fix_made_api",
    "tests.lab.fix_ssh",
    "tests.lab.fix_proxy",
    "tests.lab.fix_services",
)
