"""The browser is a fixture of these tests alone, started once."""

from __future__ import annotations

import pytest

from tests.browser.fix_browser import browser, visit

__all__ = ["browser", "visit"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that need it in one process: --dist loadgroup."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("browser"))
