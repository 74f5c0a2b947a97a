"""Keep pytest from taking the values of our options for paths, and explain three mistakes.

conftest.py, which adds the options, is not loaded yet when pytest looks for tests on the command
line. So `--target staging` would name a path. As there is none, pytest would load the conftest.py
of every folder `test*`, and with it what only the project's own tests need. A path that does not
exist, and the project's folder, would do the same.

One sentence for three mistakes that pytest reports in a puzzling way:

- `--targets-file FILE`: pytest takes a FILE that exists for a path to tests, may find another
  rootdir by it, and then knows none of this project's options.
- `--target` without a value: pytest prints argparse's usage, which does not say what a value is.
- `--tagret lab`: pytest prints argparse's usage, which does not say what the option is called.

This module is installed as a plugin, so it runs before both. It also loads allure-pytest and
pytest-xdist, which take their time, for a run that names one of their options; pyproject.toml
leaves them out of any other.
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

PROJECT = Path(__file__).parent
CHECKS = PROJECT / "checks"
EXAMPLES = {
    "--target": "--target staging",
    "--targets-file": "--targets-file=targets.toml",
    "--upload-id": "--upload-id=3f6c2a",
    "--budget": '--budget "60 s"',
    "--if-busy": "--if-busy skip",
    "--recheck": "--recheck 3",
    "--fault": "--fault worker-killed",
    "--out": "--out=reports",
    "--baseline": "--baseline=before.json",
    "--runbook": "--runbook upload_stuck",
    "--lang": "--lang fr",
    "--runbook-doc": "--runbook-doc=runbook.md",
}
"""Each option of this project that takes a value, with an example."""

FLAGS = ("--canary", "--check-config", "--yes-live")
"""Each option of this project that takes no value."""

HELP = ("--help", "-h")

ON_DEMAND = {
    "allure_pytest": ("--allure", "--clean-alluredir", "--inversion", *HELP),
    # Of its options these begin in another way than pytest's own.
    "xdist": (
        "-n",
        "-d",
        "--num",
        "--dist",
        "--max-worker",
        "--maxp",
        "--maxs",
        "--loadscope",
        "--no-loadscope",
        "--tx",
        "--px",
        "--rsync",
        "--testrunuid",
        *HELP,
    ),
    "xdist.looponfail": ("-f", "--looponfail", *HELP),
}
"""How the options begin that need a plugin, by its name."""

PATH_MAX = 255
"""Characters from which a value is not looked up: the system refuses so long a file name."""


def without_value(args: Sequence[str]) -> str | None:
    """Return the first of our options that has no value, or None."""
    for arg, following in pairwise([*args, "-"]):
        option, equals, value = arg.partition("=")
        if option in EXAMPLES and not value and (equals or following[:1] in ("", "-")):
            return option
    return None


def taken_for_paths(args: Sequence[str]) -> list[str]:
    """Return our options whose value is a separate argument and the path of a file or folder."""
    return [
        option
        for option, value in pairwise(args)
        if option in EXAMPLES and len(value) < PATH_MAX and is_there(value)
    ]


def is_there(path: str | Path) -> bool:
    """Return whether a path exists, as far as this user can look."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def brings_in_tests(path: str) -> bool:
    """Return whether pytest would load the conftest.py of the project's tests for a path."""
    file = Path(path.partition("::")[0])
    return len(path) >= PATH_MAX or not is_there(file) or file.resolve() == PROJECT


def refuse_unknown(options: Sequence[str], rootdir: Path) -> None:
    """Raise UsageError for the first of these options, which neither pytest nor we know."""
    ours = (*EXAMPLES, *FLAGS)
    for option in (text.partition("=")[0] for text in options):
        if rootdir == PROJECT:
            near = get_close_matches(option, ours, 1)
            hint = f"did you mean {near[0]}?" if near else "pytest --help lists the options"
            raise pytest.UsageError(f"there is no option {option}: {hint}")
        if option in ours:
            raise pytest.UsageError(
                f"{option} is an option of {PROJECT}, and the rootdir of this run is {rootdir}: "
                f"run pytest in {PROJECT}, and name paths below checks/ only"
            )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """Take the values of our options for what they are, and refuse those that cannot be used.

    Refused are an option of ours without a value, a value that changed pytest's rootdir, and an
    option that nobody knows.
    """
    if early_config.rootpath == PROJECT:
        for plugin, beginnings in ON_DEMAND.items():
            if any(arg.startswith(beginnings) for arg in args):
                early_config.pluginmanager.consider_pluginarg(plugin)
                # The values of its options are no paths.
                paths = parser.parse_known_args(args).file_or_dir
                early_config.known_args_namespace.file_or_dir = paths
    option = without_value(args)
    if option and early_config.rootpath == PROJECT:
        raise pytest.UsageError(f"{option} needs a value, for example: {EXAMPLES[option]}")
    if Path.cwd() == PROJECT and early_config.rootpath != PROJECT:
        options = " and ".join(f"{option}=VALUE" for option in taken_for_paths(args))
        if options:
            raise pytest.UsageError(
                f"write {options} with an equals sign: pytest took a separate value for a path to "
                f"tests and changed its rootdir to {early_config.rootpath}"
            )
    if early_config.rootpath == PROJECT:
        paths = early_config.known_args_namespace.file_or_dir
        for option, value in pairwise(args):
            if option in EXAMPLES and value in paths:
                paths.remove(value)
        # Only conftest.py is looked for here; pytest refuses later what does not exist.
        paths[:] = [str(CHECKS) if brings_in_tests(path) else path for path in paths]
    yield
    refuse_unknown(parser.parse_known_and_unknown_args(args)[1], early_config.rootpath)
