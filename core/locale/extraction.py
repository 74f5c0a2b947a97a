"""Babel extractors beside calls of `tr`: the sentences of checks and the words of runbooks.

pyproject.toml names these functions; each yields (line, function, message, comments), as Babel asks
of an extraction method.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.runbooks import AGREEING, WORDS
from core.text import first_paragraph

Message = tuple[int, str | None, str | tuple[str, str], list[str]]


def check_sentences(file: BinaryIO, *_: Any, **__: Any) -> Iterator[Message]:
    """Yield the first paragraph of each check's docstring, on one line, as the reports have it."""
    tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            sentence = first_paragraph(ast.get_docstring(node))
            if sentence:
                yield node.lineno, None, sentence, []


def runbook_words(file: BinaryIO, *_: Any, **__: Any) -> Iterator[Message]:
    """Yield the texts of an evidence.toml or a report.toml."""
    yield from _words(tomllib.load(file))


def _words(value: Any, key: str = "", table: str = "") -> Iterator[Message]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _words(part, name, key)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part, key, table)
    elif isinstance(value, str) and (table, key) in AGREEING:
        yield 1, "trn", (value, value), []
    elif isinstance(value, str) and key == "component":
        yield 1, "trc", ("component", value), []
    elif isinstance(value, str) and key in WORDS:
        yield 1, None, value, []
