"""report.json: write a Report, read it back, and describe it by a JSON Schema.

The file may be anything: pydantic checks its shape, and values of the right type that contradict
each other are refused too.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.errors import TranslatedError
from core.files import FileError, read_file
from core.language import tr
from core.secrets import Redactor
from core.text import printable
from core.validation import place_of, problem_of
from reports.diagnosis.result import Diagnosis
from reports.model.bundle import folder_of
from reports.model.layout_file import load_layout
from reports.model.report import SCHEMA, Report
from reports.runbook.document import RunbookError

if TYPE_CHECKING:
    from pydantic import TypeAdapter


MAX_BYTES = 32 << 20
"""Bytes of the largest report that is read; a real one has some hundred thousand."""

PARTIAL = "partial"
"""The folder of a partial run, in that of its runbook: it replaces nothing of a whole run."""

INTEGER_MAX = 2**63
"""Limit of a number: no count and no size of a real system reaches it."""

_FIGURE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAME = re.compile(r"[^\s/\\][^/\\]{0,99}")


class LoadError(TranslatedError, ValueError):
    """The file is not a usable report; `str()` is one sentence that names it."""


class _InvalidError(TranslatedError, ValueError):
    """A value has the right type and is still invalid in a report."""


def to_json(report: Report) -> str:
    """Return the report as indented JSON; equal reports give equal bytes."""
    return json.dumps(_document(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of report.json."""
    schema = _adapter().json_schema(mode="serialization")
    schema["properties"]["schema"] = {"const": SCHEMA}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def newest_report(path: Path) -> Path:
    """Return the report that a path means.

    A target's folder stands for the newest report of its runbooks, and so does the report.json that
    an earlier version wrote there. Raises nothing: reading the path says why it cannot be used.
    """
    try:
        return _newest_report(path)
    except OSError:
        return path


def _newest_report(path: Path) -> Path:
    if path.is_dir():
        folder, name = path, "report.json"
    elif path.exists() or path.name != "report.json":
        return path
    elif path.parent.name == PARTIAL:
        folder, name = path.parent.parent, f"{PARTIAL}/report.json"
    else:
        folder, name = path.parent, path.name
    candidates = [folder / name, *folder.glob(f"*/{name}")]
    known = [one for one in candidates if one.exists() and one != folder / PARTIAL / "report.json"]
    return max(known, key=lambda one: one.stat().st_mtime_ns, default=path)


def load_report(path: Path) -> Report:
    """Return the report in a file; raises LoadError."""
    try:
        content = read_file(path, MAX_BYTES)
    except FileError as exc:
        if isinstance(exc.__cause__, IsADirectoryError) and path.name != "report.json":
            raise LoadError(_no_report(path)) from exc
        raise LoadError(str(exc)) from exc
    return parse_report(content, str(path))


def _no_report(folder: Path) -> str:
    name = f"{PARTIAL}/report.json"
    found = [one for one in (folder / name, *folder.glob(f"*/{name}")) if one.exists()]
    if not found:
        return tr("{folder} has no report.json: no run has written one there", folder=folder)
    return tr(
        "{folder} has no report of a whole run; that of a narrowed or interrupted one is {path}",
        folder=folder,
        path=found[0],
    )


def parse_report(raw: bytes, name: str) -> Report:
    """Return the report in these bytes; `name` is how LoadError names them."""
    from pydantic import ValidationError

    document = _parse(raw, name)
    if not isinstance(document, dict) or "schema" not in document:
        raise LoadError("{name} is not a report: it has no schema number", name=name)
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise LoadError(
            "{name} has schema {schema!r}, and this version reads {known}: "
            "use the version of veza-checks that wrote it",
            name=name,
            schema=str(document["schema"])[:20],
            known=SCHEMA,
        )
    try:
        # Half a surrogate pair cannot be printed.
        content = json.dumps(document, ensure_ascii=False).encode(errors="replace")
        report = _adapter().validate_json(content, strict=True)
        if "layout" not in document:
            # A report of an earlier version: its runbook still says what to show.
            report = replace(report, layout=load_layout(folder_of(report)).in_report())
        _check(report)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = place_of(first["loc"]) or tr("the report")
        problem = f"{place} {problem_of(first)}"
        raise LoadError(
            "{name} is not a usable report: {problem}", name=name, problem=problem
        ) from exc
    except RunbookError as exc:
        raise LoadError(
            "{name} is of an earlier version, and its runbook: {error}", name=name, error=exc
        ) from exc
    except _InvalidError as exc:
        raise LoadError(
            "{name} is not a usable report: {problem}", name=name, problem=printable(exc, 300)
        ) from exc
    # A report of ours is redacted already; a hostile one loses its control characters.
    return Redactor().within(report)


@cache
def _adapter() -> TypeAdapter[Report]:
    # Imported here: a run that writes a report does not read one.
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def _document(value: Any) -> Any:
    """Return the JSON value of a dataclass and all within it, with 100 in place of 100.0.

    For a reader of JSON these two are the same number.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < INTEGER_MAX:
        return int(value)
    if isinstance(value, dict):
        return {key: _document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_document(item) for item in value]
    if is_dataclass(value):
        return {one.name: _document(getattr(value, one.name)) for one in fields(value)}
    return value


def _parse(raw: bytes, name: str) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise LoadError(
            "{name} is not a report: byte {place} is not UTF-8", name=name, place=exc.start
        ) from exc
    if not text.strip():
        raise LoadError("{name} is empty", name=name)
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except json.JSONDecodeError as exc:
        if text.lstrip().startswith("{") and not text.rstrip().endswith("}"):
            last = text.count("\n") + 1
            raise LoadError(
                "{name} is cut short: it ends within line {line}", name=name, line=last
            ) from exc
        raise LoadError(
            "{name} is not JSON: {error} in line {line}", name=name, error=exc.msg, line=exc.lineno
        ) from exc
    except RecursionError as exc:
        raise LoadError("{name} is not a report: it is nested too deeply", name=name) from exc
    except ValueError as exc:
        raise LoadError("{name} is not a report: {problem}", name=name, problem=exc) from exc


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 20 else INTEGER_MAX
    if abs(value) >= INTEGER_MAX:
        raise ValueError(tr("it contains a number that is too large"))
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(tr("it contains a number that is too large"))
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(tr("it contains {text}, which is not a number", text=text))


def _check(report: Report) -> None:
    """Raise _InvalidError for values that are invalid or contradict each other."""
    if not _NAME.fullmatch(report.target.name):
        raise _InvalidError(tr("target.name must be a name, not a path"))
    _check_time("started", report.started)
    for earlier in report.seen_before:
        _check_time("seen_before: last", earlier.last)
    if report.seconds < 0:
        raise _InvalidError(tr("seconds must not be negative"))
    _check_unique("results", (result.outcome.check for result in report.results))
    _check_unique("figures", (figure.id for figure in report.figures))
    for figure in report.figures:
        if not _FIGURE.fullmatch(figure.id):
            raise _InvalidError(tr("figures must be named in lower case letters, digits and _"))
    _check_diagnosis(report.diagnosis)


def _check_time(place: str, text: str) -> None:
    try:
        at = datetime.fromisoformat(text)
        # A year at the end of the calendar has no time in another zone.
        aware = at.tzinfo is not None and 1 < at.year < 9999
    except ValueError:
        aware = False
    if not aware:
        raise _InvalidError(
            "{place} must be a time with its zone, as ISO 8601 writes it", place=place
        )


def _check_diagnosis(diagnosis: Diagnosis) -> None:
    """Raise _InvalidError for a diagnosis that contradicts itself."""
    for finding in diagnosis.causes:
        if not 0 <= finding.probability <= 1:
            raise _InvalidError(
                "the probability of {cause} must be from 0 to 1", cause=finding.id[:80]
            )
    _check_unique(tr("the diagnosis"), (finding.id for finding in diagnosis.causes))
    known = {finding.id for finding in diagnosis.causes}
    between = diagnosis.next_check.between if diagnosis.next_check else ()
    for cause in (*diagnosis.most_likely_set, *diagnosis.most_likely_outside, *between):
        if cause not in known:
            raise _InvalidError(
                "the diagnosis names {cause}, which is not one of its causes", cause=cause[:80]
            )


def _check_unique(place: str, names: Iterable[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise _InvalidError("{place} must name {name} once", place=place, name=name[:80])
