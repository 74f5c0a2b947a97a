"""Load evidence.toml: the causes, and for each check which of them explain its failure.

The file is data that a team edits. Everything in it is validated before it is used, and what does
not fit is refused with one sentence that names the file, the table and the key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from core.files import FileError, read_text
from core.outcome import base_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_CHECKS = 1000

Role = Literal["symptom", "cause"]

_CAUSE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHECK_ID = re.compile(r"[a-z][a-z0-9_]{0,63}/[a-z][a-z0-9_]{0,127}")
_CHECK_KEYS = (
    "verification",
    "role",
    "component",
    "explained_by",
    "leak",
    "moot_when",
    "gate",
)


class EvidenceError(ValueError):
    """The evidence file cannot be used; the message names the file, the table and the key."""


@dataclass(frozen=True)
class Cause:
    """One node of the network: a hypothesis of the runbook, or a cause outside it.

    `prior` is its probability before anything is observed. `component` is what to name when the
    cause lies outside the runbook, and empty for the runbook's own hypotheses.
    """

    id: str
    title: str
    prior: float
    outside: bool = False
    component: str = ""


@dataclass(frozen=True)
class CheckRow:
    """What the outcome of one check says: its place in the runbook, its weights, its leak.

    `explained_by` holds (cause id, weight) in the order of the causes; a weight is the probability
    that this cause alone makes the check fail. `leak` is the probability that it fails with no
    cause at all. A pass says nothing when the check `moot_when` passed.
    """

    id: str
    verification: int
    role: Role
    component: str
    explained_by: tuple[tuple[str, float], ...]
    leak: float
    moot_when: str | None = None
    gate: bool = False

    def weight(self, cause: str) -> float:
        """The weight of a cause for this check; 0.0 if it does not explain it."""
        return dict(self.explained_by).get(cause, 0.0)


@dataclass(frozen=True)
class Evidence:
    """The whole model: the runbook's hypotheses in its order, causes outside it, check rows."""

    path: str
    hypotheses: tuple[Cause, ...]
    outside: tuple[Cause, ...]
    checks: tuple[CheckRow, ...]
    _by_id: dict[str, CheckRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {row.id: row for row in self.checks})

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Every node: first the runbook's hypotheses, then the causes outside it."""
        return self.hypotheses + self.outside

    def row(self, check: str) -> CheckRow | None:
        """The row of a check id, with or without a parameter in brackets; None if it has none."""
        return self._by_id.get(base_id(check))


def load_evidence(path: str | Path) -> Evidence:
    """Read and validate an evidence file of at most 1 MiB.

    Raises EvidenceError with one sentence if it cannot be read, is not TOML, or does not fit.
    """
    try:
        document = tomllib.loads(read_text(path))
    except FileError as exc:
        raise EvidenceError(str(exc)) from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise EvidenceError(f"{path}: is not TOML: {exc}") from exc
    return parse_evidence(document, str(path))


def matrix(evidence: Evidence) -> str:
    """The model as a Markdown table: a row a check, a column a cause, and the leak."""
    heads = ["check", *(cause.title for cause in evidence.causes), "leak"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    lines.append(["*prior*", *(f"{cause.prior:g}" for cause in evidence.causes), ""])
    for row in evidence.checks:
        weights = dict(row.explained_by)
        cells = [f"{weights[c.id]:g}" if c.id in weights else "" for c in evidence.causes]
        name = f"**{row.id}**" if row.role == "symptom" else row.id
        lines.append([name + (" †" if row.moot_when else ""), *cells, f"{row.leak:g}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parse_evidence(document: Mapping[str, Any], path: str = "evidence.toml") -> Evidence:
    """Validate a parsed evidence document; `path` is only named in errors. Raises EvidenceError."""
    reader = _Reader(path)
    reader.only(document, ("hypotheses", "outside", "checks"), "the file")
    hypotheses = tuple(
        reader.cause(name, table, outside=False)
        for name, table in reader.table(document, "hypotheses", required=True).items()
    )
    outside = tuple(
        reader.cause(name, table, outside=True)
        for name, table in reader.table(document, "outside", required=False).items()
    )
    order = [cause.id for cause in hypotheses + outside]
    for name in order:
        if order.count(name) > 1:
            reader.fail(f"[outside.{name}]", None, "is a hypothesis already; give it another name")
    rows = reader.table(document, "checks", required=True)
    if len(rows) > MAX_CHECKS:
        reader.fail("[checks]", None, f"has {len(rows)} checks; at most {MAX_CHECKS} are taken")
    checks = tuple(reader.check(name, table, order, rows) for name, table in rows.items())
    return Evidence(path, hypotheses, outside, checks)


@dataclass(frozen=True)
class _Reader:
    path: str

    def fail(self, table: str, key: str | None, problem: str) -> NoReturn:
        place = f"{table} {key}" if key else table
        raise EvidenceError(f"{self.path}: {place}: {problem}")

    def only(self, table: Mapping[str, Any], known: tuple[str, ...], name: str) -> None:
        for key in table:
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
                self.fail(name, _short(key), f"is not a key here{hint}")

    def table(self, document: Mapping[str, Any], key: str, *, required: bool) -> dict[str, Any]:
        value = document.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"[{key}]", None, f"must be a table, not {_kind(value)}")
        if required and not value:
            self.fail(f"[{key}]", None, "is missing or empty")
        return cast("dict[str, Any]", value)

    def cause(self, name: str, table: Any, *, outside: bool) -> Cause:
        kind = "outside" if outside else "hypotheses"
        place = f"[{kind}.{_short(name)}]"
        if not _CAUSE_ID.fullmatch(name):
            self.fail(place, None, "a cause is named in lower case letters, digits and _")
        if not isinstance(table, dict):
            self.fail(place, None, f"must be a table, not {_kind(table)}")
        self.only(table, ("title", "prior", "component") if outside else ("title", "prior"), place)
        return Cause(
            id=name,
            title=self.text(table, "title", place),
            prior=self.probability(table, "prior", place),
            outside=outside,
            component=self.text(table, "component", place) if outside else "",
        )

    def check(self, name: str, table: Any, causes: list[str], rows: Mapping[str, Any]) -> CheckRow:
        place = f'[checks."{_short(name)}"]'
        if not _CHECK_ID.fullmatch(name):
            self.fail(place, None, "a check is named module/name, without a parameter")
        if not isinstance(table, dict):
            self.fail(place, None, f"must be a table, not {_kind(table)}")
        self.only(table, _CHECK_KEYS, place)
        number = table.get("verification")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 99:
            self.fail(place, "verification", "must be a number from 0 (the signal) to 99")
        role = table.get("role")
        if role not in ("symptom", "cause"):
            self.fail(place, "role", 'must be "symptom" or "cause"')
        moot_when = table.get("moot_when")
        if moot_when is not None and (not isinstance(moot_when, str) or moot_when not in rows):
            self.fail(place, "moot_when", "must name another check of this file")
        if moot_when == name:
            self.fail(place, "moot_when", "cannot name the check itself")
        return CheckRow(
            id=name,
            verification=number,
            role=cast("Role", role),
            component=self.text(table, "component", place),
            explained_by=self.weights(table, causes, place),
            leak=self.probability(table, "leak", place),
            gate=self.flag(table, "gate", place),
            moot_when=moot_when,
        )

    def weights(
        self, table: Mapping[str, Any], causes: list[str], place: str
    ) -> tuple[tuple[str, float], ...]:
        value = table.get("explained_by")
        if not isinstance(value, dict):
            self.fail(place, "explained_by", "must be a table { cause = weight }; {} for none")
        given = cast("dict[str, Any]", value)
        for cause in given:
            if cause not in causes:
                near = get_close_matches(cause, causes, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(causes)}"
                self.fail(place, f"explained_by.{_short(cause)}", f"is no cause of this file{hint}")
            self.probability(given, cause, place, prefix="explained_by.")
        return tuple((cause, float(given[cause])) for cause in causes if cause in given)

    def flag(self, table: Mapping[str, Any], key: str, place: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.fail(place, key, "must be true or false")
        return bool(value)

    def text(self, table: Mapping[str, Any], key: str, place: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fail(place, key, "must be a text that is not empty")
        text = value.strip()
        if len(text) > 200 or not text.isprintable():
            self.fail(place, key, "must be one printable line of at most 200 characters")
        return text

    def probability(
        self, table: Mapping[str, Any], key: str, place: str, prefix: str = ""
    ) -> float:
        value = table.get(key)
        # 0 and 1 are refused: a certainty cannot be unlearned, and its logarithm is infinite.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 1e-6 <= value <= 1 - 1e-6
        ):
            self.fail(place, prefix + key, "must be a probability above 0 and below 1")
        return float(value)


def _short(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)[:80]


_KINDS = {str: "a text", int: "a number", float: "a number", bool: "a boolean", list: "a list"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)
