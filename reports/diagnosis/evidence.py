"""Load evidence.toml: the causes, and for each check which of them explain its failure.

A team edits the file. It is validated before it is used, and an invalid one is refused with one
sentence that names the file, the table and the key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from core.errors import TranslatedError
from core.files import FileError, read_toml
from core.frozen import frozen
from core.language import tr
from core.outcome import OBSERVED, Outcome, base_id
from core.text import CONTROL, LINE_MAX, printable
from core.validation import first_of, nearest, problem_of

MAX_CHECKS = 1000
IMPOSSIBLE = 1e-12
"""Prior of a cause that the target cannot have: above 0, as its logarithm is finite."""
COMMAND_MAX = 1000
MOOT = ("moot_when", "moot_unless_passed")
"""The keys of a check that name another check, on which depends whether a pass is evidence."""

Role = Literal["symptom", "cause"]

_CAUSE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHECK_ID = re.compile(r"[a-z][a-z0-9_]{0,63}/[a-z][a-z0-9_]{0,127}")


class EvidenceError(TranslatedError, ValueError):
    """The evidence file cannot be used; the message names the file, the table and the key."""


@frozen
class Cause:
    """One node of the network: a hypothesis of the runbook, or a cause outside it.

    `prior` is its probability before anything is observed. `component` is where a cause outside the
    runbook lies, and empty for the runbook's own hypotheses. `look` has commands for such a cause
    that only read, with the runbook's placeholders. `needs` is the component without which there
    is no such cause; not every target has it.
    """

    id: str
    title: str
    prior: float
    outside: bool = False
    component: str = ""
    look: tuple[str, ...] = ()
    needs: str | None = None


@frozen
class CheckRow:
    """One check: its place in the runbook, the causes that explain its failure, its leak.

    `explained_by` has (cause id, weight) in the order of the causes; a weight is the probability
    that this cause alone makes the check fail. `leak` is the probability that it fails without any
    cause. A pass is no evidence if the check `moot_when` passed, one of `moot_if_failed` failed,
    the check `moot_unless_passed` did not pass, or the figure `moot_at_zero` is 0. A failure is no
    evidence if a check of `follows_from` failed, which says the same more exactly.
    """

    id: str
    verification: int
    role: Role
    component: str
    explained_by: tuple[tuple[str, float], ...]
    leak: float
    moot_when: str | None = None
    moot_if_failed: tuple[str, ...] = ()
    moot_unless_passed: str | None = None
    moot_at_zero: str | None = None
    follows_from: tuple[str, ...] = ()
    gate: bool = False

    def is_moot(
        self, passed: Container[str], failed: Container[str], zero: Container[str] = ()
    ) -> bool:
        """Return whether a pass is no evidence; a check with a failed case has not passed.

        `failed` are the failures that follow from no other one, `zero` the figures that are 0.
        """
        proof = self.moot_unless_passed
        return (
            (self.moot_when in passed and self.moot_when not in failed)
            or any(check in failed for check in self.moot_if_failed)
            or (proof is not None and (proof not in passed or proof in failed))
            or self.moot_at_zero in zero
        )

    def is_implied(self, failed: Container[str]) -> bool:
        """Return whether a failure is no evidence, because it follows from another one."""
        return any(check in failed for check in self.follows_from)

    def weight(self, cause: str) -> float:
        """Return the weight of a cause for this check; 0.0 if it does not explain it."""
        return dict(self.explained_by).get(cause, 0.0)


@frozen
class Evidence:
    """The model: the runbook's hypotheses in its order, the causes outside it, the checks."""

    path: str
    hypotheses: tuple[Cause, ...]
    outside: tuple[Cause, ...]
    checks: tuple[CheckRow, ...]
    _by_id: dict[str, CheckRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {row.id: row for row in self.checks})

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Return every cause: first the runbook's hypotheses, then those outside it."""
        return self.hypotheses + self.outside

    @property
    def signal_components(self) -> frozenset[str]:
        """The components that the signal's own checks (verification 0) are about."""
        return frozenset(row.component for row in self.checks if row.verification == 0)

    def row(self, check: str) -> CheckRow | None:
        """Return the row of a check, with or without a parameter in brackets; None if unknown."""
        return self._by_id.get(base_id(check))

    def without(self, absent: Collection[str], outcomes: Iterable[Outcome]) -> Evidence:
        """Return the model of a target that does not have these components.

        No cause is left that needs one of them, and their checks that saw nothing hide nothing.
        """
        if not absent:
            return self
        gone = {cause.id for cause in self.causes if cause.needs in absent}
        seen = {base_id(outcome.check) for outcome in outcomes if outcome.status in OBSERVED}

        def fitted(causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
            return tuple(replace(c, prior=IMPOSSIBLE) if c.id in gone else c for c in causes)

        rows = tuple(
            replace(row, explained_by=tuple(w for w in row.explained_by if w[0] not in gone))
            for row in self.checks
            if row.component not in absent or row.id in seen
        )
        return replace(
            self, hypotheses=fitted(self.hypotheses), outside=fitted(self.outside), checks=rows
        )


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
