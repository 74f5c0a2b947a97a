"""The browser is a fixture of these tests alone."""

from __future__ import annotations

from tests.browser.fix_browser import browser, visit

__all__ = ["browser", "visit"]
