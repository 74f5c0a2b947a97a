"""No sentence escapes translation: real runs in a language whose letters have accents."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import faults
from tests.suite import ROOT, run_command, run_suite

if TYPE_CHECKING:
    from lab.state import Lab

ENGLISH = re.compile(r"[a-z]*[aceinouy][a-z]*")
"""A word whose letters would have accents if it had been translated."""

DATA = """
local: python (pid 7)
/health/worker: status: unavailable; checks worker: last heartbeat 10 s ago
"""
"""A process of the lab, and an answer of its API: data of the target, which stay as they are."""

WORDS = 3
"""Words in a row that are a sentence: what a target says and a command's options are shorter."""


def words_of(text: str) -> list[str]:
    """Return the words of a text without the signs around them."""
    return [word.strip(".,;:()[]'\"`“”*") for word in text.split()]


def escaped(text: str, known: str) -> list[str]:
    """Return the lines that have several English words in a row which `known` does not have."""
    allowed = " ".join(words_of(known))
    texts = []
    for line in text.splitlines():
        words = words_of(line)
        for start in range(len(words) - WORDS + 1):
            some = words[start : start + WORDS]
            if all(map(ENGLISH.fullmatch, some)) and " ".join(some) not in allowed:
                texts.append(line.strip())
                break
    return texts


def visible(page: str) -> str:
    """Return the text of an HTML page, each element on a line of its own."""
    page = re.sub(r"<(script|style)\b.*?</\1>", "\n", page, flags=re.DOTALL)
    attributes = re.findall(r'\b(?:title|aria-label|alt|placeholder)="([^"]*)"', page)
    return html.unescape("\n".join([re.sub(r"<[^>]*>", "\n", page), *attributes]))


@pytest.mark.parametrize(
    ("runbook", "names"),
    [
        ("upload_stuck", ()),
        ("upload_stuck", ("worker-killed",)),
        ("login_fails", ("signing-key-changed",)),
    ],
)
def test_every_sentence_of_a_run_is_translated(
    lab: Lab, tmp_path: Path, runbook: str, names: tuple[str, ...]
) -> None:
    """What it prints, its page, its post-mortem, its message: only data stays as it is."""
    try:
        faults.inject(lab.directory, names)
        environ = {"VEZA_LAB_DIR": str(lab.directory), "VEZA_LANG": "pseudo"}
        run_suite("--target", "lab", "--runbook", runbook, out=tmp_path, environ=environ)
        files = [*lab.app_logs.iterdir(), *lab.worker_logs.iterdir()]
        said_by_lab = "".join(path.read_text() for path in files)
    finally:
        faults.heal(lab.directory)
    folder = tmp_path / "lab" / runbook
    shown = {"page": visible((folder / "report.html").read_text())}
    for command in ("render", "nagios", "postmortem") if names else ("render", "nagios"):
        done = run_command(
            sys.executable, "-m", "reports", command, folder, environ={"VEZA_LANG": "pseudo"}
        )
        assert done.stdout, done.stderr
        shown[command] = done.stdout
    document = (ROOT / "runbooks" / runbook / "runbook.md").read_text()
    known = f"{document} {said_by_lab} {DATA}"
    english = {form: lines for form, text in shown.items() if (lines := escaped(text, known))}
    assert not english, "\n".join(f"{form}: {line}" for form in english for line in english[form])


def test_a_french_document_makes_a_french_run(lab: Lab, tmp_path: Path) -> None:
    """All that is printed around the team's words is in their language; ids and states stay."""
    document = ROOT / "runbooks" / "upload_stuck" / "runbook.fr.md"
    options = ("--target", "lab", f"--runbook-doc={document}")
    run = run_suite(*options, out=tmp_path, environ={"VEZA_LAB_DIR": str(lab.directory)})
    assert "✓ SAIN  lab · " in run.text
    assert run.report is not None
    assert (run.report["state"], run.report["language"]) == ("healthy", "fr")
    assert run.outcome("storage/directory_exists")["status"] == "passed"
    page = (tmp_path / "lab" / "upload_stuck" / "report.html").read_text()
    assert '<html lang="fr"' in page
    assert "Contrôles" in page


def test_a_sentence_that_escaped_is_found() -> None:
    """Three English words in a row are one, unless the target or the document says them."""
    assert escaped("thé wörkér ïs down\nthe worker is down", "") == ["the worker is down"]
    assert escaped("the worker is down", "because the worker is down") == []
