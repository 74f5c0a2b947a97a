"""Words for pydantic's validation errors: what is wrong, where, and what would be right.

The errors are those of `ValidationError.errors()`. A value is never quoted: it may be a secret.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from core.text import printable, uncapitalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KEY_MAX = 80

_PROBLEMS = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dataclass_type": "must be a table",
}
_KINDS = {dict: "a table", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def kind_of(value: object) -> str:
    """Return a value's type in plain words: "text", "a table", "a number"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def nearest(word: str, words: Sequence[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest of `words`, or nothing."""
    close = difflib.get_close_matches(word[:KEY_MAX], words, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def place_of(location: Iterable[str | int]) -> str:
    """Return an error's location as a path: `results[3].outcome.check`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{printable(part, KEY_MAX)}"
    return path.removeprefix(".")


def problem_of(error: Mapping[str, Any]) -> str:
    """Return what is wrong with the value at an error's location, such as "must be text"."""
    if error["type"] in _PROBLEMS:
        return _PROBLEMS[error["type"]]
    if error["type"] == "literal_error":
        return f"must be {error['ctx']['expected']}"
    message = error["msg"].removeprefix("Value error, ")
    message = re.sub(r"^(?:Input|String|Tuple|List) should ", "must ", message)
    return uncapitalized(message).replace(" after validation", "")


def first_of(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the error to report first: an unknown key, which explains a missing one, or any."""
    return next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
