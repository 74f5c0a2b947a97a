"""Read report.toml, which says what a report shows of its runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.files import FileError, read_toml
from core.language import plural, tr
from core.runbooks import AGREEING, WORDS
from core.validation import first_of, place_of, problem_of
from reports.model.layout import Layout
from reports.runbook.document import RunbookError

NAME = "report.toml"


def translated(document: dict[str, Any]) -> dict[str, Any]:
    """Return a parsed report.toml with its words in the language of the process."""
    result: dict[str, Any] = _translated({"path": Layout.path} | document)
    impact = document.get("impact")
    if isinstance(impact, dict) and {"noun", "state"} <= impact.keys():
        # The names of placeholders stay.
        result["impact"]["item"] = impact["noun"]
    return result


def _translated(value: Any, key: str = "") -> Any:
    """Return a value of this key or table; a table gets keys that only another language needs."""
    if isinstance(value, dict):
        result = {name: _translated(part, name) for name, part in value.items()}
        for name, text in value.items():
            if (key, name) in AGREEING and isinstance(text, str):
                result |= _numbered(text, *AGREEING[key, name])
        if key == "figures" and result.get("meaning") != value.get("meaning"):
            result["english"] = value["meaning"]
        return result
    if isinstance(value, list):
        return [_translated(part, key) for part in value]
    return tr(value) if key in WORDS and isinstance(value, str) else value


def _numbered(text: str, one: str, many: str) -> dict[str, str]:
    """Return the words for one thing and for several, by these keys, where they differ."""
    words = {one: plural(text, 1), many: plural(text, 2)}
    return words if words[one] != words[many] else {}


def load_layout(folder: Path) -> Layout:
    """Load the report.toml of a runbook's folder; raises RunbookError.

    A runbook without the file has a report without path, figures and charts.
    """
    path = folder / NAME
    if not path.exists():
        return Layout()
    from pydantic import TypeAdapter, ValidationError

    try:
        layout = TypeAdapter(Layout).validate_python(translated(read_toml(path)))
        for metric in layout.metrics:
            re.compile(metric.pattern)
    except FileError as exc:
        raise RunbookError(str(exc)) from exc
    except re.error as exc:
        problem = tr("{pattern!r} is no pattern: {error}", pattern=exc.pattern, error=exc.msg)
        raise RunbookError.at(f"{path}: metrics", problem) from exc
    except ValidationError as exc:
        first = first_of(exc.errors(include_url=False, include_input=False))
        place = place_of(first["loc"])
        problem = tr("is not a key here") if "unexpected" in first["type"] else problem_of(first)
        where = f"{path}: {place}" if place else path
        raise RunbookError.at(where, problem) from exc
    return layout
