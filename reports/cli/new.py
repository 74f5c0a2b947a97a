"""`python -m reports new`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from core.files import FileError, read_text, write_file
from core.language import tr
from core.runbooks import ALL
from core.text import capitalized
from reports.cli.command import Commands, add_command
from reports.history.confirmed import FOLDER as CONFIRMED
from reports.model.bundle import RUNBOOKS
from reports.model.report_json import PARTIAL

TEMPLATES = Path(__file__).parent / "new_runbook"

FILES = {
    "runbook.md": "runbooks/{name}/runbook.md",
    "evidence.toml": "runbooks/{name}/evidence.toml",
    "report.toml": "runbooks/{name}/report.toml",
    "test_answers.txt": "checks/{name}/test_answers.py",
    "test_runbook.txt": "tests/unit/runbooks/test_{name}.py",
}
"""The place of each template."""

TAKEN = (ALL, CONFIRMED, PARTIAL)
"""Names that a runbook cannot have: `all`, and folders among a target's files."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "new",
        run,
        tr("make the files of a new runbook"),
        tr(
            "The check and the test among them pass. Each says what goes into it, and "
            "docs/writing-checks.md goes on from there."
        ),
    )
    parser.add_argument(
        "name", metavar="NAME", help=tr("lower case letters, digits and _, such as login_fails")
    )


def run(options: argparse.Namespace) -> int:
    """Write the files, and say what to do next; raises FileError."""
    for path in scaffold(RUNBOOKS.parent, options.name):
        print(path.relative_to(RUNBOOKS.parent))
    commands = (
        f"python -m reports lint {options.name}",
        f"pytest tests/unit/runbooks/test_{options.name}.py",
        f"pytest --target lab --runbook {options.name}",
    )
    first = tr("Next: ")
    print(first + f"\n{' ' * len(first)}".join(commands))
    return 0


def scaffold(root: Path, name: str) -> list[Path]:
    """Write the files of a new runbook below `root`, and return their paths.

    Raises FileError for a name that cannot be used, and where one of the folders is there already.
    """
    if not _NAME.fullmatch(name):
        raise FileError(
            "{name!r} is no name for a runbook: use at most 40 lower case "
            "letters, digits and _, with a letter first, such as "
            "login_fails",
            name=name[:60],
        )
    if name in TAKEN:
        raise FileError("{name!r} has another meaning: give the runbook another name", name=name)
    title = capitalized(name.replace("_", " "))
    files = {root / "checks" / name / "__init__.py": ""}
    for template, place in FILES.items():
        text = read_text(TEMPLATES / template)
        path = root / place.format(name=name)
        files[path] = text.replace("{{name}}", name).replace("{{title}}", title)
    for path in (root / "runbooks" / name, root / "checks" / name, *files):
        if path.exists():
            raise FileError("{path} is there already: nothing was written", path=path)
    for path, text in files.items():
        write_file(path, text)
    return sorted(files)
