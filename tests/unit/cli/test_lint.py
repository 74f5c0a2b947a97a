"""`python -m reports new` and `lint`: what is made is whole, and what is missing is said."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.files import FileError
from reports.cli.lint import checks_of, filling
from reports.cli.main import main
from reports.cli.new import TAKEN, scaffold
from reports.model.lint import lint
from tests import made
from tests.suite import run_command

Capture = pytest.CaptureFixture[str]
NAME = "page_stays_empty"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a runbook that was just made."""
    scaffold(tmp_path, NAME)
    return tmp_path / "runbooks" / NAME


def findings(folder: Path) -> list[str]:
    """What is missing, with the file's name and the line."""
    problems = lint(folder, checks_of(folder), filling())
    return [f"{Path(one.path).name}:{one.line}: {one.sentence}" for one in problems]


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file; it must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def line_of(path: Path, text: str) -> int:
    """The number of the first line that contains a text."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_nothing_is_missing_in_a_new_runbook(folder: Path, tmp_path: Path) -> None:
    """Its own test is green at once, and follows the rules of the project's code."""
    assert findings(folder) == []
    shutil.copy(made.ROOT / "pyproject.toml", tmp_path)
    for command in (
        ("pytest", "-n0", "-c", str(made.ROOT / "tests/pytest.toml"), "--rootdir", str(tmp_path)),
        ("ruff", "check", "--no-cache"),
        ("ruff", "format", "--check", "--no-cache"),
    ):
        test = tmp_path / f"tests/unit/runbooks/test_{NAME}.py"
        done = run_command(sys.executable, "-m", *command, test)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_that_is_taken_is_refused(folder: Path, tmp_path: Path) -> None:
    """Nothing is written, whichever of the files is there."""
    before = (folder / "runbook.md").read_text()
    with pytest.raises(FileError, match=f"runbooks/{NAME} is there already"):
        scaffold(tmp_path, NAME)
    assert (folder / "runbook.md").read_text() == before
    (tmp_path / "checks/other").mkdir()
    with pytest.raises(FileError, match="checks/other is there already"):
        scaffold(tmp_path, "other")
    assert not (tmp_path / "runbooks/other").exists()


@pytest.mark.parametrize("name", ["", "Login", "1st", "a-b", "../x", "a/b", "é", "a" * 41, *TAKEN])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    """It would be no name of a folder, of a module, or of the files of a run."""
    with pytest.raises(FileError, match="name"):
        scaffold(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_name_is_one_sentence(capsys: Capture) -> None:
    """The command says what would be right."""
    assert main(["new", "Login fails"]) == 2
    assert capsys.readouterr().err.startswith("'Login fails' is no name for a runbook: use at most")
    assert main(["lint", "no_such"]) == 2
    assert "has no runbook 'no_such'; it has " in capsys.readouterr().err


def test_shipped_runbooks_are_whole(capsys: Capture) -> None:
    """The command ends with 0 where nothing is missing."""
    assert main(["lint", "upload_stuck"]) == 0
    assert capsys.readouterr().out == "upload_stuck: nothing is missing\n"


CHECKS = "../../checks/page_stays_empty/test_answers.py"
ROW = """
[checks."answers/{}"]
verification = {}
role = "cause"
component = "database"
explained_by = {{ api_down = {} }}
leak = 0.01
"""
CHECK = '\n\ndef test_more(api):\n    """More."""\n'


def append(text: str) -> Callable[[Path], None]:
    """Return an edit that appends a text."""

    def change(path: Path) -> None:
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return change


def replace(old: str, new: str) -> Callable[[Path], None]:
    """Return an edit that replaces a text."""
    return lambda path: edit(path, old, new)


def spoil(path: Path) -> None:
    """Write a file that is not text from its second line on."""
    path.write_bytes(b"# one\n# \xff")


VERIFICATION = "## Corrective actions"
MORE_VERIFICATION = f"### 2. More\n\n```bash\ncurl <api_url>/more\n```\n\n{VERIFICATION}"
VERIFY = "3. **Verify.** Run the checks again.\n\n   ```bash\n   pytest --target <target> "
VERIFY += "--runbook page_stays_empty\n   ```\n"

MISSING: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    # file to edit, edit, text on the line that is named, sentence
    "check without a row": (
        CHECKS,
        append(CHECK),
        "def test_more",
        "the check answers/more has no row in evidence.toml.",
    ),
    "check without a sentence": (
        CHECKS,
        replace('    """The API answers a request."""\n', ""),
        "def test_api_answers",
        "the check answers/api_answers has no docstring to say in a report.",
    ),
    "check that is not Python": (
        CHECKS,
        append("def ("),
        "def (",
        "is not valid Python: invalid syntax.",
    ),
    "row without a check": (
        "evidence.toml",
        append(ROW.format("more", 0, 0.5)),
        'checks."answers/more"',
        "no check has the id answers/more.",
    ),
    "row without a command": (
        "evidence.toml",
        append(ROW.format("more", 1, 0.5)),
        'checks."answers/more"',
        "no command of the document names answers/more.",
    ),
    "row of a verification that is not there": (
        "evidence.toml",
        replace("verification = 1", "verification = 0"),
        "### 1.",
        "verification 1 has no check.",
    ),
    "weight below the leak": (
        "evidence.toml",
        append(ROW.format("more", 1, 0.001)),
        'checks."answers/more"',
        "answers/more fails more often without a cause than by api_down: leave it out.",
    ),
    "other title": (
        "evidence.toml",
        replace('title = "API down"', 'title = "API gone"'),
        "1. **API down**",
        (
            'hypothesis 1 is "API down" here and "API gone" in evidence.toml: both need the same '
            "titles in the same order."
        ),
    ),
    "no symptom": (
        "evidence.toml",
        replace('role = "symptom"', 'role = "cause"'),
        "",
        "no check has the role symptom, so no run can be an incident.",
    ),
    "command without a check": (
        "runbook.md",
        replace("<!-- checks: answers/api_answers -->", ""),
        "curl",
        'no check covers the command "curl -sS -m 5 -i <api_url>/readyz".',
    ),
    "command with an unknown check": (
        "runbook.md",
        replace("answers/api_answers -->", "answers/api_answers, answers/none -->"),
        "curl",
        "the command names answers/none, which has no row.",
    ),
    "action that nothing verifies": (
        "runbook.md",
        replace(VERIFY, ""),
        "2. **Restart it.**",
        (
            '"If the API is down" does not end with a step that verifies: add one with a '
            "command that looks, such as pytest --target <target>."
        ),
    ),
    "cause of another name": (
        "evidence.toml",
        replace("{ api_down =", "{ api_don ="),
        '[checks."answers/api_answers"]',
        (
            '[checks."answers/api_answers"] explained_by.api_don: is not a cause of this file; '
            "did you mean 'api_down'?"
        ),
    ),
    "placeholder that nothing fills": (
        "runbook.md",
        replace("restart <service>", "restart <unit>"),
        "restart <unit>",
        'nothing fills <unit> in "sudo systemctl restart <unit>": a report leaves it out.',
    ),
    "secret in an action": (
        "runbook.md",
        replace("restart <service>", "restart <token>"),
        "restart <token>",
        'nothing fills <token> in "sudo systemctl restart <token>": a report leaves it out.',
    ),
    "step that waits for nothing": (
        "runbook.md",
        replace("in progress are lost.\n", "in progress are lost.\n   <!-- when: a/b failed -->\n"),
        "2. **Restart it.**",
        "the step waits for a/b, which has no row.",
    ),
    "run that verifies nothing": (
        "runbook.md",
        replace(
            "restart <service>\n   ```\n",
            "restart <service>\n   ```\n   <!-- run: on=worker effect=restart verify=a/b -->\n",
        ),
        "sudo systemctl",
        '"sudo systemctl restart <service>" names a/b, which has no row.',
    ),
    "layout with an unknown cause": (
        "report.toml",
        append(
            '[[stations]]\nkey = "a"\nname = "A"\ncomponent = "api"\ncauses = ["none"]\n'
            '[[stations]]\nkey = "b"\nname = "B"\ncomponent = "api"\n'
        ),
        "",
        "station 'a' names the cause 'none', which evidence.toml lacks.",
    ),
    "document that is refused": (
        "runbook.md",
        replace("## References", "## Reading"),
        "## Reading",
        'expected the heading "## References" (or "## Références"), found "Reading".',
    ),
    "table that is not TOML": (
        "evidence.toml",
        append("[wrong\n"),
        "[wrong",
        "is not valid TOML: Expected ']' at the end of a table declaration (at line 22, column 7).",
    ),
    "table that is not text": (
        "report.toml",
        spoil,
        b"\xff".decode(errors="replace"),
        "not UTF-8 text.",
    ),
    "table that is refused": (
        "evidence.toml",
        replace("leak = 0.001", "leak = 0"),
        '[checks."answers/api_answers"]',
        '[checks."answers/api_answers"] leak: must be a probability above 0 and below 1.',
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_said_with_file_and_line(folder: Path, name: str) -> None:
    """Each thing is one sentence."""
    file, change, text, sentence = MISSING[name]
    change(folder / file)
    named = folder / file
    if name == "row of a verification that is not there" or name == "other title":
        named = folder / "runbook.md"
    assert f"{named.name}:{line_of(named, text)}: {sentence}" in findings(folder)


def test_all_names_that_the_table_lacks_are_told(folder: Path) -> None:
    """Each is one line: the first does not hide the next."""
    append(
        '[[stations]]\nkey = "a"\nname = "A"\ncomponent = "api"\ncauses = ["none"]\n'
        '[[stations]]\nkey = "b"\nname = "B"\ncomponent = "moon"\n'
    )(folder / "report.toml")
    assert findings(folder) == [
        "report.toml:1: station 'a' names the cause 'none', which evidence.toml lacks.",
        "report.toml:1: station 'b': no check of evidence.toml has component 'moon'.",
    ]


@pytest.mark.parametrize("file", ["runbook.md", "evidence.toml"])
def test_a_file_that_is_missing_is_named(folder: Path, file: str) -> None:
    """The folder is there, so that somebody means it to be a runbook."""
    (folder / file).unlink()
    assert findings(folder) == [f"{file}:1: cannot be read: No such file or directory."]


def test_causes_that_no_check_tells_apart_are_named(folder: Path) -> None:
    """Two hypotheses need a check each, a cause outside the runbook one of the two."""
    table = folder / "evidence.toml"
    append('\n[outside.network_down]\ntitle = "Net"\nprior = 0.01\ncomponent = "net"\n')(table)
    assert findings(folder) == []
    edit(table, "api_down = 0.95 }", "api_down = 0.95, network_down = 0.9 }")
    line = line_of(table, 'title = "Net"') - 1
    assert findings(folder) == [
        (
            f"evidence.toml:{line}: no check tells api_down from network_down: none is 10 times "
            "likelier to fail under the one than under the other."
        )
    ]


def test_a_verification_without_a_check_is_named(folder: Path) -> None:
    """Its command has none, and neither has its number."""
    document = folder / "runbook.md"
    edit(document, VERIFICATION, MORE_VERIFICATION)
    assert findings(folder) == [
        f"runbook.md:{line_of(document, '### 2.')}: verification 2 has no check.",
        (
            f"runbook.md:{line_of(document, '/more')}: no check covers the command "
            '"curl <api_url>/more".'
        ),
    ]


def test_the_command_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Each finding is a line with the file as the shell finds it, and the last line counts them."""
    monkeypatch.setattr("reports.cli.lint.RUNBOOKS", folder.parent)
    monkeypatch.chdir(folder.parents[1])
    edit(folder / "runbook.md", "restart <service>", "restart <unit>")
    assert main(["lint"]) == 1
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"runbooks/{NAME}/runbook.md:")
    assert last == f"{NAME}: {1 + len(others)} things missing"
