"""A slip that pytest itself makes of `--targets-file FILE`, told in one sentence.

pytest looks for its configuration before it knows of a project's options, and takes every argument
that is an existing path for a place to look in. The value of an option that conftest.py adds then
moves it out of this project, and all that it says is that it does not know the option. Installed
as a plugin, this module is there even then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).parent
OPTIONS = ("--targets-file", "--out", "--runbook-doc", "--baseline", "--upload-id")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Refuse a separate value that pytest has taken for the place of the project."""
    strayed = Path.cwd() == PROJECT and early_config.rootpath != PROJECT
    slips = [option for option in args if option in OPTIONS]
    if strayed and slips:
        raise pytest.UsageError(
            f"write {slips[0]}=VALUE with the equals sign: pytest takes a separate value that is "
            "an existing path for the place of the project"
        )
