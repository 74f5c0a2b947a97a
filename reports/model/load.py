"""Read a report.json back into a Report. The file may be anything: everything in it is checked."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from core.files import FileError, read_file
from core.secrets import Redactor
from core.text import printable
from reports.model.report import SCHEMA, Report
from reports.model.shape import ShapeError, decode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 32 << 20
"""Bytes of a report that are read; a real one has some hundred thousand."""

INTEGER_MAX = 2**63
"""No count and no size of a real system reaches it; larger ones overflow a float."""

_FIGURE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAME = re.compile(r"[^\s/\\][^/\\]{0,99}")


class LoadError(ValueError):
    """The file is not a report that can be used; `str()` is one sentence that names it."""


def load_report(path: Path) -> Report:
    """Return the report in a file; raises LoadError where there is none that can be used."""
    try:
        content = read_file(path, MAX_BYTES)
    except FileError as exc:
        raise LoadError(str(exc)) from exc
    return parse_report(content, str(path))


def parse_report(raw: bytes, name: str) -> Report:
    """Return the report that these bytes hold; `name` is what LoadError calls them."""
    document = _parse(raw, name)
    if not isinstance(document, dict) or "schema" not in document:
        raise LoadError(f"{name} is not a report: it has no schema number")
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise LoadError(
            f"{name} has schema {str(document['schema'])[:20]!r}, and this version reads {SCHEMA}: "
            "use the version of veza-checks that wrote it"
        )
    try:
        report: Report = decode(Report, document, "")
        _check(report)
    except ShapeError as exc:
        raise LoadError(f"{name} is not a report that can be used: {printable(exc, 300)}") from exc
    # The second pass over an honest report changes nothing; a hostile one loses what would reach a
    # terminal as a command.
    return Redactor().within(report)


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
            raise LoadError(f"{name} is cut short: it ends within line {_lines(text)}") from exc
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
    """Raise ShapeError on what has the right types and still makes no report."""
    target = report.target
    name = decode(str, target.get("name"), "target.name")
    if not _NAME.fullmatch(name):
        raise ShapeError("target.name must be a name, not a path")
    decode(dict[str, str | None], target.get("components"), "target.components")
    decode(dict[str, str], target.get("placeholders"), "target.placeholders")
    try:
        aware = datetime.fromisoformat(report.started).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ShapeError("started must be a time with its zone, as ISO 8601 writes it")
    if report.seconds < 0:
        raise ShapeError("seconds must not be negative")
    _unique("results", (result.outcome.check for result in report.results))
    _unique("figures", (figure.id for figure in report.figures))
    for figure in report.figures:
        if not _FIGURE.fullmatch(figure.id):
            raise ShapeError("figures must be named in lower case letters, digits and _")
    for finding in (*report.diagnosis.hypotheses, *report.diagnosis.outside):
        if not 0 <= finding.probability <= 1:
            raise ShapeError(f"the probability of {finding.id[:80]} must be from 0 to 1")
    _known(report)


def _known(report: Report) -> None:
    causes = (*report.diagnosis.hypotheses, *report.diagnosis.outside)
    _unique("the diagnosis", (finding.id for finding in causes))
    known = {finding.id for finding in causes}
    judged = report.diagnosis
    between = judged.next_check.between if judged.next_check else ()
    for cause in (*judged.most_likely_set, *judged.most_likely_outside, *between):
        if cause not in known:
            raise ShapeError(f"the diagnosis names {cause[:80]}, which is none of its causes")


def _unique(place: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ShapeError(f"{place} must name {twice[0][:80]} once")


def _lines(text: str) -> int:
    return text.count("\n") + 1
