"""Every selected check gets exactly one outcome, whatever became of the process that ran it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from core.outcome import Outcome, check_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROBLEMS_MAX = 50
"""Problems kept: a broken import in every module is one story, not a hundred."""


class Collector:
    """Gathers the outcomes in the controlling process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._selected: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._crashes: dict[str, str] = {}
        self._problems: list[str] = []

    @property
    def selected(self) -> tuple[str, ...]:
        """The node ids of the selected checks."""
        return tuple(self._selected.values())

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong with the run itself, a sentence each."""
        return tuple(self._problems)

    def select(self, nodeids: Iterable[str]) -> None:
        """Note the checks that are going to run; each xdist worker reports the same ones."""
        self._selected.update({check_id(nodeid): nodeid for nodeid in nodeids})

    def add(self, outcome: Outcome) -> None:
        """Note an outcome; a later one of the same check replaces it (its teardown broke)."""
        self._outcomes[outcome.check] = outcome

    def crash(self, nodeid: str, reason: str) -> None:
        """Note that the process which ran this check is gone."""
        self._crashes[check_id(nodeid)] = reason

    def problem(self, sentence: str) -> None:
        """Note what went wrong with the run itself."""
        if len(self._problems) < PROBLEMS_MAX and sentence not in self._problems:
            self._problems.append(sentence)

    def outcomes(self, reason: str) -> tuple[Outcome, ...]:
        """Return one outcome a check; `reason` says why the others never reported."""
        return tuple(
            self._outcomes.get(check)
            or Outcome(
                check,
                "missing",
                expected=sentence_at(self._root, nodeid),
                seen=self._crashes.get(check, reason),
            )
            for check, nodeid in self._selected.items()
        )


def sentence_of(docstring: str | None, name: str) -> str:
    """Return a check's sentence: the first paragraph of its docstring, on one line."""
    first = (docstring or "").strip().partition("\n\n")[0]
    return " ".join(first.split()) or name


def sentence_at(root: Path, nodeid: str) -> str:
    """Return the sentence of a check that ran in a process which is gone, from its source."""
    path, _, name = nodeid.partition("::")
    name = name.partition("[")[0]
    try:
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return name
    found = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return next((sentence_of(ast.get_docstring(n), name) for n in found), name)
