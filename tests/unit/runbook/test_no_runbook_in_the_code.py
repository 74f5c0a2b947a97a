"""What is particular to one runbook is in its folder, and nowhere in the reports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from reports.diagnosis.evidence_file import load_evidence
from reports.model.bundle import RUNBOOKS
from reports.model.layout_file import load_layout
from tests.made import ROOT

ROOMS = ("reports", "fixtures/run")
SAID = re.compile(r"upload|stuck", re.IGNORECASE)
"""The words of the first runbook for what suffers in it."""

SHARED = {"backlog", "consumers"}
"""Figures of the queue that the journey of a named item shows, in any runbook."""


def sources() -> list[Path]:
    """The modules and templates that serve every runbook."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*")]
    return [path for path in paths if path.suffix in (".py", ".html", ".css", ".js")]


def code_of(path: Path) -> Iterator[str]:
    """Yield the names and texts of a module, without its docstrings; all of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield text
        return
    tree = ast.parse(text)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node not in docstrings:
                yield node.value
        elif isinstance(node, ast.Name | ast.arg):
            yield node.id if isinstance(node, ast.Name) else node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            yield node.name


@cache
def names_of_runbooks() -> frozenset[str]:
    """The ids of the causes, checks and figures of the shipped runbooks."""
    names: set[str] = set()
    for folder in (one.parent for one in RUNBOOKS.glob("*/evidence.toml")):
        evidence = load_evidence(folder / "evidence.toml")
        names |= {cause.id for cause in evidence.causes} | {row.id for row in evidence.checks}
        names |= {figure.id for figure in load_layout(folder).figures} - SHARED
    return frozenset(names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_speaks_of_one_runbook(path: Path) -> None:
    """No word for what suffers, no cause, no check and no figure of a shipped runbook."""
    texts = [text for text in code_of(path) if SAID.search(text) or text in names_of_runbooks()]
    assert texts == []
