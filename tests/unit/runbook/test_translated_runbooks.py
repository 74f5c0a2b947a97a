"""A translated runbook says the same as the English one: only its sentences differ."""

from __future__ import annotations

import re
import runpy
from itertools import pairwise
from pathlib import Path

import pytest

from core.language import language, set_language
from reports.diagnosis.evidence_file import load_evidence
from reports.model.build import watched_metrics
from reports.model.layout_file import load_layout
from reports.render.preventive import NAME
from reports.runbook.document import Command, without_comments
from reports.runbook.markdown import language_of, load_runbook
from reports.runbook.placeholders import placeholders

ROOT = Path(__file__).resolve().parents[3]
TRANSLATED = sorted(ROOT.glob("runbooks/*/runbook.*.md"))

each_translation = pytest.mark.parametrize(
    "path", TRANSLATED, ids=lambda path: f"{path.parent.name}-{code_of(path)}"
)


def code_of(path: Path) -> str:
    """Return the language that the document's name says: "fr" of runbook.fr.md."""
    return path.suffixes[-2].removeprefix(".")


def english_of(path: Path) -> Path:
    """Return the English document beside a translated one."""
    return path.with_name("runbook.md")


def parts_of(command: Command) -> tuple[object, ...]:
    """Return what two translations of a command have in common: all but its comment lines."""
    lines = without_comments(command.text)
    return command.language, lines, command.checks, command.when, command.run


def structure_of(path: Path) -> dict[str, object]:
    """Return the numbers, commands, conditions and permissions of a runbook, without its words."""
    runbook = load_runbook(path)
    return {
        "hypotheses": len(runbook.hypotheses),
        "verifications": [
            (one.number, [parts_of(command) for command in one.commands])
            for one in runbook.verifications
        ],
        "actions": [
            [
                (
                    one.number,
                    one.when,
                    one.dangerous,
                    [parts_of(command) for command in one.commands],
                )
                for one in group.steps
            ]
            for group in runbook.actions
        ],
        "preventive": [
            [(one.number, [parts_of(command) for command in one.commands]) for one in group.steps]
            for group in runbook.preventive
        ],
        "watch": len(runbook.watch),
    }


def blocks_of(path: Path) -> list[tuple[str, ...]]:
    """Return what a document has of each kind, section by section, in its order."""
    lines = path.read_text(encoding="utf-8").split("\n")
    heads = [number for number, line in enumerate(lines) if re.match(r"#{1,3} ", line)]
    return [
        tuple(
            found
            for line in lines[start:stop]
            for found in re.findall(r"<!--.*?-->|```\w*|https?://\S+|^ *(?:- |\d+\. )", line)
        )
        for start, stop in pairwise([*heads, len(lines)])
    ]


@each_translation
def test_the_translation_has_the_commands_of_the_english_runbook(path: Path) -> None:
    """Steps, commands, checks, conditions and permissions are those of the English document."""
    assert structure_of(path) == structure_of(english_of(path))


@each_translation
def test_the_translation_has_the_blocks_of_the_english_runbook(path: Path) -> None:
    """Each section has the same comments, code blocks, links and list items."""
    assert blocks_of(path) == blocks_of(english_of(path))


@each_translation
def test_the_translation_has_the_names_of_the_english_runbook(path: Path) -> None:
    """The same placeholders are filled in, and the same code is quoted."""
    for found in (placeholders, quoted):
        ours, theirs = (found(one.read_text(encoding="utf-8")) for one in (path, english_of(path)))
        assert sorted(ours) == sorted(theirs)


def quoted(text: str) -> set[str]:
    """Return the code in the sentences of a document."""
    outside = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    return {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", outside)}


@each_translation
def test_the_translated_metrics_are_measured_by_the_same_figures(path: Path) -> None:
    """A pattern of report.toml finds a metric to watch in every language."""
    kinds = load_layout(path.parent).metrics
    ours, theirs = (
        [(one.figure, one.rises) for one in watched_metrics(load_runbook(each).watch, kinds, {})]
        for each in (path, english_of(path))
    )
    assert ours == theirs
    assert all(figure for figure, _ in ours)


@each_translation
def test_the_translated_preventive_actions_are_looked_at_in_the_same_way(path: Path) -> None:
    """A pattern of preventive.py finds an action, and a box, in every language."""
    own = path.with_name(NAME)
    looks = [
        re.compile(pattern, re.IGNORECASE)
        for pattern, _ in (runpy.run_path(str(own))["LOOKS"] if own.exists() else ())
    ]
    ours, theirs = (
        [
            next((n for n, one in enumerate(looks) if one.search(title)), None)
            for title in preventive_in(each)
        ]
        for each in (path, english_of(path))
    )
    assert ours == theirs


def preventive_in(path: Path) -> list[str]:
    """Return the titles of a runbook's preventive actions, and the boxes of its post-mortem."""
    runbook = load_runbook(path)
    titles = [step.title for group in runbook.preventive for step in group.steps]
    return titles + re.findall(r"(?m)^\s*- \[ \] (.+)$", runbook.postmortem)


@each_translation
def test_the_translation_is_in_the_language_of_its_name(path: Path) -> None:
    """The headings say the language in which a report of this document is written."""
    assert language_of(path) == code_of(path)


@each_translation
def test_the_translated_hypotheses_have_the_titles_of_their_causes(path: Path) -> None:
    """The document and the catalogue call each hypothesis by the same name."""
    before = language()
    set_language(code_of(path))
    try:
        causes = load_evidence(path.parent / "evidence.toml").hypotheses
    finally:
        set_language(before)
    assert load_runbook(path).hypotheses == tuple(cause.title for cause in causes)
