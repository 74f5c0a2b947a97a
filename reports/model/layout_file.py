"""Read report.toml, which says what a report shows of its runbook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core.files import FileError, read_toml
from core.language import plural, tr
from core.runbooks import WORDS
from core.validation import first_of, place_of, problem_of
from reports.model.layout import Layout
from reports.runbook.document import RunbookError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "report.toml"


def translated(document: dict[str, Any]) -> dict[str, Any]:
    """Return a parsed report.toml with its words in the language of the process."""
    said: dict[str, Any] = _translated({"path": Layout.path} | document)
    impact, success = document.get("impact"), document.get("success")
    if isinstance(impact, dict) and {"noun", "state"} <= impact.keys():
        # The names of placeholders stay.
        said["impact"] |= {"item": impact["noun"]} | _numbered(impact["state"], "state", "states")
    if isinstance(success, dict) and "words" in success:
        said["success"] |= _numbered(success["words"], "one", "words")
    return said


def _of_figure(written: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return what a figure has beside its translated words."""
    added: dict[str, Any] = _numbered(written.get("words"), "one", "words")
    if said.get("meaning") != written.get("meaning"):
        added["english"] = written["meaning"]
    return added


def _numbered(text: object, one: str, many: str) -> dict[str, str]:
    """Return the words for one thing and for several, by these keys, where they differ."""
    if not isinstance(text, str):
        return {}
    words = {one: plural(text, 1), many: plural(text, 2)}
    return words if words[one] != words[many] else {}


def _translated(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        said = {name: _translated(part, name) for name, part in value.items()}
        return said | _of_figure(value, said) if key == "figures" else said
    if isinstance(value, list):
        return [_translated(part, key) for part in value]
    if key not in WORDS or not isinstance(value, str):
        return value
    several = plural(value, 2) if key == "words" else value
    return several if several != value else tr(value)


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
        raise RunbookError(
            f"{path}: metrics: "
            + tr("{pattern!r} is no pattern: {error}", pattern=exc.pattern, error=exc.msg)
        ) from exc
    except ValidationError as exc:
        first = first_of(exc.errors(include_url=False, include_input=False))
        place = place_of(first["loc"])
        problem = tr("is not a key here") if "unexpected" in first["type"] else problem_of(first)
        raise RunbookError(f"{path}: {place}{': ' * bool(place)}{problem}") from exc
    return layout
