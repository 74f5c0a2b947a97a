"""The one pass over everything that leaves a run: no secret in it, no control character."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from core.outcome import SEEN_MAX, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

DEPTH_MAX = 12
"""Levels of nesting that are kept; below them a value is told as text."""

_NAMES = r"(?:passw(?:or)?d|secret|token|api[_-]?key|signature)"
# Places in the words of others, log lines most of all, that hold a secret which no target names.
# What begins with <, $ or * is a placeholder.
_ELSEWHERE = (
    (re.compile(r"(://[^:/@\s\"]*:)[^@/\s\"]+(?=@)"), r"\1***"),
    (
        re.compile(r"\b(bearer|basic)(\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{6,}", re.IGNORECASE),
        r"\1\2***",
    ),
    (
        re.compile(
            rf"({_NAMES})(\s*=\s*[\"']?|\\?\"\s*:\s*\\?\")[^\s\"'&,;}}<$*\\][^\s\"'&,;}}\\]*",
            re.IGNORECASE,
        ),
        r"\1\2***",
    ),
    # Not any length before the name: a long word would take a time that grows with its square.
    (re.compile(rf"(--[\w.-]{{0,40}}{_NAMES}\s+)[^\s<$*-]\S*", re.IGNORECASE), r"\1***"),
)


@dataclass(frozen=True)
class Redactor:
    """Takes secrets out of texts, and out of every text within a value.

    Those given (`secrets`, longest first), wherever they stand; and what stands where a password, a
    token or a signature is written.
    """

    secrets: Sequence[str] = ()

    def text(self, text: str, limit: int = SEEN_MAX) -> str:
        """Return the text without secrets and control characters, at most a page of it."""
        # Before the cut, or half a secret could stay at its end.
        for secret in self.secrets:
            text = text.replace(secret, "***")
        for pattern, told in _ELSEWHERE:
            text = pattern.sub(told, text)
        return clean(text, limit)

    def whole(self, text: str) -> str:
        """Return a text of any length, such as captured output, redacted."""
        return self.text(text, sys.maxsize)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON-able copy of a value with every text within it redacted."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth < DEPTH_MAX and isinstance(value, dict):
            return {self.text(str(k)): self.value(v, depth + 1) for k, v in value.items()}
        if depth < DEPTH_MAX and isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in value]
        return self.text(str(value))

    def within(self, item: T) -> T:
        """Return a copy of a frozen dataclass with every text within it redacted."""
        if not is_dataclass(item):
            raise TypeError(f"not a dataclass: {type(item).__name__}")
        changed = {field.name: self._field(getattr(item, field.name)) for field in fields(item)}
        return replace(item, **changed)  # type: ignore[type-var]

    def _field(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._field(one) for one in value)
        return self.within(value) if is_dataclass(value) else self.value(value)
