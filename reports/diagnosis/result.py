"""A diagnosis as frozen values: the causes, the certainty, and the coverage."""

from __future__ import annotations

from typing import Literal

from core.frozen import frozen

Certainty = Literal["certain", "likely", "unclear", "outside", "none"]

CERTAIN = 0.9
"""The probability from which a cause is certain."""

POSSIBLE = 0.1
"""The probability from which another cause is named as possible too."""

LIKELY = 0.5
"""The probability from which a cause is likely."""

PLACES = 9
"""Decimals by which causes are ranked: the last bits depend on the version of Python."""


@frozen
class Contribution:
    """The contribution of one check to a cause in natural log-odds, given all other checks.

    logit P(cause | all observed) - logit P(cause | all observed but this check).
    """

    check: str
    status: str
    log_odds: float


@frozen
class NotObserved:
    """A check that would be evidence on a cause; "absent" if it was not selected."""

    check: str
    status: str


@frozen
class Finding:
    """One cause: its probability, and the evidence for and against it, strongest first."""

    id: str
    title: str
    probability: float
    outside: bool
    component: str
    supporting: tuple[Contribution, ...]
    against: tuple[Contribution, ...]
    not_observed: tuple[NotObserved, ...]
    own_evidence: bool = True


@frozen
class Unexplained:
    """A failure that no accepted hypothesis explains; `outside` names the causes that do."""

    check: str
    component: str
    outside: tuple[str, ...]


@frozen
class ComponentCoverage:
    """The checks of a component that were observed, of those configured (not skipped)."""

    component: str
    observed: int
    configured: int


@frozen
class Coverage:
    """The checks that were observed (passed or failed), of those configured (not skipped)."""

    observed: int
    configured: int
    components: tuple[ComponentCoverage, ...]


@frozen
class UnseenComponent:
    """A component of which no check was observed, although one could tell a possible cause.

    `status` is the status of its checks: unreachable, skipped, error, missing or absent.
    """

    component: str
    status: str


@frozen
class NextCheck:
    """The unobserved check that best tells two hypotheses apart, and its information in bits."""

    check: str
    between: tuple[str, str]
    bits: float


@frozen
class Diagnosis:
    """The causes of a run's failures. `hypotheses` and `outside` have the likeliest first.

    `most_likely_set` and `most_likely_outside` are the parts, within and outside the runbook, of
    the one set of causes that is likeliest as a whole; `set_probability` is that set's.
    `unseen` has the components that hide a possible cause. `certainty` is:

    none     nothing failed
    outside  something failed, no hypothesis is accepted, and a cause outside the runbook is, or
             nothing that failed has a hypothesis that explains it
    certain  every cause of the most likely set is accepted, their hypotheses reach 0.9, no other
             cause is possible, and no failure is one that they hardly ever bring about
    likely   a hypothesis is accepted, and no alternative comes within a factor of two of it
    unclear  anything else: something failed, and it is not known why

    A cause is accepted if it belongs to the most likely set, reaches 0.5, and has evidence of its
    own: a failed check that speaks for it at least twice as strongly as for any other cause that
    is possible. Symptoms alone, which every cause brings about, name none.
    """

    hypotheses: tuple[Finding, ...]
    outside: tuple[Finding, ...]
    most_likely_set: tuple[str, ...]
    most_likely_outside: tuple[str, ...]
    set_probability: float
    unexplained: tuple[Unexplained, ...]
    coverage: Coverage
    next_check: NextCheck | None
    certainty: Certainty
    unseen: tuple[UnseenComponent, ...] = ()

    @property
    def causes(self) -> tuple[Finding, ...]:
        """Return every cause, the runbook's hypotheses first."""
        return self.hypotheses + self.outside

    @property
    def ranked(self) -> tuple[Finding, ...]:
        """Return every cause, the likeliest first; rounding decides no tie."""
        return tuple(sorted(self.causes, key=lambda cause: -round(cause.probability, PLACES)))

    @property
    def accepted(self) -> tuple[Finding, ...]:
        """Return the causes that are taken as true; none where unclear.

        The surest come first; of those that are about as sure, the runbook's.
        """
        if self.certainty in ("none", "unclear"):
            return ()
        ids = {*self.most_likely_set, *self.most_likely_outside}
        accepted = (
            finding
            for finding in self.causes
            if finding.id in ids and finding.own_evidence and finding.probability >= LIKELY
        )
        return tuple(sorted(accepted, key=lambda finding: -round(finding.probability, 1)))

    @property
    def also_possible(self) -> tuple[Finding, ...]:
        """Return the other causes that are worth naming beside those that are accepted."""
        accepted = self.accepted
        return tuple(
            finding
            for finding in self.causes
            if finding.probability >= POSSIBLE and accepted and finding not in accepted
        )
