"""Collect exactly one outcome for each selected check, even if it hangs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from core.language import tr
from core.outcome import Outcome, check_id
from core.secrets import Redactor
from core.text import first_paragraph

PROBLEMS_MAX = 50
"""Problems that are kept."""


class Collector:
    """Collects the outcomes of a run, its `problems`, and why checks are `hanging`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._selected: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.hanging: dict[str, str] = {}
        self.problems: list[str] = []

    @property
    def selected(self) -> tuple[str, ...]:
        """The node ids of the selected checks."""
        return tuple(self._selected.values())

    def select(self, nodeids: Iterable[str]) -> None:
        """Add the checks that are going to run."""
        self._selected.update({check_id(nodeid): nodeid for nodeid in nodeids})

    def add(self, outcome: Outcome) -> None:
        """Add an outcome; a later one of the same check replaces it (its teardown failed)."""
        self._outcomes[outcome.check] = outcome

    def problem(self, sentence: str) -> None:
        """Add a problem of the run itself, a sentence."""
        if len(self.problems) < PROBLEMS_MAX and sentence not in self.problems:
            self.problems.append(sentence)

    def outcomes(self, reason: str, redact: Redactor) -> tuple[Outcome, ...]:
        """Return one outcome for each check; `reason` says why the others did not run.

        Those that were added are redacted already.
        """
        return tuple(
            self._outcomes.get(check)
            or Outcome(
                check,
                "missing",
                expected=redact.text(sentence_at(self._root, nodeid)),
                seen=redact.text(self.hanging.get(check, reason)),
            )
            for check, nodeid in self._selected.items()
        )


def sentence_of(docstring: str | None, name: str) -> str:
    """Return a check's sentence: the first paragraph of its docstring, translated, on one line."""
    return tr(first_paragraph(docstring)) or name


def sentence_at(root: Path, nodeid: str) -> str:
    """Return the sentence of a check that made no report, from its source."""
    path, _, name = nodeid.partition("::")
    name = name.partition("[")[0]
    try:
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return name
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return next((sentence_of(ast.get_docstring(n), name) for n in functions), name)
