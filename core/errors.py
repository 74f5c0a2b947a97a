"""Errors that say what happened in the language of the process."""

from __future__ import annotations

from typing import Self

from core.language import tr


class TranslatedError(Exception):
    """An error whose `str()` is one sentence.

    With `parts` the sentence is translated and filled, as by `tr`. Without them it is ready and
    stays as it is: it may quote what others wrote, with braces. pyproject.toml names each of these
    errors for Babel.
    """

    def __init__(self, sentence: str, /, **parts: object) -> None:
        super().__init__(tr(sentence, **parts) if parts else sentence)

    @classmethod
    def at(cls, place: object, problem: object) -> Self:
        """Return the error for a place, such as a line of a file, as compilers write it."""
        return cls(f"{place}: {problem}")
