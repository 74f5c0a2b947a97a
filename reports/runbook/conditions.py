"""Conditions of a runbook's steps: the annotation `<!-- when: ... -->` beside a step or a command.

    <!-- when: worker/process_is_running failed -->
    <!-- when: storage/disk_space_is_free failed or storage/inodes_are_free failed -->
    <!-- when: queue/broker_is_reachable not failed and target has queue -->
    <!-- when: target has no queue -->
    <!-- when: host is docker -->

`and` binds more strongly than `or`. A status is that of an outcome: passed, failed, unreachable,
skipped, error, missing. A check that was not selected has none. `host` is where the worker runs:
local, ssh, docker, podman or kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.frozen import frozen
from core.language import tr
from core.outcome import STATUSES, Outcome, base_id

_STATUS = re.compile(rf"([a-z][a-z0-9_]*/[a-z][a-z0-9_]*) (not )?({'|'.join(STATUSES)})")
_TARGET = re.compile(r"target has (no )?([a-z]+)")
_HOST = re.compile(r"host is (not )?([a-z]+)")


@frozen
class Facts:
    """Facts that a condition names: statuses by check, components of the target, kinds of host."""

    statuses: Mapping[str, frozenset[str]]
    components: frozenset[str]
    hosts: frozenset[str]


def facts_of(
    outcomes: Sequence[Outcome], components: Mapping[str, str | None], hosts: Sequence[str]
) -> Facts:
    """Return the facts of a run; `hosts` are the kinds of the worker's hosts."""
    statuses: dict[str, set[str]] = {}
    for outcome in outcomes:
        statuses.setdefault(base_id(outcome.check), set()).add(outcome.status)
    return Facts(
        {check: frozenset(own) for check, own in statuses.items()},
        frozenset(name for name, place in components.items() if place is not None),
        frozenset(hosts),
    )


def checks_in(condition: str) -> tuple[str, ...]:
    matches = (_STATUS.fullmatch(term) for term in _terms(condition))
    return tuple(match[1] for match in matches if match)


def problem_of(condition: str) -> str:
    """Return what is wrong with a condition; empty where it can be read."""
    for term in _terms(condition):
        if not any(form.fullmatch(term) for form in (_STATUS, _TARGET, _HOST)):
            return tr(
                'cannot read "{term}" in "when:"; expected "module/check '
                'failed", "target has queue" or "host is docker"',
                term=term[:80],
            )
    return ""


def holds(condition: str, facts: Facts) -> bool:
    """Return whether a condition holds; an empty one does."""
    return not condition or any(
        all(_term_holds(term.strip(), facts) for term in part.split(" and "))
        for part in condition.split(" or ")
    )


def _terms(condition: str) -> list[str]:
    return [term.strip() for term in re.split(r" and | or ", condition)]


def _term_holds(term: str, facts: Facts) -> bool:
    if match := _STATUS.fullmatch(term):
        return (match[3] in facts.statuses.get(match[1], ())) is not bool(match[2])
    if match := _TARGET.fullmatch(term):
        return (match[2] in facts.components) is not bool(match[1])
    match = _HOST.fullmatch(term)
    return match is not None and (match[2] in facts.hosts) is not bool(match[1])
