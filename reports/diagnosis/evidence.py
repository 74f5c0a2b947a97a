"""The evidence of a runbook: the causes, and for each check which of them explain its failure.

`reports.diagnosis.evidence_file` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from dataclasses import field, replace
from typing import Literal

from core.errors import TranslatedError
from core.frozen import frozen
from core.outcome import OBSERVED, Outcome, base_id

IMPOSSIBLE = 1e-12
"""Prior of a cause that the target cannot have: above 0, as its logarithm is finite."""

Role = Literal["symptom", "cause"]


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
