"""report.json: a Report as JSON, read back from anything, and described by a JSON Schema.

The file that is read may be anything: pydantic checks its shape, and what has the right types and
still makes no report is refused too.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from core.files import FileError, read_file
from core.secrets import Redactor
from core.text import printable
from core.validation import place_of, problem_of
from reports.model.report import SCHEMA, Report

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import TypeAdapter

    from reports.diagnosis.result import Diagnosis

MAX_BYTES = 32 << 20
"""Bytes of a report that are read; a real one has some hundred thousand."""

INTEGER_MAX = 2**63
"""No count and no size of a real system reaches it; larger ones overflow a float."""

_FIGURE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAME = re.compile(r"[^\s/\\][^/\\]{0,99}")


class LoadError(ValueError):
    """The file is not a report that can be used; `str()` is one sentence that names it."""


class _MisfitError(ValueError):
    """A value has the right type and cannot be part of a report."""


def to_json(report: Report) -> str:
    """Return the report as indented JSON with a newline at its end; equal reports, equal bytes."""
    return json.dumps(asdict(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of report.json."""
    schema = _adapter().json_schema(mode="serialization")
    schema["properties"]["schema"] = {"const": SCHEMA}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_report(path: Path) -> Report:
    """Return the report in a file; raises LoadError where there is none that can be used."""
    try:
        content = read_file(path, MAX_BYTES)
    except FileError as exc:
        raise LoadError(str(exc)) from exc
    return parse_report(content, str(path))


def parse_report(raw: bytes, name: str) -> Report:
    """Return the report that these bytes hold; `name` is what LoadError calls them."""
    from pydantic import ValidationError

    document = _parse(raw, name)
    if not isinstance(document, dict) or "schema" not in document:
        raise LoadError(f"{name} is not a report: it has no schema number")
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise LoadError(
            f"{name} has schema {str(document['schema'])[:20]!r}, and this version reads {SCHEMA}: "
            "use the version of veza-checks that wrote it"
        )
    try:
        report = _adapter().validate_json(json.dumps(document), strict=True)
        _check(report)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        problem = f"{place_of(first['loc']) or 'the report'} {problem_of(first)}"
        raise LoadError(f"{name} is not a usable report: {problem}") from exc
    except _MisfitError as exc:
        raise LoadError(f"{name} is not a usable report: {printable(exc, 300)}") from exc
    # An honest report is redacted already; a hostile one loses what would reach a terminal as a
    # command.
    return Redactor().within(report)


@cache
def _adapter() -> TypeAdapter[Report]:
    # Imported here: a run that writes a report does not read one.
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def _parse(raw: bytes, name: str) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise LoadError(f"{name} is not a report: byte {exc.start} is not UTF-8") from exc
    if not text.strip():
        raise LoadError(f"{name} is empty")
    try:
        document = json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        if b"\\ud" in raw.lower():
            # Half a surrogate pair is a text that nothing can print.
            document = json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    except json.JSONDecodeError as exc:
        if not text.rstrip().endswith("}"):
            last = text.count("\n") + 1
            raise LoadError(f"{name} is cut short: it ends within line {last}") from exc
        raise LoadError(f"{name} is not JSON: {exc.msg} in line {exc.lineno}") from exc
    except RecursionError as exc:
        raise LoadError(f"{name} is not a report: it is nested too deeply") from exc
    except ValueError as exc:
        raise LoadError(f"{name} is not a report: {exc}") from exc
    return document


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 20 else INTEGER_MAX
    if abs(value) >= INTEGER_MAX:
        raise ValueError("it holds a number that is too large")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("it holds a number that is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}, which is not a number")


def _check(report: Report) -> None:
    """Raise _MisfitError on what has the right types and still makes no report."""
    if not _NAME.fullmatch(report.target.name):
        raise _MisfitError("target.name must be a name, not a path")
    try:
        aware = datetime.fromisoformat(report.started).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise _MisfitError("started must be a time with its zone, as ISO 8601 writes it")
    if report.seconds < 0:
        raise _MisfitError("seconds must not be negative")
    _unique("results", (result.outcome.check for result in report.results))
    _unique("figures", (figure.id for figure in report.figures))
    for figure in report.figures:
        if not _FIGURE.fullmatch(figure.id):
            raise _MisfitError("figures must be named in lower case letters, digits and _")
    _check_diagnosis(report.diagnosis)


def _check_diagnosis(diagnosis: Diagnosis) -> None:
    """Raise _MisfitError on a diagnosis that contradicts itself."""
    for finding in diagnosis.causes:
        if not 0 <= finding.probability <= 1:
            raise _MisfitError(f"the probability of {finding.id[:80]} must be from 0 to 1")
    _unique("the diagnosis", (finding.id for finding in diagnosis.causes))
    known = {finding.id for finding in diagnosis.causes}
    between = diagnosis.next_check.between if diagnosis.next_check else ()
    for cause in (*diagnosis.most_likely_set, *diagnosis.most_likely_outside, *between):
        if cause not in known:
            raise _MisfitError(f"the diagnosis names {cause[:80]}, which is none of its causes")


def _unique(place: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise _MisfitError(f"{place} must name {twice[0][:80]} once")
