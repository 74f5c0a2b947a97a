"""Words for pydantic's validation errors: what is wrong, where, and what would be right.

The errors are those of `ValidationError.errors()`. A value is never quoted: it may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.language import mark, tr, trn
from core.text import listed, printable, uncapitalized

KEY_MAX = 80

_SEPARATOR = re.compile(r"(?<='), (?=')|(?<=') or (?=')")
"""Separates the values that pydantic lists: 'a', 'b' or 'c'."""

_PROBLEMS = {
    "missing": mark("is missing"),
    "string_type": mark("must be text"),
    "int_type": mark("must be a whole number"),
    "int_from_float": mark("must be a whole number"),
    "int_parsing": mark("must be a whole number"),
    "float_type": mark("must be a number"),
    "finite_number": mark("must be a finite number"),
    "bool_type": mark("must be true or false"),
    "bool_parsing": mark("must be true or false"),
    "list_type": mark("must be a list"),
    "tuple_type": mark("must be a list"),
    "dict_type": mark("must be a table"),
    "model_type": mark("must be a table"),
    "model_attributes_type": mark("must be a table"),
    "dataclass_type": mark("must be a table"),
    "greater_than_equal": mark("must be greater than or equal to {ge}"),
    "less_than_equal": mark("must be less than or equal to {le}"),
    "string_pattern_mismatch": mark("must match pattern '{pattern}'"),
}
"""Sentences by the error's type; their fields are of its `ctx`."""


def nearest(word: str, words: Sequence[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest of `words`, or nothing."""
    by_lower_case = {one.lower(): one for one in words}
    close = difflib.get_close_matches(word[:KEY_MAX].lower(), by_lower_case, n=1)
    return tr("; did you mean {word!r}?", word=by_lower_case[close[0]]) if close else ""


def place_of(location: Iterable[str | int]) -> str:
    """Return an error's location as a path: `results[3].outcome.check`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{printable(part, KEY_MAX)}"
    return path.removeprefix(".")


def problem_of(error: Mapping[str, Any]) -> str:
    """Return what is wrong with the value at an error's location, such as "must be text"."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind in _PROBLEMS:
        return tr(_PROBLEMS[kind], **limits)
    if kind == "literal_error":
        return tr("must be {values}", values=listed(_SEPARATOR.split(limits["expected"]), "or"))
    if kind == "string_too_short":
        least = limits["min_length"]
        return trn("must have at least {n} character", "must have at least {n} characters", least)
    if kind == "string_too_long":
        most = limits["max_length"]
        return trn("must have at most {n} character", "must have at most {n} characters", most)
    if kind == "too_short":
        return trn(
            "must have at least {n} item, not {actual_length}",
            "must have at least {n} items, not {actual_length}",
            limits["min_length"],
            **limits,
        )
    if kind == "too_long":
        return trn(
            "must have at most {n} item, not {actual_length}",
            "must have at most {n} items, not {actual_length}",
            limits["max_length"],
            **limits,
        )
    message = error["msg"].removeprefix("Value error, ")
    message = re.sub(r"^(?:Input|String|Tuple|List) should ", "must ", message)
    return uncapitalized(message).replace(" after validation", "")


def first_of(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the error to report first: an unknown key, which explains a missing one, or any."""
    return next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
