"""Load evidence.toml: the causes, and for each check which of them explain its failure.

A team edits the file. It is validated before it is used, and an invalid one is refused with one
sentence that names the file, the table and the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from core.files import FileError, read_toml
from core.language import tr
from core.text import CONTROL, LINE_MAX, printable
from core.validation import first_of, nearest, problem_of
from reports.diagnosis.evidence import Cause, CheckRow, Evidence, EvidenceError, Role

MAX_CHECKS = 1000
COMMAND_MAX = 1000
MOOT = ("moot_when", "moot_unless_passed")
"""The keys of a check that name another check, on which depends whether a pass is evidence."""

_CAUSE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHECK_ID = re.compile(r"[a-z][a-z0-9_]{0,63}/[a-z][a-z0-9_]{0,127}")


def load_evidence(path: str | Path) -> Evidence:
    """Load an evidence file of at most 1 MiB; raises EvidenceError."""
    try:
        document = read_toml(path)
    except FileError as exc:
        raise EvidenceError(str(exc)) from exc
    return parse_evidence(document, str(path))


def parse_evidence(document: Mapping[str, Any], path: str = "evidence.toml") -> Evidence:
    """Validate a parsed evidence file; `path` is only named in errors. Raises EvidenceError."""
    try:
        file = _File.model_validate(document, strict=True)
    except ValidationError as exc:
        raise EvidenceError.at(path, _sentence(exc)) from exc
    for name in set(file.hypotheses) & set(file.outside):
        problem = tr("is a hypothesis already; give it another name")
        raise EvidenceError.at(f"{path}: [outside.{name}]", problem)
    hypotheses = tuple(
        Cause(key, tr(h.title), h.prior, needs=h.needs) for key, h in file.hypotheses.items()
    )
    outside = tuple(
        Cause(key, tr(c.title), c.prior, True, c.component, tuple(c.look), c.needs)
        for key, c in file.outside.items()
    )
    order = [cause.id for cause in (*hypotheses, *outside)]
    components = list(dict.fromkeys(row.component for row in file.checks.values()))
    for cause in (*hypotheses, *outside):
        if cause.needs and cause.needs not in components:
            table = "outside" if cause.outside else "hypotheses"
            problem = tr("is not a component of this file") + nearest(cause.needs, components)
            raise EvidenceError.at(f"{path}: [{table}.{cause.id}] needs", problem)
    for key in file.checks:
        _check_references(path, key, order, file.checks)
    checks = tuple(
        CheckRow(
            id=key,
            verification=row.verification,
            role=row.role,
            component=row.component,
            explained_by=tuple((c, row.explained_by[c]) for c in order if c in row.explained_by),
            leak=row.leak,
            moot_when=row.moot_when,
            moot_if_failed=(*row.moot_if_failed, *_others_of(key, file.checks)),
            moot_unless_passed=row.moot_unless_passed,
            moot_at_zero=row.moot_at_zero,
            follows_from=tuple(row.follows_from),
            gate=row.gate,
        )
        for key, row in file.checks.items()
    )
    return Evidence(path, hypotheses, outside, checks)


def _others_of(check: str, rows: Mapping[str, _Check]) -> list[str]:
    """Return the other checks of its group: one mechanism is enough, so it excuses the others."""
    group = rows[check].one_of
    if not group:
        return []
    return [key for key, row in rows.items() if row.one_of == group and key != check]


def _line(text: str) -> str:
    if not text.strip():
        raise ValueError(tr("must not be empty"))
    if len(text) > LINE_MAX or not text.isprintable():
        raise ValueError(
            tr("must be one printable line of at most {maximum} characters", maximum=LINE_MAX)
        )
    return text.strip()


def _probability(value: float) -> float:
    # 0 and 1 are refused: no evidence changes a certainty, and its logarithm is infinite.
    if not 1e-6 <= value <= 1 - 1e-6:
        raise ValueError(tr("must be a probability above 0 and below 1"))
    return value


def _command(text: str) -> str:
    if not text.strip() or len(text) > COMMAND_MAX or CONTROL.search(text):
        raise ValueError(
            tr("must be a command of at most {maximum} characters", maximum=COMMAND_MAX)
        )
    return text.strip()


Line = Annotated[str, AfterValidator(_line)]
Command = Annotated[str, AfterValidator(_command)]
Probability = Annotated[float, AfterValidator(_probability)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Hypothesis(_Table):
    title: Line
    prior: Probability
    needs: Line | None = None


class _Outside(_Hypothesis):
    component: Line
    look: Annotated[list[Command], Field(max_length=5)] = []


class _Check(_Table):
    verification: Annotated[int, Field(ge=0, le=99)]
    role: Role
    component: Line
    explained_by: dict[str, Probability]
    leak: Probability
    moot_when: str | None = None
    moot_if_failed: Annotated[list[str], Field(max_length=5)] = []
    one_of: Line | None = None
    moot_unless_passed: str | None = None
    moot_at_zero: Line | None = None
    follows_from: Annotated[list[str], Field(max_length=8)] = []
    gate: bool = False


class _File(_Table):
    hypotheses: dict[str, _Hypothesis]
    outside: dict[str, _Outside] = {}
    checks: dict[str, _Check]

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        for table, pattern, form in (
            ("hypotheses", _CAUSE_ID, tr("lower case letters, digits and _")),
            ("outside", _CAUSE_ID, tr("lower case letters, digits and _")),
            ("checks", _CHECK_ID, tr("module/name, without a parameter")),
        ):
            rows = document.get(table)
            for key in rows if isinstance(rows, dict) else ():
                if not pattern.fullmatch(key):
                    raise ValueError(
                        tr(
                            "{key!r} in [{table}]: use {form}",
                            key=printable(key, 80),
                            table=table,
                            form=form,
                        )
                    )
        return document

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if not self.hypotheses or not self.checks:
            raise ValueError(tr("needs at least one hypothesis and one check"))
        if len(self.checks) > MAX_CHECKS:
            raise ValueError(
                tr(
                    "has {checks} checks; at most {maximum} are allowed",
                    checks=len(self.checks),
                    maximum=MAX_CHECKS,
                )
            )
        return self


TABLES: dict[str, type[_Table]] = {
    "hypotheses": _Hypothesis,
    "outside": _Outside,
    "checks": _Check,
}


def _check_references(
    path: str, key: str, causes: Sequence[str], rows: Mapping[str, _Check]
) -> None:
    """Raise EvidenceError for a row that names a cause, check or group not in the file."""
    row, checks = rows[key], list(rows)
    place = f'{path}: [checks."{key}"]'
    for cause in row.explained_by:
        if cause not in causes:
            name = printable(cause, 80)
            problem = tr("is not a cause of this file") + nearest(cause, causes)
            raise EvidenceError.at(f"{place} explained_by.{name}", problem)
    lists = ("follows_from", "moot_if_failed")
    others = [(name, other) for name in lists for other in getattr(row, name)]
    others += [(name, getattr(row, name)) for name in MOOT]
    for name, other in others:
        if other is not None and (other not in checks or other == key):
            raise EvidenceError.at(f"{place} {name}", tr("must name another check"))
    if row.one_of and not _others_of(key, rows):
        problem = tr("names a group that no other check has")
        raise EvidenceError.at(f"{place} one_of", problem)


def _sentence(error: ValidationError) -> str:
    """Return the first error as one sentence that names the table and the key."""
    first = first_of(error.errors(include_url=False, include_input=False))
    table, *keys = [printable(part, 80) for part in first["loc"]] or [tr("the file")]
    if keys:
        name = f'"{keys[0]}"' if table == "checks" else keys[0]
        table = f"{table}.{name}"
    place = " ".join([f"[{table}]", ".".join(keys[1:])]).strip()
    if first["type"] != "extra_forbidden":
        return f"{place}: {problem_of(first)}"
    model = TABLES[str(first["loc"][0])] if keys else _File
    problem = tr("is not a key here")
    return f"{place}: {problem}{nearest(str(first['loc'][-1]), list(model.model_fields))}"
