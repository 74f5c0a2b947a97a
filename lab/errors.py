"""The lab's exception for errors that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class LabError(Exception):
    """An error of the lab; `str()` is one sentence, with the remedy where there is one."""


def find(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return the fault or variant of that name; raises LabError that suggests the closest name."""
    if name in known:
        return known[name]
    closest = get_close_matches(name, known, 1)
    hint = f"did you mean {closest[0]}?" if closest else f"list them with: python -m lab {kind}s"
    raise LabError(f"there is no {kind} {name!r}; {hint}")
